// The playback page: one clock, up to four players in step, and the controls. The timeline is timeline.js.
// Wall time is what counts: a playlist leaves gaps out, so positions come from PROGRAM-DATE-TIME, never from sums.

import { toast } from "./toasts.js";
import { Timeline } from "./timeline.js";

const WINDOW_MS = 3600_000; // how much one playlist spans
const LEAD_MS = 10_000; // and how much of it lies before the wanted moment
const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const QUIET_ABOVE = 4; // no sound above this speed
const LOOSE_S = 0.05; // followers within this are left alone
const TIGHT_S = 0.5; // beyond this they seek instead of hurrying

const HLS_SCRIPT = "/static/vendor/hls.light.min.js";

function loadHls() {
  if (window.Hls) return Promise.resolve(window.Hls);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = HLS_SCRIPT;
    script.onload = () => resolve(window.Hls);
    script.onerror = () => reject(new Error("The player could not be loaded."));
    document.head.append(script);
  });
}

// One camera's recording: loads a playlist around a moment and knows the wall time of the shown frame.
class Recorded {
  constructor(tile) {
    this.tile = tile;
    this.video = tile.querySelector("video");
    this.none = tile.querySelector(".pb-none");
    this.camera = tile.dataset.camera;
    this.from = this.to = 0;
    this.target = null;
  }

  details() {
    return this.hls?.levels?.[this.hls.currentLevel >= 0 ? this.hls.currentLevel : 0]?.details;
  }

  now() {
    return this.hls?.playingDate?.getTime() ?? null;
  }

  positionOf(ms) {
    for (const fragment of this.details()?.fragments ?? []) {
      const start = fragment.programDateTime;
      if (start === null || start === undefined) continue;
      if (ms < start) return { at: fragment.start, ms: start };
      if (ms < start + fragment.duration * 1000) return { at: fragment.start + (ms - start) / 1000, ms };
    }
    return null;
  }

  async seek(ms) {
    this.target = ms;
    if (ms >= this.from && ms < this.to) {
      const position = this.positionOf(ms);
      if (position && position.ms - ms < 2000) {
        this.show(true);
        this.video.currentTime = position.at;
        return true;
      }
    }
    return this.load(ms);
  }

  async load(ms) {
    const Hls = await loadHls();
    this.hls?.destroy();
    this.from = ms - LEAD_MS;
    this.to = ms + WINDOW_MS;
    const url = `${this.tile.dataset.base}playlist.m3u8?from=${Math.floor(this.from)}&to=${Math.floor(this.to)}`;
    const hls = new Hls({ autoStartLoad: false, maxBufferLength: 20, backBufferLength: 30, liveSyncDurationCount: 1, liveMaxLatencyDurationCount: Infinity, enableWorker: true });
    this.hls = hls;
    return new Promise((resolve) => {
      const finish = (isThere) => {
        this.show(isThere);
        resolve(isThere);
      };
      hls.once(Hls.Events.LEVEL_LOADED, () => {
        const position = this.positionOf(this.target);
        if (!position) return finish(false);
        hls.startLoad(position.at);
        finish(true);
      });
      hls.on(Hls.Events.ERROR, (_event, problem) => this.onError(Hls, hls, problem, finish));
      hls.loadSource(url);
      hls.attachMedia(this.video);
    });
  }

  onError(Hls, hls, problem, finish) {
    if (!problem.fatal) return;
    if (problem.details === Hls.ErrorDetails.BUFFER_APPEND_ERROR || problem.type === Hls.ErrorTypes.MEDIA_ERROR) return hls.recoverMediaError();
    hls.destroy();
    if (this.hls === hls) this.to = 0;
    finish(false);
  }

  show(isThere) {
    this.none.hidden = isThere;
    this.video.hidden = !isThere;
    this.isThere = isThere;
    if (!isThere) this.to = 0;
  }
}

