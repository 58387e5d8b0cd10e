// Stills: one that does not exist leaves its place black instead of a broken picture; one behind a picture that does
// not play says of when it is (the server's clock, in the answer's Server-Timing).

import { element } from "./marks.js";

const STILLS = "img[src*='/cameras/']";

function mark(image) {
  image.classList.toggle("is-missing", image.complete && !image.naturalWidth);
}

function tellAges(entries) {
  for (const { name, serverTiming = [] } of entries) {
    const taken = serverTiming.find((one) => one.name === "taken")?.description;
    const still = taken && [...document.querySelectorAll(".tile-still")].find((one) => one.src === name);
    const tile = still?.closest("[data-tile]");
    if (!tile) continue;
    tile.querySelector(".still-age")?.remove();
    tile.append(element("span", { class: "still-age" }, `Picture of ${taken}`));
  }
}

export function watchStills() {
  for (const event of ["error", "load"])
    document.addEventListener(event, (one) => one.target.matches?.(STILLS) && mark(one.target), true);
  for (const image of document.querySelectorAll(STILLS)) if (image.complete) mark(image);
  new PerformanceObserver((list) => tellAges(list.getEntries())).observe({ type: "resource", buffered: true });
}
