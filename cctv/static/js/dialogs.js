// The page's one dialog: fragments put into it open it, questions before risky forms, and signing in again in place.
// Focus goes to the first field or the safe button, and back to where it was when the dialog closes.

import { element, setToken } from "./marks.js";
import { toast } from "./toasts.js";

const dialog = document.getElementById("dlg");

export function openDialog(...content) {
  if (content.length) dialog.replaceChildren(...content);
  if (!dialog.open) dialog.showModal();
  const first = dialog.querySelector("[autofocus], input:not([type=hidden]), select, textarea") || dialog.querySelector(".dialog-foot .btn, .btn");
  first?.focus();
}

export function dialogParts(title, ...content) {
  const head = element("div", { class: "dialog-head" }, element("h2", { id: "dlg-title" }, title));
  return [head, ...content];
}

// Resolves with true for the risky button. The safe button has the focus; with `typed` that text must be typed first.
function ask({ text, body, button, typed }) {
  return new Promise((resolve) => {
    const safe = element("button", { class: "btn", type: "button", autofocus: "" }, "Cancel");
    const risky = element("button", { class: "btn btn-danger", type: "button" }, button || "Go on");
    const inside = element("div", { class: "dialog-body" });
    if (body) inside.append(element("p", {}, body));
    if (typed) inside.append(typedField(typed, risky));
    openDialog(...dialogParts(text, inside, element("div", { class: "dialog-foot" }, safe, risky)));
    safe.focus();
    let answer = false;
    safe.addEventListener("click", () => dialog.close());
    risky.addEventListener("click", () => {
      answer = true;
      dialog.close();
    });
    dialog.addEventListener("close", () => resolve(answer), { once: true });
  });
}

function typedField(expected, risky) {
  const field = element("input", { class: "form-control", id: "dlg-typed", autocomplete: "off" });
  risky.disabled = true;
  field.addEventListener("input", () => (risky.disabled = field.value.trim() !== expected));
  return element("div", {}, element("label", { class: "form-label", for: "dlg-typed" }, `Type “${expected}” to go on`), field);
}

async function confirmFirst(event) {
  const form = event.target;
  const question = [event.submitter, form].find((node) => node?.dataset.confirm);
  if (!question || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const { confirm, confirmBody, confirmButton, confirmTyped } = question.dataset;
  if (!(await ask({ text: confirm, body: confirmBody, button: confirmButton, typed: confirmTyped }))) return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(event.submitter);
  delete form.dataset.confirmed;
}

function closeOnBackdrop(event) {
  if (event.target !== dialog) return;
  const box = dialog.getBoundingClientRect();
  const isInside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  if (!isInside) dialog.close();
}

function signInAgain() {
  if (dialog.querySelector("form[data-sign-in]")) return;
  htmx.ajax("GET", "/login", { target: "#dlg", swap: "innerHTML" });
}

function signedIn(event) {
  setToken(event.detail.token);
  dialog.close();
  toast({ level: "ok", text: "Signed in again." });
  document.body.dispatchEvent(new CustomEvent("tick"));
}

export function watchDialogs() {
  document.addEventListener("submit", confirmFirst, true);
  document.addEventListener("click", (event) => event.target.closest("[data-close]") && dialog.close());
  dialog.addEventListener("mousedown", closeOnBackdrop);
  document.body.addEventListener("close-dialog", () => dialog.close());
  document.body.addEventListener("htmx:afterSwap", (event) => event.detail.target === dialog && openDialog());
  document.body.addEventListener("htmx:responseError", (event) => event.detail.xhr.status === 401 && signInAgain());
  document.body.addEventListener("signed-in", signedIn);
}
