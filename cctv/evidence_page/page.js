// What a person sees and presses. Text of a package is only ever set as text.

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function timeOf(ms, zone) {
  const options = { dateStyle: "medium", timeStyle: "medium", timeZone: zone };
  try {
    return `${new Intl.DateTimeFormat("en-GB", options).format(ms)} (${zone})`;
  } catch {
    return `${new Date(ms).toISOString()}`;
  }
}

const groups = (hex) => (hex.match(/.{1,4}/g) || []).join(" ");

function nameOf(found, file) {
  if (file.kind === "page") return "This page, as it is in the package,";
  const camera = found.manifest.cameras.find((one) => one.id === file.camera);
  const who = camera ? `${camera.name || "Camera"} (camera ${camera.id})` : "";
  if (file.kind !== "original") return `${file.name}${who ? `, ${who},` : ""}`;
  return `${who}, stored file of ${timeOf(file.from_ms, found.manifest.time_zone)},`;
}

function leftOutOf(found) {
  const count = found.manifest.left_out.length;
  const said = count === 1 ? "1 stored file" : `${count} stored files`;
  return count ? [element("p", { class: "warn-word" }, `${said} of this time could not be put into the package when it was made; see the chain.`)] : [];
}

function verdictOf(found) {
  const first = firstProblem(found);
  if (!first) {
    const originals = found.listed.filter(({ file }) => file.kind === "original").length;
    return element("div", { class: "card verdict good", id: "verdict" },
      element("h2", {}, "Nothing was changed"),
      element("p", {}, `${found.listed.length} files, ${originals} of them stored files of the recorder, are as `
        + "they were when the package was signed. Now compare the name of the key below."),
      ...leftOutOf(found));
  }
  const count = found.listed.filter((one) => one.problem).length;
  const said = first.file ? `${nameOf(found, first.file)} ${first.problem}.` : first.problem;
  return element("div", { class: "card verdict bad", id: "verdict" },
    element("h2", {}, "This is not as it was signed"),
    element("p", {}, said),
    ...(count > 1 ? [element("p", {}, `${count} files in all are not as they were; see the list.`)] : []));
}

function rows(...pairs) {
  return element("dl", {}, ...pairs.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, value)]));
}

function sealCard(found) {
  const { seal, manifest } = found;
  const isGood = seal.isGenuine && seal.isOfManifest;
  return element("section", { class: "card" }, element("h2", {}, "Who signed, and what"), rows(
    ["Signature", element("span", { class: isGood ? "good-word" : "bad-word" },
      isGood ? `Genuine; worked out by ${seal.by}` : "Not genuine")],
    ["Key", element("span", { class: "mono", id: "key" }, groups(seal.key))],
    ["Organisation", manifest.organisation || "Not told"],
    ["Signed", timeOf(Number(seal.said.signed), manifest.time_zone)],
    ["Made by", manifest.made_by || "Not told"],
    ["Footage", `${timeOf(manifest.from_ms, manifest.time_zone)} to ${timeOf(manifest.to_ms, manifest.time_zone)}`],
    ["Note", manifest.note || "None"]));
}

function filesCard(found) {
  const body = element("tbody");
  const problems = new Map(found.chains.flatMap((chain) => chain.problems).map((one) => [one.file, one.problem]));
  for (const { file, problem } of found.listed) {
    const said = problem || problems.get(file) || file.problem || "";
    body.append(element("tr", {}, element("td", { class: "mono" }, file.name),
      element("td", { class: said ? "bad-word" : "good-word" }, said ? said[0].toUpperCase() + said.slice(1) : "As it was")));
  }
  for (const name of found.extra) {
    body.append(element("tr", {}, element("td", { class: "mono" }, name),
      element("td", { class: "warn-word" }, "Not part of the package")));
  }
  const head = element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "File"),
    element("th", { scope: "col" }, "State")));
  return element("section", { class: "card" }, element("h2", {}, "Files"),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Files" },
      element("table", { id: "list" }, head, body)));
}

function chainCard(found, chain) {
  const zone = found.manifest.time_zone;
  const name = chain.camera.name || `camera ${chain.camera.id}`;
  const lines = [];
  if (chain.camera.chain) {
    const isWhole = !chain.problems.length;
    lines.push(["Links", element("span", { class: isWhole ? "good-word" : "bad-word" },
      isWhole ? `${chain.links} followed, all fit` : chain.problems.map((one) => `${one.file.name} ${one.problem}`).join("; "))]);
  }
  if (chain.notPacked) {
    lines.push(["Not here", element("span", { class: "warn-word" }, `${chain.notPacked} of the links between the first `
      + "and the last file belong to files that are not in this package")]);
  }
  for (const one of chain.removed) {
    lines.push(["Taken out", `Links ${one.from} to ${one.to}, footage of ${timeOf(one.from_ms, zone)} to `
      + `${timeOf(one.to_ms, zone)}: ${REASONS[one.reason] || one.reason}`]);
  }
  for (const head of chain.heads) {
    const isGood = head.isGenuine && head.isOnChain;
    lines.push([`Head of ${head.day}`, element("span", { class: isGood ? "good-word" : "bad-word" },
      isGood ? `Fits${head.isSameKey ? "" : ", signed with another key of the installation"}: link ${head.number}, ` : "Does not fit: ",
      element("span", { class: "mono" }, head.hash || ""))]);
  }
  if (!chain.heads.length) lines.push(["Daily head", "None was signed yet when the package was made"]);
  for (const [from, to, cause] of chain.camera.gaps) {
    lines.push(["No footage", `${timeOf(from, zone)} to ${timeOf(to, zone)}: ${cause.replaceAll("_", " ")}`]);
  }
  for (const one of found.manifest.left_out.filter((left) => left.camera === chain.camera.id)) {
    lines.push(["Not in the package", `${timeOf(one.from_ms, zone)} to ${timeOf(one.to_ms, zone)}: ${one.why}`]);
  }
  return element("section", { class: "card" }, element("h2", {}, `Chain of ${name}`), rows(...lines));
}

const REASONS = {
  expired: "its time was over",
  early: "the disk was full",
  deleted: "deleted by a person",
  camera: "removed with the camera",
  grown: "entered again under a later number",
  lost: "found missing or cut short on the disk",
};

async function run(chosen) {
  if (!chosen.length) return;
  byId("result").replaceChildren();
  byId("progress").hidden = false;
  try {
    const found = await judge(await gather(chosen), (done, all) => {
      byId("bar").value = all ? done / all : 1;
      byId("progress-text").textContent = `Read ${Math.round(done / 1e6)} of ${Math.round(all / 1e6)} MB`;
    });
    byId("result").replaceChildren(verdictOf(found), sealCard(found),
      ...found.chains.map((chain) => chainCard(found, chain)), filesCard(found));
  } catch (error) {
    const isKnown = error instanceof NotAPackage || error instanceof NotAZip;
    byId("result").replaceChildren(element("div", { class: "card verdict bad", id: "verdict" },
      element("h2", {}, "This cannot be checked"),
      element("p", {}, isKnown ? error.message : `The files cannot be read: ${error.message || error.name}`)));
  }
  byId("progress").hidden = true;
}

for (const id of ["zip", "folder", "files"]) {
  byId(id).addEventListener("change", (event) => {
    run([...event.target.files]);
    event.target.value = ""; // the same choice again checks again
  });
}
