// Compares a package with its manifest and says of each thing whether it is as it was signed.
// Works on what files.js gives; writes nothing to the page.

const FORMAT = "cctv evidence 1";

// The facts of a stored file, hashed as in services/proof/chain.py: lines of name and value in this order.
const FACTS = ["camera_id", "link", "run", "file", "started_ms", "ended_ms", "start_ticks", "duration_ticks",
  "size_bytes", "sha256"];

class NotAPackage extends Error {}

async function textOf(files, name) {
  const open = files.get(name);
  if (!open) throw new NotAPackage(`There is no ${name} among these files.`);
  return (await open()).text();
}

function linesOf(statement) {
  return Object.fromEntries(statement.trim().split("\n").slice(1).map((line) => {
    const at = line.indexOf(" ");
    return [line.slice(0, at), line.slice(at + 1)];
  }));
}

function keyName(publicKey) {
  return new Sha256().update(publicKey).hex().slice(0, 16);
}

// {statement, signature, public_key} -> {isGenuine, by, key, said}
async function judgeSigned(document) {
  const publicKey = bytesOf(document.public_key || "");
  const said = linesOf(document.statement || "");
  const message = new TextEncoder().encode(document.statement || "");
  const checked = await checkSignature(message, bytesOf(document.signature || ""), publicKey);
  const key = keyName(publicKey);
  return { isGenuine: checked.isGenuine && said.key === key, by: checked.by, key, said };
}

// Everything about a package. `onBytes(done, all)` tells of the progress.
async function judge(files, onBytes) {
  const manifestText = await textOf(files, "manifest.json");
  let manifest, signature;
  try {
    signature = JSON.parse(await textOf(files, "signature.json"));
    manifest = JSON.parse(manifestText);
  } catch (error) {
    if (error instanceof NotAPackage) throw error;
    throw new NotAPackage("The manifest or its signature cannot be read: it was changed or cut off.");
  }
  if (manifest.format !== FORMAT) throw new NotAPackage("This page does not know packages of this kind.");
  const seal = await judgeSigned(signature);
  seal.isOfManifest = seal.said.manifest === sha256OfText(manifestText)
    && signature.statement.startsWith(`${FORMAT}\n`);
  const listed = await judgeFiles(manifest, files, onBytes);
  const names = new Set([...manifest.files.map((file) => file.name), "manifest.json", "signature.json"]);
  const extra = [...files.keys()].filter((name) => !names.has(name) && !isByBaseName(files, names, name));
  const chains = [];
  for (const camera of manifest.cameras) chains.push(await judgeChain(camera, manifest, seal.key));
  return { manifest, seal, listed, extra, chains };
}

// Single files come without their folders, so the last part of the name has to do.
const baseName = (name) => name.slice(name.lastIndexOf("/") + 1);
function isByBaseName(files, names, name) {
  return !name.includes("/") && [...names].some((other) => baseName(other) === name && !files.has(other));
}

async function judgeFiles(manifest, files, onBytes) {
  const all = manifest.files.reduce((sum, file) => sum + file.size, 0);
  let done = 0;
  const found = [];
  for (const file of manifest.files) {
    const open = files.get(file.name) || files.get(baseName(file.name));
    const problem = await problemOf(file, open, (count) => onBytes(done += count, all));
    found.push({ file, problem });
  }
  return found;
}

// "" when the file is the one that was signed.
async function problemOf(file, open, onBytes) {
  if (!open) return "is missing";
  let blob;
  try {
    blob = await open();
    if (blob.size < file.size) return `is too short: ${blob.size} of ${file.size} bytes`;
    if (blob.size > file.size) return `is too long: ${blob.size} instead of ${file.size} bytes`;
    return (await hashOf(blob, onBytes)) === file.sha256 ? "" : "was changed";
  } catch (error) {
    return `cannot be read (${error.message || error.name})`;
  }
}

// Follows the links of a camera from the first stored file of the package to the last, or to the signed
// head behind it.
async function judgeChain(camera, manifest, key) {
  const result = { camera, problems: [], links: 0, removed: [], heads: [] };
  const originals = manifest.files.filter((file) => file.kind === "original" && file.camera === camera.id);
  if (!camera.chain) return result;
  const links = new Map();
  let before = camera.chain.before;
  let number = camera.chain.first;
  for (const step of camera.chain.links) {
    if (typeof step === "string") {
      before = sha256OfText(`${before}\n${step}\n`);
      links.set(number, { digest: step, hash: before });
      number += 1;
    } else {
      result.removed.push(step);
      number = step.to + 1;
      before = step.hash;
      links.set(step.to, { digest: "", hash: before });
    }
  }
  result.links = links.size;
  const packed = new Set(originals.map((file) => file.facts?.link || 0).filter(Boolean));
  const [first, last] = [Math.min(...packed), Math.max(...packed)];
  result.notPacked = [...links].filter(([place, link]) => link.digest && place > first && place < last && !packed.has(place)).length;
  for (const file of originals) {
    const problem = problemOfLink(file, links);
    if (problem) result.problems.push({ file, problem });
  }
  for (const head of camera.heads) result.heads.push(await judgeHead(head, camera, links, key));
  return result;
}

function problemOfLink(file, links) {
  if (!file.facts) return "has no link in the chain";
  const digest = sha256OfText(FACTS.map((name) => `${name} ${file.facts[name]}\n`).join(""));
  if (links.get(file.facts.link)?.digest !== digest) return `is not link ${file.facts.link} of the chain`;
  const isSame = file.facts.sha256 === file.sha256 && file.facts.size_bytes === file.size;
  return isSame ? "" : "had been changed before the package was made";
}

async function judgeHead(document, camera, links, key) {
  const signed = await judgeSigned(document);
  const number = Number(signed.said.link);
  const isOfCamera = Number(signed.said.camera) === camera.id;
  return {
    day: signed.said.day,
    number,
    hash: signed.said.hash,
    isGenuine: signed.isGenuine && isOfCamera,
    isSameKey: signed.key === key,
    isOnChain: links.get(number)?.hash === signed.said.hash,
  };
}

// The first thing that is wrong, in the order of time; null when nothing is.
function firstProblem(found) {
  if (!found.seal.isGenuine || !found.seal.isOfManifest) {
    return { file: null, problem: "The manifest was changed after it was signed, or signed by somebody else." };
  }
  const byTime = (one, other) => (one.file.from_ms || 0) - (other.file.from_ms || 0);
  const bad = found.listed.filter((one) => one.problem);
  const stored = bad.filter((one) => one.file.kind === "original").sort(byTime);
  const linked = found.chains.flatMap((chain) => chain.problems).sort(byTime);
  const head = found.chains.flatMap((chain) => chain.heads.map((one) => ({ chain, one })))
    .find(({ one }) => !one.isGenuine || !one.isOnChain);
  if (stored[0] || linked[0] || bad[0]) return stored[0] || linked[0] || bad[0];
  if (head) {
    return { file: null, problem: `The signed head of ${head.one.day} does not belong to this chain.` };
  }
  return null;
}