class Playback {
  constructor(root) {
    this.root = root;
    this.players = [...root.querySelectorAll(".pb-tile")].map((tile) => new Recorded(tile));
    this.main = this.players[0];
    this.clock = root.querySelector("#pb-clock");
    this.said = root.querySelector("#pb-said");
    this.at = Number(root.dataset.at);
    this.speed = Number(root.dataset.speed);
    this.words = new Intl.DateTimeFormat("en-GB", { timeZone: root.dataset.zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.timeline = new Timeline(root.querySelector("#pb-timeline"), {
      words: (ms) => this.words.format(ms),
      cameras: this.players.map((player) => player.camera),
      seek: (ms) => this.seek(ms),
      at: () => this.at,
    });
    this.wire();
    this.markMain();
    this.setSpeed(this.speed);
    this.seek(this.at, { play: true });
    setInterval(() => this.beat(), 200);
    setInterval(() => this.timeline.refreshIfToday(), 15_000);
  }

  // --- time ---------------------------------------------------------------------------------------------------
  async seek(ms, { play = this.isPlaying } = {}) {
    this.at = ms;
    this.paintClock();
    const turn = (this.turn = (this.turn || 0) + 1);
    const found = await this.main.seek(ms);
    if (turn !== this.turn) return; // a newer seek took over
    if (!found) return this.offerNext(ms, play);
    this.said.textContent = "";
    for (const player of this.players) if (player !== this.main) player.seek(ms);
    if (play) this.play();
    this.remember();
  }

  async offerNext(ms, play) {
    const where = await this.where(String(ms));
    if (!where || where.error) return;
    if (where.is_recorded) return void (this.said.textContent = "This part cannot be played now. Try again in a moment.");
    this.pause();
    this.said.replaceChildren(`No recording at ${this.words.format(ms)}${where.why ? ` (${where.why})` : ""}. `);
    const offer = (label, at) => {
      const button = document.createElement("button");
      button.className = "btn";
      button.type = "button";
      button.textContent = `${label} ${this.words.format(at)}`;
      button.addEventListener("click", () => this.seek(at, { play: true }));
      this.said.append(button, " ");
    };
    if (where.next_ms) offer("Next", where.next_ms);
    if (where.previous_ms) offer("Previous", where.previous_ms);
    if (play && where.next_ms) this.afterGap = where.next_ms;
  }

  async where(text) {
    const query = new URLSearchParams({ cam: this.main.camera, t: text, near: Math.round(this.at) });
    const answer = await fetch(`/playback/seek?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }

  beat() {
    const now = this.main.now();
    if (now === null || !this.main.isThere || this.main.video.seeking) return;
    const step = now - this.at;
    if (this.isPlaying && step > 3000 + 400 * this.speed) this.sayJump(this.at, now);
    this.at = now;
    this.paintClock();
    if (this.isPlaying) this.keepStep(now);
    if (this.main.video.ended) this.continueAfter(this.main.to);
  }

  sayJump(from, to) {
    const why = this.timeline.whyAt(this.main.camera, (from + to) / 2);
    const minutes = (to - from) / 60_000;
    const length = minutes >= 1 ? `${Math.round(minutes)} min` : `${Math.round((to - from) / 1000)} s`;
    toast({ level: "info", text: `Skipped ${length} without recording${why ? ` (${why})` : ""}.` });
  }

  async continueAfter(ms) {
    const where = await this.where(String(Math.round(Math.max(ms, this.at))));
    const next = where?.is_recorded ? where.at_ms : where?.next_ms;
    if (next) this.seek(next, { play: true });
    else this.pause();
  }

  keepStep(now) {
    for (const player of this.players) {
      if (player === this.main) continue;
      const theirs = player.now();
      const isOutside = !player.isThere || now >= player.to;
      if (isOutside) {
        if (!player.isWaiting) {
          player.isWaiting = true;
          setTimeout(() => (player.isWaiting = false), 3000);
          player.seek(now).then((found) => found && this.isPlaying && player.video.play());
        }
        continue;
      }
      if (theirs === null || player.video.seeking) continue;
      const behind = (now - theirs) / 1000;
      if (Math.abs(behind) > TIGHT_S * Math.max(1, this.speed)) player.seek(now);
      else player.video.playbackRate = Math.abs(behind) < LOOSE_S ? this.speed : this.speed * (behind > 0 ? 1.05 : 0.95);
      if (player.video.paused) player.video.play().catch(() => {});
    }
  }

  paintClock() {
    this.clock.textContent = this.words.format(this.at);
    this.timeline.paintHead(this.at);
  }

  remember() {
    const query = new URLSearchParams(location.search);
    query.set("cams", this.players.map((player) => player.camera).join(","));
    query.set("t", String(Math.round(this.at)));
    query.set("speed", String(this.speed));
    history.replaceState(null, "", `/playback?${query}`);
  }

  // --- controls -----------------------------------------------------------------------------------------------
  get isPlaying() {
    return this.root.classList.contains("is-playing");
  }

  play() {
    this.root.classList.add("is-playing");
    this.root.querySelector("#pb-play").setAttribute("aria-label", "Pause");
    for (const player of this.players) {
      player.video.playbackRate = this.speed;
      if (player.isThere) player.video.play().catch(() => player === this.main && this.pause());
    }
  }

  pause() {
    this.root.classList.remove("is-playing");
    this.root.querySelector("#pb-play").setAttribute("aria-label", "Play");
    for (const player of this.players) player.video.pause();
    this.remember();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.root.querySelector("#pb-speed").value = String(speed);
    for (const player of this.players) {
      player.video.defaultPlaybackRate = player.video.playbackRate = speed;
      if (speed > QUIET_ABOVE) player.video.muted = true;
    }
  }

  faster(step) {
    const index = SPEEDS.indexOf(this.speed) + step;
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, index))]);
  }

  frame(direction) {
    if (this.isPlaying) return;
    const fps = 25;
    this.main.video.currentTime += direction / fps;
  }

  mute(button) {
    const isMuted = !this.main.video.muted;
    this.main.video.muted = isMuted;
    button.setAttribute("aria-pressed", String(!isMuted));
    button.querySelector("use").setAttribute("href", `${document.body.dataset.icons}#${isMuted ? "volume-off" : "volume"}`);
  }

  snapshot() {
    const { video } = this.main;
    if (!video.videoWidth) return;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `camera-${this.main.camera}_${new Date(this.at).toISOString().replaceAll(":", "-")}.jpg`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      toast({ level: "ok", text: `Saved the picture of ${this.words.format(this.at)}.` });
    }, "image/jpeg", 0.92);
  }

  full() {
    const stage = this.root.querySelector(".pb-stage");
    if (document.fullscreenElement) document.exitFullscreen();
    else stage.requestFullscreen?.();
  }

  markMain() {
    for (const player of this.players) player.tile.classList.toggle("is-main", player === this.main);
  }

  async goTo(text) {
    const where = await this.where(text);
    if (!where) return;
    if (where.error) return void (this.said.textContent = where.error);
    this.timeline.centre(where.at_ms);
    this.seek(where.at_ms, { play: this.isPlaying });
  }

  actions = {
    toggle: () => (this.isPlaying ? this.pause() : this.play()),
    start: () => this.timeline.firstRecorded(this.main.camera, Number(this.root.dataset.dayFrom), (ms) => this.seek(ms)),
    live: () => this.goTo(String(Date.now() - 8000)),
    back10: () => this.seek(this.at - 10_000),
    forward10: () => this.seek(this.at + 10_000),
    back5: () => this.seek(this.at - 5000),
    forward5: () => this.seek(this.at + 5000),
    back60: () => this.seek(this.at - 60_000),
    forward60: () => this.seek(this.at + 60_000),
    slower: () => this.faster(-1),
    faster: () => this.faster(1),
    "frame-back": () => this.frame(-1),
    "frame-forward": () => this.frame(1),
    mute: (button) => this.mute(button),
    snapshot: () => this.snapshot(),
    full: () => this.full(),
    "focus-time": () => this.root.querySelector("#pb-time").select(),
    "zoom-next": () => this.timeline.zoomNext(),
    "zoom-in": () => this.timeline.zoomBy(0.5),
    "zoom-out": () => this.timeline.zoomBy(2),
  };

  wire() {
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) return this.actions[button.dataset.do](button);
      const zoom = event.target.closest("[data-zoom]");
      if (zoom) return this.timeline.zoomTo(Number(zoom.dataset.zoom));
      const tile = event.target.closest(".pb-tile");
      if (tile && this.players.length > 1) {
        this.main = this.players.find((player) => player.tile === tile);
        this.markMain();
      }
      return undefined;
    });
    this.root.querySelector("#pb-speed").addEventListener("change", (event) => this.setSpeed(Number(event.target.value)));
    this.root.querySelector("#pb-goto").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = this.root.querySelector("#pb-time");
      this.goTo(field.value);
      field.blur();
    });
    document.getElementById("pb-date")?.addEventListener("change", (event) => {
      const query = new URLSearchParams(location.search);
      query.set("t", `${event.target.value}T12:00`);
      if (event.target.value) location.href = `/playback?${query}`;
    });
    document.getElementById("pb-show")?.addEventListener("click", () => {
      const picked = [...document.querySelectorAll("[data-pick]:checked")].slice(0, 4).map((box) => box.value);
      const query = new URLSearchParams({ cams: picked.join(","), t: String(Math.round(this.at)), speed: String(this.speed) });
      if (picked.length) location.href = `/playback?${query}`;
    });
  }
}

const root = document.getElementById("playback");
if (root) window.playback = new Playback(root);
