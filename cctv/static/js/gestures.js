// What fingers do on a picture: swipe to the next camera, hold for its menu, tap for the controls on a phone that
// lies on its side. Keys and mouse have ways of their own: arrows, the menu key, buttons that are there.

const SWIPE_PX = 60;
const SWIPE_MS = 700;
const HOLD_MS = 500;
const STILL_PX = 10;

export const SIDEWAYS = matchMedia("(orientation: landscape) and (max-height: 500px) and (pointer: coarse)");

// onSwipe(1) to the next one, onSwipe(-1) to the one before; not while the picture is zoomed.
export function watchSwipes(element, onSwipe) {
  let from = null;
  element.addEventListener("pointerdown", (event) => {
    const isFree = event.isPrimary && event.pointerType === "touch" && !element.querySelector("[data-zoomed]");
    from = isFree ? { x: event.clientX, y: event.clientY, at: event.timeStamp } : null;
  });
  element.addEventListener("pointercancel", () => (from = null));
  element.addEventListener("pointerup", (event) => {
    if (!from) return;
    const x = event.clientX - from.x;
    const isSwipe = Math.abs(x) > SWIPE_PX && Math.abs(x) > 2 * Math.abs(event.clientY - from.y) && event.timeStamp - from.at < SWIPE_MS;
    from = null;
    if (isSwipe) onSwipe(x < 0 ? 1 : -1);
  });
}

// A finger that stays, the menu key, or the right button (not on a link: there the browser's own menu is wanted).
// Without a focus the menu key means the whole page.
export function watchHolds(element, onHold) {
  let timer = 0;
  let start = null;
  let isHeld = false;
  const stop = () => clearTimeout(timer);
  element.addEventListener("pointerdown", (event) => {
    stop();
    isHeld = false;
    if (event.pointerType !== "touch" || !event.isPrimary) return;
    start = event;
    timer = setTimeout(() => {
      isHeld = true;
      onHold(event.target);
    }, HOLD_MS);
  });
  element.addEventListener("pointermove", (event) => start && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > STILL_PX && stop());
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, stop);
  document.addEventListener("contextmenu", (event) => {
    const isKey = event.button !== 2 && event.pointerType !== "touch";
    const isHere = element.contains(event.target) || (isKey && document.activeElement === document.body);
    if (!isHere || (event.button === 2 && event.target.closest("a[href]"))) return;
    event.preventDefault();
    stop();
    if (!isHeld) onHold(event.target);
  });
  // The finger that held leaves: that is no tap, neither here nor on what opened under it.
  element.addEventListener("touchend", (event) => isHeld && event.preventDefault(), { passive: false });
}

// On its side a phone shows the picture alone; a tap brings the controls and takes them away.
export function watchTaps(element) {
  element.addEventListener("click", (event) => {
    if (SIDEWAYS.matches && !event.target.closest("a, button, input, select")) toggleControls();
  });
}

export function toggleControls() {
  document.body.classList.toggle("has-controls");
}
