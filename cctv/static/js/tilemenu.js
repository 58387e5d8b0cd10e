// The menu of a tile: its own buttons and links as a list in the page's dialog. What is not there may not be done.
// What all tiles have alike comes from one <template id="tile-more">, with 0 in the place of the camera.

import { dialogParts, openDialog } from "./dialogs.js";
import { element, icon } from "./marks.js";

const dialog = document.getElementById("dlg");
const more = document.getElementById("tile-more")?.content;

function press(node) {
  dialog.close();
  (node.isConnected ? node : document.getElementById(node.id))?.click(); // a refresh may have replaced it meanwhile
}

function item(node) {
  const isLink = node.matches("a");
  const made = element(isLink ? "a" : "button", { class: "menu-item", ...(isLink ? { href: node.href } : { type: "button" }) });
  made.append(node.querySelector("svg")?.cloneNode(true) ?? icon("device-cctv"), isLink ? "Open" : node.title.replace(/ \(.*/, ""));
  if (!isLink) made.addEventListener("click", () => press(node));
  return made;
}

function links(tile) {
  const id = tile.id.replace("tile-", "");
  const allowed = [...more.querySelectorAll("a")].filter((link) => tile.dataset.may.split(" ").includes(link.dataset.needs));
  return allowed.map((link) => {
    const made = link.cloneNode(true);
    made.setAttribute("href", link.getAttribute("href").replace(/(?<=[/=])0(?=$|\/)/, id));
    return made;
  });
}

export function openTileMenu(tile) {
  const items = [...tile.querySelectorAll(".tile-name, [data-tile-key]")].map(item).concat(links(tile));
  items[0].setAttribute("autofocus", "");
  const close = element("button", { class: "btn", type: "button", "data-close": "" }, "Close");
  openDialog(...dialogParts(tile.getAttribute("aria-label"), element("div", { class: "tile-menu" }, ...items), element("div", { class: "dialog-foot" }, close)));
}

// What needs this script: sound, full screen, and the menu for who has no menu key and no right button.
export function addButtons(tile) {
  const buttons = [...more.querySelectorAll("button")].map((button) => button.cloneNode(true));
  for (const button of buttons) button.setAttribute("aria-label", button.getAttribute("aria-label") + tile.getAttribute("aria-label"));
  tile.querySelector(".tile-actions").append(...buttons);
}
