// Tiles: selection, enlarging, sound, full screen, counters, and how many pictures play at once.
// Serves the wall and the page of one camera; pictures themselves are player.js, fingers gestures.js.

import { SIDEWAYS, toggleControls, watchHolds, watchSwipes, watchTaps } from "./gestures.js";
import * as player from "./player.js";
import { watchPresses } from "./presses.js";
import { watchStills } from "./stills.js";
import { addButtons, openTileMenu } from "./tilemenu.js";
import { toast } from "./toasts.js";
import { Zoom } from "./zoom.js";

const PHONE = matchMedia("(max-width: 767px)");
const MOST_ON_PHONE = 4;
const STILL_EVERY = 10000; // ms; stills of tiles that do not play
const HIDDEN_FOR = 60000; // ms; then the pictures are let go

const wall = document.querySelector("[data-wall]");
const tiles = [...document.querySelectorAll("[data-tile]")];
const back = document.querySelector("[data-back]");
const visible = new Set();
let selected = null;
let hiddenTimer = 0;

function pictureOf(tile) {
  return tile.querySelector("[data-player]");
}

function videoOf(tile) {
  return tile.querySelector("video");
}

// --- Which pictures play -----------------------------------------------------------------------------------
function mayPlay(tile) {
  if (tile.querySelector('[data-server="off"]')) return false;
  const one = wall?.querySelector(".is-one");
  if (one) return tile === one;
  return !PHONE.matches || [...tiles].filter((other) => visible.has(other)).indexOf(tile) < MOST_ON_PHONE;
}

function settle() {
  for (const tile of tiles) {
    const wants = visible.has(tile) && mayPlay(tile) && !tile.dataset.released;
    if (wants) player.start(pictureOf(tile));
    else player.stop(pictureOf(tile));
  }
}

const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) entry.isIntersecting ? visible.add(entry.target) : visible.delete(entry.target);
    settle();
  },
  { rootMargin: "120px" },
);

function releaseAll(isReleased) {
  for (const tile of tiles) isReleased ? (tile.dataset.released = "yes") : delete tile.dataset.released;
  settle();
}

function onVisibility() {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(() => releaseAll(true), HIDDEN_FOR);
  else releaseAll(false);
}

function refreshStills() {
  if (document.hidden) return;
  for (const tile of tiles) {
    const isPlaying = tile.dataset.playerState === "playing";
    if (isPlaying || !visible.has(tile) || tile.querySelector('[data-server="off"]')) continue;
    const still = tile.querySelector(".tile-still");
    still.src = `${still.src.split("?")[0]}?m=${Math.floor(Date.now() / STILL_EVERY)}`;
  }
}

// --- Selection ---------------------------------------------------------------------------------------------
// The selected tile's buttons carry the keys: S, R and F always mean one picture.
function select(tile, { focus = false } = {}) {
  if (selected !== tile) {
    selected?.classList.remove("is-selected");
    for (const button of selected?.querySelectorAll("[data-tile-key]") || []) delete button.dataset.key;
    selected = tile;
    tile.classList.add("is-selected");
    lendKeys();
    showPause();
  }
  if (focus) tile.querySelector(".tile-name").focus({ preventScroll: false });
}

function lendKeys() {
  for (const button of selected?.querySelectorAll("[data-tile-key]") || []) button.dataset.key = button.dataset.tileKey;
}

function across() {
  return getComputedStyle(wall).gridTemplateColumns.split(" ").length;
}

const MOVES = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -across(), ArrowDown: () => across(), Home: () => -tiles.length, End: () => tiles.length };

