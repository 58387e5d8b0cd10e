// The playback page: one clock, up to four cameras in step, and the controls. A camera's video is recorded.js, the
// timeline is timeline.js; nothing here loads or draws.

import { DayLane } from "./daylane.js";
import { watchTaps } from "./gestures.js";
import { Recorded } from "./recorded.js";
import { Timeline } from "./timeline.js";
import { element } from "./marks.js";
import { toast } from "./toasts.js";

const MOST_TRIES = 3; // of a part that is there and does not load
const AGAIN_MS = 500;
const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const QUIET_ABOVE = 4; // no sound above this speed
const LOOSE_S = 0.05; // followers within this are left alone
const TIGHT_S = 0.4; // beyond this they seek instead of hurrying
const NEWEST_MS = 8000; // so far behind now there is footage of a camera that records
const BEAT_MS = 200;
const HOUR_MS = 3600_000;
const BEFORE_TOUCH_MS = 1500; // a finger does not hover before it presses

class Playback {
  constructor(root) {
    this.root = root;
    this.at = Number(root.dataset.at);
    this.skew = Number(root.dataset.now) - Date.now(); // the server's clock is the one that dated the footage
    this.clockWords = this.format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
    this.dayWords = this.format({ day: "numeric", month: "short" });
    this.longDayWords = this.format({ weekday: "short", day: "numeric", month: "short" });
    this.isoDay = this.format({ year: "numeric", month: "2-digit", day: "2-digit" }, "en-CA");
    this.players = [...root.querySelectorAll(".pb-tile")].map((tile) => new Recorded(tile, {
      locate: (camera, ms) => this.locate(camera, ms),
      missing: (...gone) => this.sayMissing(...gone),
    }));
    this.clock = root.querySelector("#pb-clock");
    this.said = root.querySelector("#pb-said");
    this.timeline = new Timeline(root.querySelector("#pb-timeline"), this.players.map((player) => player.camera), {
      words: (ms) => this.words(ms),
      now: () => this.now(),
      at: () => this.at,
      moved: () => {
        this.dayLane?.paint();
        this.clip?.paint();
      },
      seek: (ms) => this.seek(ms),
      toStart: () => this.actions.start(),
      toEnd: () => this.actions.newest(),
    });
    this.dayLane = new DayLane(root.querySelector("#pb-mini"), {
      camera: () => this.main.camera,
      day: () => this.isoDay.format(this.at),
      view: () => this.timeline,
      go: (ms) => this.go(Math.min(ms, this.now())),
    });
    this.watchForClips();
    this.setMain(this.players[0]);
    this.setSpeed(Number(root.dataset.speed));
    this.wire();
    this.seek(this.at, { play: true });
    setInterval(() => this.beat(), BEAT_MS);
    setInterval(() => this.timeline.refreshIfToday(), 15_000);
  }

  // Most people only watch: what marks a clip is loaded when somebody is about to.
  watchForClips() {
    const bar = document.getElementById("pb-clip"); // absent where this person may not export
    if (!bar) return;
    const load = () => (this.loading ??= import("./clip.js").then(({ Clip }) => (this.clip = new Clip(this, bar))));
    this.root.addEventListener("click", async (event) => {
      const name = event.target.closest("[data-clip]")?.dataset.clip;
      if (name) (await load()).actions[name]();
    });
    this.timeline.element.addEventListener("pointerenter", load, { once: true });
    if (matchMedia("(pointer: coarse)").matches) setTimeout(load, BEFORE_TOUCH_MS);
    if (new URLSearchParams(location.search).has("sel")) load();
  }

  format(parts, language = "en-GB") {
    return new Intl.DateTimeFormat(language, { timeZone: this.root.dataset.zone, ...parts });
  }

  now() {
    return Date.now() + this.skew;
  }

  // The hour that comes twice when the clocks go back is told apart.
  words(ms) {
    const text = this.clockWords.format(ms);
    return this.clockWords.format(ms - HOUR_MS) === text ? `${text} (2nd)` : text;
  }

  // A time of the day that is shown, or with its date.
  when(ms) {
    const isToday = this.isoDay.format(ms) === this.isoDay.format(this.at);
    return isToday ? this.words(ms) : `${this.dayWords.format(ms)}, ${this.words(ms)}`;
  }

