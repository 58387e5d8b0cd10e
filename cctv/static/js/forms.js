// Forms: one answer per press, focus on the first wrong field, show-password buttons, copy buttons, the narrow rail.

import { remember } from "./marks.js";

function submitters(form) {
  return [...form.querySelectorAll("button[type=submit], button:not([type])"), ...document.querySelectorAll(`button[form="${form.id || "-"}"]`)];
}

function setBusy(form, isBusy) {
  for (const button of submitters(form)) {
    if (isBusy && !button.disabled) button.dataset.wasBusy = "yes";
    if (isBusy || button.dataset.wasBusy) button.disabled = isBusy;
    if (!isBusy) delete button.dataset.wasBusy;
  }
}

// A plain form: the press must reach the server first, so the button is disabled one turn later.
function busyWhileLeaving(event) {
  if (event.defaultPrevented || event.target.target === "_blank" || event.target.method === "dialog") return;
  setTimeout(() => setBusy(event.target, true));
  setTimeout(() => setBusy(event.target, false), 10000); // a download leaves the page where it is
}

function focusFirstError(root) {
  const wrong = root.querySelector('[aria-invalid="true"]');
  if (wrong && !wrong.closest("[hidden]")) wrong.focus();
}

// Messages arrive beside fields that were not swapped (_problems.html): mark those fields, unmark the others.
function markFields(form) {
  for (const message of form.querySelectorAll(".form-error[id$='-error']")) {
    const field = document.getElementById(message.id.slice(0, -"-error".length));
    if (message.textContent.trim()) field?.setAttribute("aria-invalid", "true");
    else field?.removeAttribute("aria-invalid");
  }
}

function afterSwap(event) {
  showHelpers(event.target);
  if (event.detail.xhr?.status !== 422) return;
  const form = event.detail.requestConfig?.elt?.closest("form");
  if (form?.isConnected) markFields(form);
  focusFirstError(form?.isConnected ? form : document);
}

function reveal(button) {
  const field = document.getElementById(button.dataset.reveal);
  const isShown = field.type === "password";
  field.type = isShown ? "text" : "password";
  button.setAttribute("aria-pressed", isShown);
  button.querySelector("use").setAttribute("href", button.querySelector("use").getAttribute("href").replace(/#.*/, isShown ? "#eye-off" : "#eye"));
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS there is no clipboard API: select the text so that Ctrl+C works.
    const source = document.getElementById(button.dataset.copyFrom || "");
    if (source) getSelection().selectAllChildren(source);
    return;
  }
  const word = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = word), 1500);
}

function toggleRail(button) {
  const isClosed = document.body.classList.toggle("rail-closed");
  button.setAttribute("aria-expanded", !isClosed);
  remember("rail", isClosed ? "closed" : "open");
}

// Buttons that only work with JavaScript are hidden in the page and shown here.
function showHelpers(root) {
  for (const node of root.querySelectorAll("[data-reveal], [data-copy], [data-rail], [data-pause], [data-shortcuts]")) node.hidden = false;
}

// A code of so many digits is sent as soon as it is complete: typed, pasted or filled in by the phone.
function sendWhenComplete({ target }) {
  const wanted = Number(target.dataset?.digits);
  const form = wanted && target.form;
  if (!form || target.value.replace(/\s/g, "").length !== wanted || form.dataset.sent === target.value) return;
  form.dataset.sent = target.value;
  if (form.checkValidity()) form.requestSubmit();
}

export function watchForms() {
  document.addEventListener("input", sendWhenComplete);
  document.addEventListener("submit", busyWhileLeaving);
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => setBusy(form, false)));
  document.body.addEventListener("htmx:beforeRequest", (event) => event.target.matches("form") && setBusy(event.target, true));
  document.body.addEventListener("htmx:afterRequest", (event) => event.target.matches("form") && setBusy(event.target, false));
  document.body.addEventListener("htmx:afterSettle", afterSwap);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reveal], [data-copy], [data-rail]");
    if (button?.dataset.reveal) reveal(button);
    else if (button?.dataset.copy) copy(button);
    else if (button && "rail" in button.dataset) toggleRail(button);
  });
  showHelpers(document);
  focusFirstError(document);
}
