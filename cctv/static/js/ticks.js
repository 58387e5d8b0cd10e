// The heartbeat of a page: raises `tick` on <body> (fragments say hx-trigger="tick from:body") and notices when the
// server is away. Never raises one while the tab is hidden or updates are paused.

import { STATE_ICONS, element, icon } from "./marks.js";
import { toast } from "./toasts.js";

const ACTIVE = 3000;
const IDLE = 15000;
const IDLE_AFTER = 60000;
const FAILURES = 3; // in a row, before the banner
const BACK_OFF = [5, 10, 20, 30]; // seconds between the tries behind the banner

const banner = document.getElementById("banner");
let lastTouch = Date.now();
let timer = 0;
let failures = 0;
let tries = 0;
let isLost = false;
// This tab's choice, else the account's.
let isPaused = (sessionStorage.getItem("paused") || document.body.dataset.paused) === "yes";

function pace() {
  return failures || Date.now() - lastTouch < IDLE_AFTER ? ACTIVE : IDLE;
}

function schedule(milliseconds = pace()) {
  clearTimeout(timer);
  if (!document.hidden && !isPaused) timer = setTimeout(beat, milliseconds);
}

async function beat() {
  if (isLost) return tryAgain();
  // A page whose fragments ask anyway needs no question of its own.
  if (document.querySelector('[hx-trigger*="tick"]')) document.body.dispatchEvent(new CustomEvent("tick"));
  else note(await isServerThere());
  schedule();
}

async function isServerThere() {
  try {
    const answer = await fetch("/alive", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    return answer.ok;
  } catch {
    return false;
  }
}

function note(isFine) {
  failures = isFine ? 0 : failures + 1;
  if (failures >= FAILURES && !isLost) lose();
}

function lose() {
  isLost = true;
  tries = 0;
  greyChips();
  document.body.dataset.lost = "yes";
  document.body.dispatchEvent(new CustomEvent("connection-lost"));
  wait();
}

// Counts down in the banner, then asks once.
function wait() {
  const seconds = BACK_OFF[Math.min(tries, BACK_OFF.length - 1)];
  banner.replaceChildren(icon("plug-connected-x"), element("span", {}, `Connection lost. Trying again in ${seconds} s. What you typed stays here.`));
  banner.hidden = false;
  schedule(seconds * 1000);
}

async function tryAgain() {
  if (!(await isServerThere())) {
    tries += 1;
    return wait();
  }
  isLost = false;
  failures = 0;
  banner.hidden = true;
  restoreChips();
  delete document.body.dataset.lost;
  toast({ level: "ok", text: "Connected again." });
  document.body.dispatchEvent(new CustomEvent("connection-back"));
  beat();
}

// A state that nobody refreshes is not a state: it reads Unknown until the server answers.
function greyChips() {
  for (const chip of document.querySelectorAll(".chip[data-state]")) {
    const use = chip.querySelector("use");
    const word = chip.querySelector(".chip-word");
    Object.assign(chip.dataset, { heldClass: chip.className, heldWord: word.textContent, heldIcon: use.getAttribute("href") });
    chip.className = "chip chip-unknown";
    word.textContent = "Unknown";
    use.setAttribute("href", chip.dataset.heldIcon.replace(/#.*/, `#${STATE_ICONS.unknown}`));
  }
}

function restoreChips() {
  for (const chip of document.querySelectorAll(".chip[data-held-class]")) {
    chip.className = chip.dataset.heldClass;
    chip.querySelector(".chip-word").textContent = chip.dataset.heldWord;
    chip.querySelector("use").setAttribute("href", chip.dataset.heldIcon);
    for (const name of ["heldClass", "heldWord", "heldIcon"]) delete chip.dataset[name];
  }
}

function pause(button) {
  isPaused = !isPaused;
  sessionStorage.setItem("paused", isPaused ? "yes" : "no");
  showPause(button);
  if (isPaused) clearTimeout(timer);
  else beat();
}

function showPause(button) {
  button.setAttribute("aria-pressed", isPaused);
  button.querySelector("span").textContent = isPaused ? "Go on with updates" : "Pause updates";
}

export function watchTicks() {
  for (const event of ["pointermove", "pointerdown", "keydown", "scroll"])
    addEventListener(event, () => {
      const wasIdle = Date.now() - lastTouch > IDLE_AFTER;
      lastTouch = Date.now();
      if (wasIdle && !isLost) beat();
    }, { passive: true });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : !isPaused && beat()));
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.requestConfig?.triggeringEvent?.type === "tick") note(event.detail.xhr.status > 0 && event.detail.xhr.status < 500);
  });
  const button = document.querySelector("[data-pause]");
  if (button) {
    button.addEventListener("click", () => pause(button));
    showPause(button);
  }
  schedule();
}