  // --- time ---------------------------------------------------------------------------------------------------
  async seek(ms, { play = this.isPlaying, tries = 0 } = {}) {
    this.at = ms;
    this.paintClock();
    const turn = (this.turn = (this.turn || 0) + 1);
    this.isSeeking = true; // what is still shown does not move the clock
    const found = await this.main.seek(ms);
    if (turn !== this.turn) return; // a newer seek took over
    this.isSeeking = false;
    if (!found) return this.offerNext(ms, { play, tries });
    this.say();
    this.root.querySelector("#pb-empty")?.remove();
    for (const player of this.players) if (player !== this.main) player.seek(ms);
    if (play) this.play();
    this.remember();
  }

  say(...content) {
    this.spoken = (this.spoken || 0) + 1;
    this.said.replaceChildren(...content);
  }

  async offerNext(ms, { play, tries }) {
    this.pause();
    for (const player of this.players) if (player !== this.main) player.seek(ms);
    const { spoken } = this;
    const where = await this.where(String(Math.round(ms)));
    if (!where || this.at !== ms || spoken !== this.spoken) return; // something newer was asked or said
    if (where.error) return this.say(where.error);
    if (this.root.querySelector("#pb-empty")) return; // says it already, with the nearest days
    if (where.is_recorded) return this.tryAgain(ms, { play, tries });
    this.say(`No recording at ${this.when(ms)}${where.why ? ` (${where.why})` : ""}. `);
    this.offer("Next", where.next_ms);
    this.offer("Previous", where.previous_ms);
  }

  // It is there, yet it did not load: a file that ends just now, or a network that coughed.
  tryAgain(ms, { play, tries }) {
    this.say(tries < MOST_TRIES ? "Loading this part again." : "This part cannot be played now. Try again in a moment.");
    const { turn } = this;
    if (tries < MOST_TRIES) setTimeout(() => turn === this.turn && this.seek(ms, { play, tries: tries + 1 }), AGAIN_MS);
  }

  offer(label, at) {
    if (!at) return;
    const button = element("button", { class: "btn", type: "button" }, `${label} ${this.when(at)}`);
    button.addEventListener("click", () => this.go(at, { play: true }));
    this.said.append(button, " ");
  }

  // To a moment that may lie outside of what the timeline shows.
  go(ms, options) {
    this.timeline.centre(ms);
    return this.seek(ms, options);
  }

