// Toasts: from the server's HX-Trigger, from a redirect (rendered by base.html), and from our own modules.
// Good news leaves after 6 s (8 s with an action), never while the pointer or the focus is on it; trouble stays.

import { STATE_ICONS, element, icon, token } from "./marks.js";

const MOST = 3;
const SECONDS = 6;
const SECONDS_WITH_ACTION = 8;

// { level: ok|info|warn|bad, text, picture: its address, actions: [{ label, href } | { label, post } | { label, run }] }
export function toast({ level = "info", text, href, label, picture, actions = [] }) {
  const all = href ? [...actions, { label: label || "Open", href }] : actions;
  const body = element("div", { class: "note-toast-text" }, text);
  const box = element("div", { class: `note-toast note-${level}`, "data-toast": level }, icon(STATE_ICONS[level] || "info-circle"), body);
  if (picture) body.before(element("img", { class: "note-toast-picture", src: picture, alt: "" }));
  if (all.length) body.append(element("div", { class: "actions" }, ...all.map((action) => actionButton(action, box))));
  document.getElementById(level === "bad" ? "alerts" : "toasts").append(box);
  dress(box);
  return box;
}

function actionButton({ label, href, post, run }, box) {
  if (href) return element("a", { class: "btn", href }, label);
  const button = element("button", { class: "btn", type: "button" }, label);
  button.addEventListener("click", () => {
    box.remove();
    if (run) run();
    else htmx.ajax("POST", post, { target: "body", swap: "none", headers: { "X-CSRFToken": token() } });
  });
  return button;
}

function dress(box) {
  const close = element("button", { class: "toast-close", type: "button", "aria-label": "Close this message", title: "Close" }, icon("x"));
  close.addEventListener("click", () => box.remove());
  box.append(close);
  const shown = box.parentElement.querySelectorAll("[data-toast]");
  if (shown.length > MOST) shown[0].remove();
  if (box.dataset.toast !== "bad") leaveAfter(box, (box.querySelector(".actions") ? SECONDS_WITH_ACTION : SECONDS) * 1000);
}

function leaveAfter(box, milliseconds) {
  let timer = setTimeout(() => box.remove(), milliseconds);
  for (const event of ["pointerenter", "focusin"]) box.addEventListener(event, () => clearTimeout(timer));
  for (const event of ["pointerleave", "focusout"])
    box.addEventListener(event, () => {
      clearTimeout(timer);
      timer = setTimeout(() => box.remove(), milliseconds);
    });
}

// 4xx and 5xx are not swapped; the server's own sentence comes as a toast, else this one.
function sayFailure(event) {
  const { xhr } = event.detail;
  if (xhr.status === 401 || xhr.getResponseHeader("X-Sudo") || (xhr.getResponseHeader("HX-Trigger") || "").includes('"toast"')) return;
  const number = xhr.getResponseHeader("X-Incident");
  toast({ level: "bad", text: `That did not work (${xhr.status}).${number ? ` Incident ${number}.` : ""} Nothing was changed on this page.` });
}

export function watchToasts() {
  document.body.addEventListener("toast", (event) => toast(event.detail));
  document.body.addEventListener("htmx:responseError", sayFailure);
  for (const box of document.querySelectorAll("[data-toast]")) dress(box);
}
