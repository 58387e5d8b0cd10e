// The matrix of who may do what: a tick saves itself, a press on "all" turns a line or column on or off.
// The server's answer says which ticks are set now, so that Undo and lines need no knowledge here.

function post(cell, path, values) {
  htmx.ajax("POST", path, { source: cell, target: cell, swap: "none", values });
}

function save(event) {
  const box = event.target.closest("[data-matrix] input[type=checkbox]");
  if (!box) return;
  const cell = box.closest("td");
  cell.dataset.wanted = box.checked ? "on" : "off";
  post(cell, `${box.form.action}/${box.name}`, { on: box.checked ? "1" : "" });
}

function saveMany(event) {
  const button = event.target.closest("[data-matrix] .matrix-all");
  if (!button) return;
  event.preventDefault();
  post(button.closest("td, th"), button.form.action, { [button.name]: button.value });
}

// What could not be saved is not shown as if it were. A 422 counts as successful for htmx: forms swap it.
function takeBack(event) {
  const cell = event.target.closest("[data-matrix] td");
  const box = cell?.querySelector("input");
  const { successful, xhr } = event.detail;
  if (box && (!successful || xhr.status >= 400)) box.checked = cell.dataset.wanted === "off";
}

function show(event) {
  const form = document.querySelector("[data-matrix]");
  for (const [name, isOn] of Object.entries(event.detail.cells)) {
    const box = form?.elements.namedItem(name);
    if (box) box.checked = isOn;
  }
}

document.addEventListener("change", save);
document.addEventListener("click", saveMany);
document.body.addEventListener("htmx:afterRequest", takeBack);
document.body.addEventListener("grants", show);