  // What the server knows of a typed or clicked time; null when it does not answer.
  async where(text, camera = this.main.camera) {
    const query = new URLSearchParams({ cam: camera, t: text, near: Math.round(this.at) });
    const answer = await fetch(`/playback/seek?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.status === 404 || answer?.status === 403) return { error: `${this.main.name} is not there any more, or no longer shared with you.` };
    return answer?.ok ? answer.json() : null;
  }

  // The lanes know most of it already.
  async locate(camera, ms) {
    return this.timeline.isRecordedAt(camera, ms) ? { is_recorded: true } : this.where(String(Math.round(ms)), camera);
  }

  beat() {
    const now = this.main.now();
    if (now === null || this.isSeeking || !this.main.isThere || this.main.video.seeking) return;
    const before = this.at;
    if (this.isPlaying && now - before > 3000 + 2 * BEAT_MS * this.speed) this.sayJump(before, now);
    this.at = now;
    this.paintClock();
    if (!this.isPlaying) return;
    this.clip?.beat(now);
    this.timeline.follow(before, now);
    this.keepStep(now);
    if (this.main.video.ended || now >= this.main.to - 500) this.continueAfter();
  }

  async sayJump(from, to) {
    const middle = (from + to) / 2;
    const why = this.timeline.whyAt(this.main.camera, middle) || (await this.where(String(Math.round(middle))))?.why;
    const seconds = Math.round((to - from) / 1000);
    const length = seconds >= 90 ? `${Math.round(seconds / 60)} min` : `${seconds} s`;
    toast({ level: "info", text: `Skipped ${length} without recording${why ? ` (${why})` : ""}.` });
  }

  sayMissing(player, from, to, next) {
    toast({ level: "warn", text: `${player.name}: this part (${this.words(from)}–${this.words(to)}) is listed but its file is gone.` });
    if (player !== this.main) return;
    this.at = next ?? this.at; // no recording was skipped: do not say so too
    if (next === undefined) this.pause();
  }

  // The playlist ends here; footage may go on.
  async continueAfter() {
    if (this.isAsking) return;
    this.isAsking = true;
    const where = await this.where(String(Math.round(this.at + 500)));
    this.isAsking = false;
    const next = where?.is_recorded ? where.at_ms : where?.next_ms;
    if (next) this.seek(next, { play: true });
    else this.pause();
  }

  keepStep(now) {
    for (const player of this.players) {
      if (player === this.main || player.isBusy) continue;
      const theirs = player.now();
      if (!player.isThere || now >= player.to) this.wake(player, now);
      else if (theirs !== null && !player.video.seeking) {
        const behind = (now - theirs) / 1000;
        if (Math.abs(behind) > TIGHT_S * Math.max(1, this.speed)) player.seek(now);
        else player.setRate(Math.abs(behind) < LOOSE_S ? this.speed : this.speed * (behind > 0 ? 1.05 : 0.95));
        if (player.video.paused) player.video.play().catch(() => {});
      }
    }
  }

  // A follower without footage is asked again when there is some.
  async wake(player, now) {
    if (now < player.resumesAt && now > player.resumesAt - 3600_000) return;
    const found = await player.seek(now);
    if (found && this.isPlaying) player.video.play().catch(() => {});
  }

  paintClock() {
    const text = this.words(this.at);
    if (text !== this.clock.textContent) {
      this.clock.textContent = text;
      this.paintDay();
    }
    this.timeline.paintHead(this.at);
  }

  paintDay() {
    const day = this.isoDay.format(this.at);
    if (day === this.day) return;
    this.day = day;
    const field = document.getElementById("pb-date");
    field.value = day;
    document.getElementById("pb-day-words").textContent = this.longDayWords.format(this.at);
    this.dayLane.paint();
    for (const link of document.querySelectorAll("[data-day]")) {
      const other = new Date(`${day}T12:00Z`);
      other.setUTCDate(other.getUTCDate() + Number(link.dataset.day));
      const query = new URLSearchParams({ cams: field.form.cams.value, day: other.toISOString().slice(0, 10) });
      link.href = `/playback?${query}`;
    }
  }

  remember() {
    const query = new URLSearchParams(location.search);
    query.delete("day");
    query.set("cams", this.players.map((player) => player.camera).join(","));
    query.set("t", String(Math.round(this.at)));
    query.set("speed", String(this.speed));
    const zoom = document.querySelector('[data-zoom][aria-pressed="true"]')?.dataset.name;
    if (zoom) query.set("z", zoom);
    this.clip?.remember(query);
    history.replaceState(null, "", `/playback?${query}`);
  }

  // --- controls -----------------------------------------------------------------------------------------------
  get isPlaying() {
    return this.root.classList.contains("is-playing");
  }

  markPlaying(isPlaying) {
    this.root.classList.toggle("is-playing", isPlaying);
    this.root.querySelector("#pb-play").setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  }

  play() {
    if (!this.main.isThere) return this.seek(this.at, { play: true }).then(() => {});
    this.markPlaying(true);
    for (const player of this.players) {
      player.setRate(this.speed);
      if (player.isThere) player.video.play().catch((problem) => problem.name === "NotAllowedError" && this.pause());
    }
  }

  pause() {
    this.markPlaying(false);
    for (const player of this.players) player.video.pause();
    this.remember();
  }

  setMain(player) {
    this.main = player;
    for (const other of this.players) {
      other.tile.classList.toggle("is-main", other === player);
      other.tile.querySelector("[data-main]")?.setAttribute("aria-pressed", String(other === player));
    }
    const save = this.root.querySelector('[data-do="snapshot"]');
    if (save) save.hidden = !("snapshot" in player.tile.dataset);
    this.timeline.markMain(player.camera);
    this.dayLane.paint();
    this.setSound();
    if (this.isPlaying) this.seek(this.at, { play: true }); // it may have been without footage, or not begun
  }

  // The one before or after leads.
  lead(step) {
    const at = this.players.indexOf(this.main) + step;
    if (this.players[at]) this.setMain(this.players[at]);
  }

  setSpeed(speed) {
    this.speed = speed;
    this.root.querySelector("#pb-speed").value = String(speed);
    for (const player of this.players) {
      player.video.defaultPlaybackRate = speed;
      player.setRate(speed);
    }
    this.setSound();
  }

  faster(step) {
    const index = SPEEDS.indexOf(this.speed) + step;
    this.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, index))]);
  }

  setSound() {
    for (const player of this.players) player.video.muted = !this.hasSound || player !== this.main || this.speed > QUIET_ABOVE;
  }

  mute(button) {
    this.hasSound = !this.hasSound;
    this.setSound();
    button.setAttribute("aria-pressed", String(this.hasSound));
    button.querySelector("use").setAttribute("href", `${document.body.dataset.icons}#${this.hasSound ? "volume" : "volume-off"}`);
  }

  frame(direction) {
    if (!this.isPlaying) for (const player of this.players) if (player.isThere) player.step(direction);
  }

  snapshot() {
    const { video } = this.main;
    if (!video.videoWidth) return;
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    const taken = this.at;
    canvas.toBlob((blob) => {
      const time = `${this.isoDay.format(taken)}_${this.words(taken).replaceAll(":", "-")}`;
      const link = element("a", { href: URL.createObjectURL(blob), download: `${this.main.name.replace(/[^\p{L}\p{N}]+/gu, "-")}_${time}.jpg` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      toast({ level: "ok", text: `Saved the picture of ${this.main.name} at ${this.words(taken)}.`, picture: link.href });
    }, "image/jpeg", 0.92);
  }

  full() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.querySelector(".pb-stage").requestFullscreen?.();
  }

  async goTo(text) {
    const where = await this.where(text);
    if (!where) return this.say("The server does not answer. Try again in a moment.");
    if (where.error) return this.say(where.error);
    return this.go(where.at_ms);
  }

  // The first footage of the day, or the newest there is.
  async toFirst() {
    const dayMs = Number(this.root.dataset.dayFrom);
    const where = await this.where(String(dayMs));
    const ms = where?.is_recorded ? dayMs : where?.next_ms;
    if (ms) this.go(ms);
  }

  // To where something moves and is recorded.
  async toActivity(step) {
    const query = new URLSearchParams({ cam: this.main.camera, t: Math.round(this.at), to: step > 0 ? "next" : "previous" });
    const answer = await fetch(`/playback/activity?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
    const found = answer?.ok ? await answer.json() : null;
    if (!found) return this.say("The server does not answer. Try again in a moment.");
    if (found.at_ms) return this.go(found.at_ms, { play: true });
    return this.say(`No ${step > 0 ? "later" : "earlier"} activity is recorded on ${this.main.name}.`);
  }

  async toNewest() {
    const ms = Math.round(this.now() - NEWEST_MS);
    const where = await this.where(String(ms));
    const newest = where?.is_recorded ? ms : where?.previous_ms;
    if (newest) this.go(newest);
  }

  actions = {
    toggle: () => (this.isPlaying ? this.pause() : this.play()),
    start: () => this.toFirst(),
    newest: () => this.toNewest(),
    main: (button) => this.setMain(this.players.find((player) => player.tile.contains(button))),
    lead: (button) => this.lead(Number(button.dataset.step)),
    all: (button) => this.showCameras(button.dataset.cams),
    activity: (button) => this.toActivity(Number(button.dataset.step)),
    move: (button) => this.go(Math.min(this.at + Number(button.dataset.ms), this.now())),
    speed: (button) => this.faster(Number(button.dataset.step)),
    frame: (button) => this.frame(Number(button.dataset.step)),
    mute: (button) => this.mute(button),
    snapshot: () => this.snapshot(),
    full: () => this.full(),
    "focus-time": () => this.root.querySelector("#pb-time").select(),
    "zoom-next": () => this.timeline.zoomNext(),
    zoom: (button) => this.timeline.zoomBy(Number(button.dataset.step)),
  };

  wire() {
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) return this.actions[button.dataset.do](button);
      const zoom = event.target.closest("[data-zoom]");
      if (zoom) return this.timeline.zoomTo(Number(zoom.dataset.zoom));
      const tile = event.target.closest(".pb-tile");
      return tile && this.setMain(this.players.find((player) => player.tile === tile));
    });
    const speed = this.root.querySelector("#pb-speed");
    speed.addEventListener("change", () => {
      this.setSpeed(Number(speed.value));
      speed.blur(); // keys are for the page again
    });
    this.root.querySelector("#pb-goto").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = this.root.querySelector("#pb-time");
      field.blur();
      this.goTo(field.value);
    });
    const date = document.getElementById("pb-date");
    date.addEventListener("change", () => date.value > "2000" && date.value !== this.day && date.form.submit());
    document.getElementById("pb-cameras")?.addEventListener("submit", (event) => this.showPicked(event));
    watchTaps(this.root.querySelector(".pb-stage"));
  }

  showPicked(event) {
    event.preventDefault();
    const picked = [...document.querySelectorAll("[data-pick]:checked")].slice(0, this.root.dataset.most).map((box) => box.value);
    if (picked.length) this.showCameras(picked.join(","));
  }

  showCameras(cams) {
    const query = new URLSearchParams(location.search);
    query.set("cams", cams);
    query.set("t", String(Math.round(this.at)));
    location.href = `/playback?${query}`;
  }
}

const root = document.getElementById("playback");
if (root) window.playback = new Playback(root);
