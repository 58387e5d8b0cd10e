// Icons, cookies and the security token: the small things that the other parts share.

const SPRITE = document.body.dataset.icons;
const SVG = "http://www.w3.org/2000/svg";

export const STATE_ICONS = { ok: "circle-check", info: "info-circle", warn: "alert-triangle", bad: "circle-x", unknown: "question-mark" };

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

// element("button", { class: "btn", type: "button" }, "Close"): text is always text, never markup.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function token() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

// After a sign-in in place the session has a new token: every form on the page gets it.
export function setToken(value) {
  document.querySelector('meta[name="csrf-token"]').content = value;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": value }));
  for (const field of document.querySelectorAll('input[name="csrf_token"]')) field.value = value;
}

export function isVisible(node) {
  return node.checkVisibility ? node.checkVisibility({ visibilityProperty: true }) : node.offsetParent !== null;
}

export function remember(name, value) {
  document.cookie = `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax`;
}
