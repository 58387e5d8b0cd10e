// The menu of a tile: its own buttons and links as a list in the page's dialog. What is not there may not be done.

import { dialogParts, openDialog } from "./dialogs.js";
import { element, icon } from "./marks.js";

const dialog = document.getElementById("dlg");

function press(node) {
  dialog.close();
  (node.isConnected ? node : document.getElementById(node.id))?.click(); // a refresh may have replaced it meanwhile
}

function item(node) {
  const isLink = node.matches("a");
  const made = element(isLink ? "a" : "button", { class: "menu-item", ...(isLink ? { href: node.href } : { type: "button" }) });
  made.append(node.querySelector("svg")?.cloneNode(true) ?? icon("device-cctv"), node.dataset.inMenu);
  if (!isLink) made.addEventListener("click", () => press(node));
  return made;
}

export function openTileMenu(tile) {
  const items = [...tile.querySelectorAll("[data-in-menu]")].map(item);
  items[0].setAttribute("autofocus", "");
  const close = element("button", { class: "btn", type: "button", "data-close": "" }, "Close");
  openDialog(...dialogParts(tile.getAttribute("aria-label"), element("div", { class: "tile-menu" }, ...items), element("div", { class: "dialog-foot" }, close)));
}
