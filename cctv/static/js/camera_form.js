// The form of a camera: a make fills the path, a check marks the field it is about, a changed address forgets the check.

import { token } from "./marks.js";

const form = document.querySelector("[data-camera-form]");

function field(name) {
  return form?.elements[name];
}

// 192.168.1.44 or rtsp://192.168.1.44/old/path becomes the link of that make.
function fillPath(option) {
  const address = field("url");
  const match = /^(\w+:\/\/)?([^/\s]+)/.exec(address.value.trim());
  if (!option.dataset.main) return;
  if (!match) return address.focus();
  const start = `${match[1] || "rtsp://"}${match[2]}`;
  address.value = start + option.dataset.main;
  if (option.dataset.sub && !field("sub_url").value) field("sub_url").value = start + option.dataset.sub;
  forgetCheck();
}

function forgetCheck() {
  const probe = document.getElementById("probe");
  if (probe) probe.value = "";
  label("Save without checking");
}

function label(words) {
  const save = document.getElementById("save");
  if (save && !field("version")) save.textContent = words;
}

// The sentence beside a field and the field itself agree.
function markWrong() {
  for (const input of form.querySelectorAll("[aria-describedby]")) {
    const says = document.getElementById(`${input.id}-error`);
    if (!says) continue;
    if (says.textContent.trim()) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

function say(name, words) {
  const says = document.getElementById(`${name}-error`);
  if (says) says.textContent = words;
}

function showCheck(check) {
  if (!check || check.getAttribute("aria-busy") === "true") return;
  for (const name of ["url", "username", "password"]) say(name, "");
  const isBad = check.dataset.state === "failed";
  if (isBad && check.dataset.field) say(check.dataset.field, check.dataset.says);
  markWrong();
  if (check.dataset.state === "done") {
    label("Save camera");
    document.getElementById("save").classList.add("btn-primary");
  }
  if (matchMedia("(max-width: 1023px)").matches) check.scrollIntoView({ block: "nearest" });
}

// The button that checks is not the one that Enter means in every browser: Enter checks, Ctrl+Enter saves.
function onKey(event) {
  if (event.key !== "Enter" || event.target.matches("textarea, button, summary, a, select")) return;
  event.preventDefault();
  (event.ctrlKey || event.metaKey ? document.getElementById("save") : form.querySelector("[data-check]")).click();
}

// Nobody waits for the check any more: the server ends it, and forgets the password it was given.
function cancelCheck() {
  const check = document.querySelector("#check[data-cancel]");
  if (!check) return;
  fetch(check.dataset.cancel, { method: "POST", keepalive: true, headers: { "X-CSRFToken": token() } }).catch(() => {});
  delete check.dataset.cancel;
}

// A path that works goes into the field and is looked at like a typed one.
function usePath(event) {
  const link = event.target.closest("[data-use-path]");
  if (!link || !form) return; // elsewhere the link leads to the form
  event.preventDefault();
  field("url").value = link.dataset.usePath;
  forgetCheck();
  form.querySelector("[data-check]").click();
}

async function copyReport(event) {
  const link = event.target.closest("[data-fetch-copy]");
  if (!link || !navigator.clipboard) return; // without TLS the link opens the text
  event.preventDefault();
  const answer = await fetch(link.href);
  await navigator.clipboard.writeText(await answer.text());
  link.lastChild.textContent = "Copied";
}

if (form) {
  form.querySelector("[data-makes]").addEventListener("change", (event) => fillPath(event.target.selectedOptions[0]));
  for (const name of ["url", "username", "password"]) field(name).addEventListener("input", forgetCheck);
  form.addEventListener("keydown", onKey);
  document.body.addEventListener("htmx:afterSettle", () => {
    showCheck(document.getElementById("check"));
    for (const wrong of form.querySelectorAll('details:not([open]) [aria-invalid="true"]')) {
      wrong.closest("details").open = true;
      if (document.activeElement === document.body) wrong.focus();
    }
  });
}
document.addEventListener("click", copyReport);
document.addEventListener("click", usePath);
document.body.addEventListener("htmx:beforeRequest", (event) => event.target.matches("[data-check]") && cancelCheck());
addEventListener("pagehide", cancelCheck);
