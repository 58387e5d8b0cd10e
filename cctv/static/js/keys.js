// Shortcuts. A key clicks the visible control that carries it in data-key, so the server's permission is the only one:
//   data-key="s"   data-key="space|k"   data-key="shift+left"   data-key="12"   data-key="g w" (g, then w)
// Off inside fields, with Ctrl, Alt or Meta, and when the person switched single keys off (the account, or for this
// browser the ? dialog).

import { dialogParts, openDialog } from "./dialogs.js";
import { element, isVisible } from "./marks.js";

const WAIT = 800; // ms in which a second digit, or the letter after g, still counts
const NAMES = { " ": "space", Escape: "esc", ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
const SAID = { space: "Space", esc: "Esc", left: "←", right: "→", up: "↑", down: "↓", enter: "Enter", home: "Home", end: "End" };

let digits = "";
let digitTimer = 0;
let isGoing = false;
let goTimer = 0;

function isOff() {
  return document.body.dataset.shortcuts === "off" || localStorage.getItem("shortcuts") === "off";
}

function nameOf(event) {
  const name = NAMES[event.key] || event.key.toLowerCase();
  return event.shiftKey && name.length > 1 ? `shift+${name}` : name;
}

function carriers() {
  const scope = document.querySelector("dialog[open]") || document;
  return [...scope.querySelectorAll("[data-key]")].filter((node) => !node.disabled && isVisible(node));
}

function find(key) {
  return carriers().find((node) => node.dataset.key.split("|").includes(key));
}

function press(key) {
  const node = find(key);
  node?.click();
  return Boolean(node);
}

function isTyping(target) {
  return target.closest?.('input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable=""], [contenteditable="true"]');
}

// Space, Enter and arrows belong to the control that has the focus; a link knows no Space.
function isForControl(event) {
  const control = event.target.closest?.('a[href], button, summary, [role="slider"], input, [role="tab"]');
  if (!control) return false;
  if (control.matches('[role="slider"]:not(input)') && !event.key.startsWith("Arrow")) return false;
  return (event.key === " " && !control.matches("a")) || event.key === "Enter" || (event.key.startsWith("Arrow") && control.matches('[role="slider"], input, [role="tab"]'));
}

function digit(key) {
  clearTimeout(digitTimer);
  digits += key;
  const finish = () => {
    const number = digits;
    digits = "";
    press(number);
  };
  const longer = carriers().some((node) => node.dataset.key.split("|").some((k) => /^\d+$/.test(k) && k.length > digits.length && k.startsWith(digits)));
  if (longer) digitTimer = setTimeout(finish, WAIT);
  else finish();
}

// g waits for its letter; on a page with a g of its own (go to time) anything else means that one.
function afterG(event) {
  clearTimeout(goTimer);
  isGoing = false;
  if (press(`g ${nameOf(event)}`)) event.preventDefault();
  else press("g");
}

function startG() {
  isGoing = true;
  goTimer = setTimeout(() => {
    isGoing = false;
    press("g");
  }, WAIT);
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (isTyping(event.target) || isForControl(event) || isOff()) return;
  if (event.key === "Escape" && document.querySelector(":popover-open")) return; // closes that
  if (isGoing) return afterG(event);
  if (event.key === "?" && !document.querySelector("dialog[open]")) return showShortcuts(event);
  if (event.key === "g" && !document.querySelector("dialog[open]")) return startG();
  if (/^[0-9]$/.test(event.key)) return digit(event.key);
  const name = nameOf(event);
  if (press(name)) event.preventDefault();
}

function labelOf(node) {
  return (node.dataset.keyLabel || node.getAttribute("aria-label") || node.title || node.textContent).trim();
}

function keysOf(node) {
  return node.dataset.key.split("|").map((key) => key.split(/[ +](?=.)/).map((part) => SAID[part] || (part.length === 1 ? part.toUpperCase() : part)));
}

// The list is read from the page itself, this page's own keys first: it cannot be out of date.
function showShortcuts(event) {
  event?.preventDefault();
  const list = element("dl", { class: "key-list" });
  const nodes = carriers().sort((a, b) => a.dataset.key.startsWith("g ") - b.dataset.key.startsWith("g "));
  for (const node of nodes) {
    const combos = keysOf(node).flatMap((parts, i) => [...(i ? [" or "] : []), ...parts.flatMap((part, j) => [...(j ? [" "] : []), element("kbd", {}, part)])]);
    list.append(element("dt", {}, ...combos), element("dd", {}, labelOf(node)));
  }
  list.append(element("dt", {}, element("kbd", {}, "?")), element("dd", {}, "This list"));
  const close = element("button", { class: "btn", type: "button", "data-close": "" }, "Close");
  openDialog(...dialogParts("Keyboard shortcuts", element("div", { class: "dialog-body" }, list, offSwitch()), element("div", { class: "dialog-foot" }, close)));
  close.focus();
}

function offSwitch() {
  const box = element("input", { type: "checkbox", class: "form-check-input" });
  box.checked = !isOff();
  box.addEventListener("change", () => localStorage.setItem("shortcuts", box.checked ? "on" : "off"));
  return element("label", { class: "form-check" }, box, element("span", {}, "Use single-key shortcuts in this browser"));
}

export function watchKeys() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-shortcuts]")) return;
    document.getElementById("user-menu")?.hidePopover();
    showShortcuts();
  });
}