function onArrow(event) {
  const move = MOVES[event.key];
  if (!move || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
  if (event.target.closest("input, select, textarea, dialog") || localStorage.getItem("shortcuts") === "off") return;
  const at = tiles.indexOf(selected) + move();
  const next = tiles[Math.max(0, Math.min(tiles.length - 1, at))];
  event.preventDefault();
  const one = wall.querySelector(".is-one");
  select(next, { focus: true });
  if (one) enlarge(next);
}

// --- One enlarged picture ----------------------------------------------------------------------------------
function enlarge(tile) {
  for (const other of wall.querySelectorAll(".is-one")) shrink(other);
  wall.classList.add("has-one");
  tile.classList.add("is-one");
  const picture = pictureOf(tile);
  Object.assign(picture.dataset, { gridQuality: picture.dataset.quality, quality: "main", mode: "direct" });
  player.restart(picture);
  if (back) back.hidden = false;
  select(tile);
  settle();
}

function shrink(tile) {
  tile.classList.remove("is-one");
  const picture = pictureOf(tile);
  Object.assign(picture.dataset, { quality: picture.dataset.gridQuality, mode: "hls" });
  player.restart(picture);
}

function showAll() {
  const one = wall.querySelector(".is-one");
  if (!one) return;
  wall.classList.remove("has-one");
  shrink(one);
  back.hidden = true;
  settle();
  select(one, { focus: true });
}

// To the neighbour of the enlarged one; on the page of a camera to the page of its neighbour.
function step(by) {
  if (!wall) return document.querySelector(`[data-step="${by}"]`)?.click();
  const next = tiles[tiles.indexOf(wall.querySelector(".is-one")) + by];
  if (next && wall.querySelector(".is-one")) enlarge(next);
}

// --- Sound and full screen ---------------------------------------------------------------------------------
function showSound(tile) {
  const isOn = !videoOf(tile).muted;
  const button = (tile.querySelector("[data-sound]") || document.querySelector("[data-sound]"));
  button?.setAttribute("aria-pressed", isOn);
  const use = button?.querySelector("use");
  use?.setAttribute("href", use.getAttribute("href").replace(/#.*/, isOn ? "#volume" : "#volume-off"));
}

function mute(tile, isMuted) {
  videoOf(tile).muted = isMuted;
  showSound(tile);
}

function togglePause(tile) {
  const video = videoOf(tile);
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

// One button: for the selected picture of a wall, or the only one of the page.
function showPause() {
  const button = document.querySelector("[data-pause-picture]");
  if (!button) return;
  const isPaused = (selected || tiles[0])?.dataset.playerState === "paused";
  button.setAttribute("aria-pressed", isPaused);
  const use = button.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, isPaused ? "#player-play" : "#player-pause"));
}

function toggleFull(tile) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (tile.requestFullscreen) tile.requestFullscreen();
  else videoOf(tile).webkitEnterFullscreen?.(); // iPhone: only the video itself
}

// --- Small parts -------------------------------------------------------------------------------------------
function count() {
  for (const node of document.querySelectorAll("[data-count-from]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Number(node.dataset.countFrom)) / 1000));
    const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
    node.textContent = seconds < 3600 ? `${Math.floor(seconds / 60)}:${parts[1]}` : `${Math.floor(seconds / 3600)}:${parts.join(":")}`;
  }
}

function columns(number) {
  wall.classList.toggle("is-two", number === "2");
  localStorage.setItem("wall-columns", number);
  for (const button of document.querySelectorAll("[data-columns-to]")) button.setAttribute("aria-pressed", button.dataset.columnsTo === number);
}

function coach() {
  const note = document.querySelector("[data-coach]");
  if (!note || localStorage.getItem(`coach-${note.dataset.coach}`)) return;
  note.hidden = false;
}

// A link to now, for somebody else: into the clipboard, or (without TLS there is none) opened.
async function linkToNow(event) {
  const link = event.target.closest("[data-moment]");
  if (!link) return;
  link.href = link.href.replace(/t=\d+/, `t=${Date.now()}`);
  if (!navigator.clipboard) return;
  event.preventDefault();
  await navigator.clipboard.writeText(link.href);
  toast({ level: "ok", text: "Copied the link to this moment. It works for everybody who may play this camera back." });
}

function pick(tile) {
  if (!tile.classList.contains("is-one")) return enlarge(tile);
  return SIDEWAYS.matches ? toggleControls() : showAll();
}

function onClick(event) {
  const tile = event.target.closest("[data-tile]") || (tiles[0]?.hasAttribute("data-alone") ? tiles[0] : null);
  if (event.target.closest("[data-pick]")) return pick(tile);
  if (event.target.closest("[data-menu]")) return openTileMenu(tile);
  if (event.target.closest("[data-back]")) return showAll();
  if (event.target.closest("[data-mute-all]")) return tiles.forEach((each) => mute(each, true));
  if (tile && event.target.closest("[data-sound]")) return mute(tile, !videoOf(tile).muted);
  if (event.target.closest("[data-pause-picture]")) return togglePause(selected || tiles[0]);
  if (tile && event.target.closest("[data-full]")) return toggleFull(tile);
  const to = event.target.closest("[data-columns-to]");
  if (to) return columns(to.dataset.columnsTo);
  if (event.target.closest("[data-coach-done]")) {
    localStorage.setItem("coach-wall", "done");
    event.target.closest("[data-coach]").hidden = true;
  }
}

// A click on the strip of the last hour goes to that moment.
function seekHour(event) {
  const strip = event.target.closest("[data-hour]");
  if (!strip || event.detail === 0) return; // by keyboard: the middle of the hour
  const box = strip.getBoundingClientRect();
  const { from, to, camera } = strip.dataset;
  const at = Math.round(Number(from) + ((event.clientX - box.left) / box.width) * (to - from));
  event.preventDefault();
  location.href = `/playback?cams=${camera}&t=${at}&z=1h`;
}

watchPresses();
watchStills();
for (const tile of tiles) watcher.observe(tile);
for (const node of document.querySelectorAll("[data-pick], [data-pause-picture], [data-sound], [data-full], [data-mute-all], [data-columns], [data-zoom-picture]")) node.hidden = false;
document.addEventListener("click", onClick);
document.addEventListener("click", seekHour);
document.addEventListener("click", linkToNow);
document.addEventListener("change", (event) => event.target.closest("[data-autosubmit]")?.requestSubmit());
document.addEventListener("visibilitychange", onVisibility);
document.addEventListener("player:state", showPause);
document.body.addEventListener("htmx:oobAfterSwap", lendKeys);
setInterval(count, 1000);
setInterval(refreshStills, STILL_EVERY);
const alone = document.querySelector("[data-alone]");
if (alone) {
  new Zoom(alone, videoOf(alone), document.querySelector("[data-zoom-picture]"));
  watchTaps(alone);
}
watchSwipes(wall || document.querySelector(".camera-main"), step);
if (wall) {
  tiles.forEach(addButtons);
  watchHolds(document.getElementById("main"), (node) => openTileMenu(node.closest("[data-tile]") || selected));
  document.addEventListener("keydown", onArrow);
  wall.addEventListener("focusin", (event) => select(event.target.closest("[data-tile]")));
  wall.addEventListener("pointerdown", (event) => event.target.closest("[data-tile]") && select(event.target.closest("[data-tile]")));
  columns(localStorage.getItem("wall-columns") || "1");
  coach();
  if (tiles[0]) select(tiles[0]);
}
