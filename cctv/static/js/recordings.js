// The list of recordings: ticks by mouse and keys, one recording opened below its row, its player.
// Works without this file: ticks are checkboxes of a form, and the name of a row leads to a page of its own.

import { loadHls } from "./library.js";
import { watchStills } from "./stills.js";

const players = new WeakMap();
let last = null; // the tick that a range starts from

function ticks() {
  return [...document.querySelectorAll('#list input[name="id"]')];
}

function showCount() {
  const all = ticks();
  const ticked = all.filter((tick) => tick.checked).length;
  const count = document.querySelector("[data-count]");
  if (count) count.textContent = ticked ? `${ticked} ticked` : "";
  const everything = document.querySelector('#list input[name="all"]');
  if (everything && !ticked) everything.checked = false;
  const head = document.querySelector("[data-tick-all]");
  if (!head) return;
  head.hidden = document.querySelector("[data-tick-words]").hidden = false;
  head.checked = ticked > 0 && ticked === all.length;
  head.indeterminate = ticked > 0 && ticked < all.length;
}

function tickRange(from, to, isOn) {
  const all = ticks();
  const [first, end] = [all.indexOf(from), all.indexOf(to)].sort((a, b) => a - b);
  for (const tick of all.slice(Math.max(0, first), end + 1)) tick.checked = isOn;
}

function onClick(event) {
  const tick = event.target.closest('#list input[name="id"]');
  if (tick) {
    if (event.shiftKey && last?.isConnected) tickRange(last, tick, tick.checked);
    last = tick;
    showCount();
  }
  const head = event.target.closest("[data-tick-all]");
  if (head) {
    for (const one of ticks()) one.checked = head.checked;
    showCount();
  }
}

// Up and down move between rows, with Shift they tick what they pass; x ticks, Enter opens, Ctrl+A ticks all.
function onKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]") || isTyping(event.target)) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") return tickEverything(event);
  if (event.ctrlKey || event.altKey || event.metaKey || isOff()) return;
  const row = event.target.closest?.(".rec-row");
  if (event.key === "x") return toggle(event, row);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") return move(event, row);
  if (event.key === "Enter" && event.target.matches('input[name="id"]')) {
    event.preventDefault();
    location.assign(row.dataset.open);
  }
}

function isTyping(target) {
  return target.closest?.("input:not([type=checkbox]), textarea, select, video");
}

function isOff() {
  return document.body.dataset.shortcuts === "off" || localStorage.getItem("shortcuts") === "off";
}

function tickEverything(event) {
  const all = ticks();
  if (!all.length) return;
  event.preventDefault();
  for (const tick of all) tick.checked = true;
  showCount();
}

function toggle(event, row) {
  const tick = row?.querySelector('input[name="id"]') || ticks()[0];
  if (!tick) return;
  event.preventDefault();
  tick.focus();
  tick.checked = row ? !tick.checked : true;
  last = tick;
  showCount();
}

function move(event, row) {
  if (!row) return;
  const all = ticks();
  const here = row.querySelector('input[name="id"]');
  const next = all[all.indexOf(here) + (event.key === "ArrowDown" ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  next.focus();
  if (event.shiftKey) {
    here.checked = next.checked = true;
    last = next;
    showCount();
  }
}

// --- One recording below its row ---------------------------------------------------------------------------

function close(button, cell) {
  players.get(cell.querySelector("video"))?.destroy();
  cell.replaceChildren();
  cell.parentElement.hidden = true;
  button.setAttribute("aria-expanded", "false");
}

function beforeRequest(event) {
  const button = event.target.closest?.("[data-expand]");
  if (!button) return;
  const cell = document.querySelector(button.getAttribute("hx-target"));
  if (cell.hasChildNodes()) {
    event.preventDefault();
    close(button, cell);
  }
}

function afterSwap(event) {
  showCount();
  const { target } = event.detail;
  const detail = target?.closest?.(".rec-detail");
  const video = target?.querySelector?.("video[data-playlist]");
  if (detail && event.detail.elt !== detail) {
    detail.hidden = false;
    detail.previousElementSibling.querySelector("[data-expand]")?.setAttribute("aria-expanded", "true");
  }
  if (video && !players.has(video)) {
    prepare(video);
    video.play().catch(() => {});
  }
}

// The playlist is fetched when somebody presses play: opening a page fetches no footage.
function prepare(video) {
  video.addEventListener("play", () => load(video), { once: true });
}

async function load(video) {
  if (players.has(video)) return;
  const { codec, playlist } = video.dataset;
  if (codec && window.MediaSource && !MediaSource.isTypeSupported(`video/mp4; codecs="${codec}"`)) return cannot(video);
  if (!window.MediaSource && video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = playlist;
    return video.play().catch(() => {});
  }
  const Hls = await loadHls();
  const hls = new Hls({ maxBufferLength: 20, backBufferLength: 30, startPosition: 0 });
  players.set(video, hls);
  hls.on(Hls.Events.ERROR, (_event, problem) => {
    if (!problem.fatal) return;
    if (problem.type === Hls.ErrorTypes.MEDIA_ERROR) return hls.recoverMediaError();
    hls.destroy();
    cannot(video, "This footage cannot be read now.");
  });
  hls.loadSource(playlist);
  hls.attachMedia(video);
  hls.once(Hls.Events.MANIFEST_PARSED, () => video.play().catch(() => {}));
}

function cannot(video, words) {
  const said = video.parentElement.querySelector(".rec-cannot");
  if (words) said.querySelector("span").textContent = words;
  said.hidden = false;
  video.hidden = true;
}

function foldFilters() {
  const filters = document.getElementById("rec-filters");
  if (filters && matchMedia("(max-width: 767.98px)").matches && !("active" in filters.dataset)) filters.open = false;
}

document.addEventListener("click", onClick);
document.addEventListener("keydown", onKey, true);
document.body.addEventListener("htmx:beforeRequest", beforeRequest);
document.body.addEventListener("htmx:afterSwap", afterSwap);
for (const video of document.querySelectorAll("video[data-playlist]")) prepare(video);
watchStills();
foldFilters();
showCount();
