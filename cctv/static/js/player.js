// Live pictures: each <div data-player> gets the best way to play, and says truthfully what it shows.
// Raises player:state {state, word, text, behind_seconds} and player:expired; draws its chip, words and a button.

import { CODEC, Direct, Refused, Source } from "./direct.js";
import { loadHls } from "./library.js";
import { icon } from "./marks.js";

const FROZEN_S = 4; // without a new frame; what was loaded before plays on for two seconds more
const GIVE_UP_S = 8; // frozen this long: attach anew
const START_S = 15; // patience with the first picture; the server itself waits 10 s for it
const HIDDEN_MS = 60_000;
const OFF_SCREEN_MS = 1_000;
const HOLD_MS = 20_000;
const CONVERTED = "720p";
const WORDS = {
  connecting: "Connecting",
  playing: "Live",
  frozen: "Frozen",
  lost: "Connecting",
  away: "No picture",
  blocked: "Paused",
  paused: "Paused",
  cannot: "Cannot play here",
  expired: "Signed out",
  off: "",
};
const ICONS = { connecting: "loader-2", lost: "loader-2", playing: "circle-check", paused: "player-pause", blocked: "player-play" };
let directs = 0; // each holds one of the six connections that a browser opens to a host

class Player {
  constructor(box) {
    this.box = box;
    this.video = box.querySelector("video");
    this.abort = new AbortController(); // of everything that ends with the element
    this.state = {};
    const on = (target, name, handler) => target.addEventListener(name, handler, { signal: this.abort.signal });
    on(this.video, "pause", () => this.paused());
    on(this.video, "play", () => this.played());
    on(document, "visibilitychange", () => this.seen());
    on(window, "online", () => this.retry(0));
    this.watcher = new IntersectionObserver(([entry]) => {
      this.isOff = !entry.isIntersecting;
      this.seen();
    });
    this.watcher.observe(box);
    this.clock = setInterval(() => this.look(), 1000);
    this.begin();
  }

  // The ways to play, best first.
  order() {
    const wanted = this.box.dataset.mode || "auto";
    const all = ["direct", "ll", "hls"];
    const modes = all.slice(wanted === "auto" ? 0 : Math.max(0, all.indexOf(wanted)));
    if (!Source || directs > 0) modes.splice(0, modes[0] === "direct" ? 1 : 0);
    return modes;
  }

  get address() {
    return `${this.box.dataset.base}${this.quality}/`;
  }

  say(state, text = "", more = {}) {
    const behind_seconds = state === "playing" ? this.behind() : null;
    let word = more.word || WORDS[state];
    if (state === "playing" && Math.round(behind_seconds) > 3) word = `${word} · ${Math.round(behind_seconds)} s behind`;
    const next = { state, word, text, behind_seconds, mode: this.mode, quality: this.quality };
    const isSame = ["state", "word", "text"].every((name) => this.state[name] === next[name]);
    this.state = next;
    if (isSame) return;
    this.show(next);
    if (state === "playing" && this.note) this.write(this.note, this.press && "Keep high", this.press);
    else this.write(text, more.button, more.press);
    this.box.dispatchEvent(new CustomEvent("player:state", { bubbles: true, detail: next }));
  }

  // The chip stands in for the server's while this is not the present.
  show({ state, word }) {
    const tile = this.box.closest("[data-tile]") || this.box;
    tile.dataset.playerState = state;
    this.chip ||= document.createElement("span");
    this.chip.className = "chip player-chip";
    this.chip.replaceChildren(icon(ICONS[state] || "alert-triangle"), word);
    this.chip.hidden = state === "off" || word === WORDS.playing;
    if (!this.chip.isConnected) tile.append(this.chip);
  }

  write(text, button, press) {
    this.words?.remove();
    if (!text) return;
    const make = (name, more) => Object.assign(document.createElement(name), more);
    this.words = make("p", { className: "player-words", role: "status" });
    this.words.append(text);
    if (button) this.words.append(" ", make("button", { type: "button", className: "btn", textContent: button, onclick: press }));
    this.box.append(this.words);
  }

  behind() {
    const edge = this.mode === "direct" ? this.direct?.behind : this.hls?.latency;
    const isSettled = performance.now() - this.since > 3000;
    return edge && isSettled ? Math.round((edge + 0.1) * 10) / 10 : null;
  }

  async attach() {
    this.detach();
    if (this.isClosed || this.isAsleep) return;
    if (navigator.connection?.saveData && !this.isWanted) {
      const press = () => {
        this.isWanted = true;
        this.attach();
      };
      return this.say("blocked", "This device saves data.", { button: "Tap for live", press });
    }
    this.attached = true;
    this.frameAt = this.since = performance.now();
    this.mode = this.modes[0];
    // A reason stays until there is a picture.
    if (!["lost", "away"].includes(this.state.state)) this.say("connecting");
    const run = (this.run = new AbortController());
    try {
      if (!this.canDecode(this.box.dataset.codec)) throw new Refused(CODEC);
      if (this.mode === "direct") await this.playDirect(run.signal);
      else await this.playHls(run.signal);
    } catch (error) {
      if (run.signal.aborted) return;
      await this.failed(error);
    }
  }

  canDecode(codec) {
    if (!codec || this.quality === CONVERTED || !Source) return true;
    return Source.isTypeSupported(`video/mp4; codecs="${codec}"`);
  }

  async playDirect(signal) {
    directs += 1;
    signal.addEventListener("abort", () => (directs -= 1));
    this.direct = new Direct(this.video, () => this.lower());
    this.start();
    for (;;) {
      const startedAt = performance.now();
      await this.direct.play(`${this.address}direct.mp4`, signal);
      if (signal.aborted) return;
      if (performance.now() - startedAt < 2000) throw new Error("The stream ended at once.");
    }
  }

  async playHls(signal) {
    const Hls = await loadHls().catch(() => undefined);
    if (signal.aborted) return;
    const isLow = this.mode === "ll";
    const url = `${this.address}${isLow ? "ll" : "live"}.m3u8`;
    if (!Hls?.isSupported()) {
      if (!this.video.canPlayType("application/vnd.apple.mpegurl")) throw new Refused(CODEC);
      this.video.src = url;
      this.start();
      return;
    }
    this.hls = new Hls({
      lowLatencyMode: isLow,
      ...(isLow ? {} : { liveSyncDuration: 2, liveMaxLatencyDuration: 7 }),
      maxLiveSyncPlaybackRate: 1.08,
      backBufferLength: 6,
      maxBufferLength: 8,
      startFragPrefetch: true,
    });
    this.hls.on(Hls.Events.ERROR, (_, data) => data.fatal && !signal.aborted && this.failed(hlsError(Hls, data)));
    this.hls.loadSource(url);
    this.hls.attachMedia(this.video);
    this.start();
  }

  start() {
    this.video.play().catch((error) => {
      if (error.name !== "NotAllowedError") return;
      this.say("blocked", "Your browser wants a click before it plays.", { button: "Play", press: () => this.video.play() });
    });
    this.nextFrame();
  }

  // The picture stays; after a while its stream is let go.
  paused() {
    if (!this.attached || this.changing) return;
    this.say("paused");
    this.holdTimer = setTimeout(() => {
      this.isHeld = true;
      this.run?.abort();
      this.hls?.stopLoad();
    }, HOLD_MS);
  }

  played() {
    clearTimeout(this.holdTimer);
    if (this.isHeld) this.attach();
    else if (this.state.state === "paused") this.say("connecting");
  }

  // Once a second is enough.
  nextFrame() {
    const { video, run } = this;
    const seen = () => {
      if (run !== this.run || !this.attached) return;
      this.frameAt = performance.now();
      this.failures = 0;
      if (!video.paused) this.say("playing");
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(seen);
    else video.addEventListener("timeupdate", seen, { once: true });
  }

  look() {
    if (!this.box.isConnected) this.close(); // a fragment took the element away
    if (!this.attached || this.video.paused || document.hidden) return;
    this.nextFrame();
    const still = (performance.now() - this.frameAt) / 1000;
    if (this.state.state === "playing" && still <= FROZEN_S) return;
    if (still > FROZEN_S && ["playing", "frozen"].includes(this.state.state)) {
      this.say("frozen", "", { word: `Frozen ${Math.round(still)} s` });
    }
    if (still > (this.frameAt > this.since ? GIVE_UP_S : START_S) && !this.timer) this.failed(new Error("no new frame"));
  }

  async failed(error) {
    this.changing = true;
    this.run?.abort();
    this.failures += 1;
    const wait = Math.min(10, 2 ** (this.failures - 1));
    if (error.status === CODEC) return this.convert();
    if (error.status === 404) return this.renew();
    if (error.status) {
      this.say("away", error.message);
      return this.retry(Math.max(2, wait));
    }
    // Twice without a picture: try the next way.
    if (this.failures >= 2 && this.modes.length > 1 && !(error instanceof TypeError)) this.modes.shift();
    const isFine = !document.body.dataset.lost && this.box.closest("[data-tile]")?.querySelector('[data-server="live"]');
    const fine = isFine ? "; the camera is fine (others see it)" : "";
    this.say("lost", `This screen lost the picture${fine}. Trying again in ${wait} s.`);
    return this.retry(wait);
  }

  // To what every browser can show.
  convert() {
    if (this.quality === CONVERTED) {
      this.detach();
      return this.say("cannot", "This browser cannot show live video.");
    }
    this.quality = CONVERTED;
    this.note = "This browser cannot show H.265. The server converts it to 720p.";
    return this.attach();
  }

  lower() {
    if (this.quality !== "main" || this.keepsHigh) return;
    const high = this.quality;
    this.quality = this.box.dataset.low || "480p";
    this.note = "Your connection is too slow for high quality. Switched to low.";
    this.press = () => {
      this.keepsHigh = true;
      this.quality = high;
      this.note = undefined;
      this.attach();
    };
    this.attach();
  }

  // The address ended: ask the page for a new one.
  async renew() {
    const expired = new CustomEvent("player:expired", { bubbles: true, cancelable: true, detail: { player: this } });
    if (this.box.dispatchEvent(expired)) {
      const camera = this.box.dataset.base.split("/")[3];
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        const there = new DOMParser().parseFromString(await answer.text(), "text/html");
        const twin = [...there.querySelectorAll("[data-player]")].find((one) => one.dataset.base.split("/")[3] === camera);
        if (twin) this.box.dataset.base = twin.dataset.base;
        else return this.say("expired", "You were signed out, or this camera is no longer yours. Reload the page.");
      } catch {
        // Asked again by the next attempt.
      }
    }
    return this.retry(Math.min(30, 2 ** this.failures));
  }

  retry(seconds) {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.isClosed || (seconds === 0 && this.state.state === "playing")) return;
    this.timer = setTimeout(() => this.attach(), seconds * 1000);
  }

  // Nobody looks: let go of the stream, and of the server's thread.
  seen() {
    clearTimeout(this.sleepTimer);
    const isUnseen = this.isOff || this.isStopped || document.hidden;
    if (isUnseen && !this.isAsleep) {
      const sleep = () => {
        this.isAsleep = true;
        this.detach();
        this.say("off");
      };
      if (this.isStopped) sleep();
      else this.sleepTimer = setTimeout(sleep, this.isOff ? OFF_SCREEN_MS : HIDDEN_MS);
    } else if (!isUnseen && this.isAsleep) {
      this.isAsleep = false;
      this.attach();
    }
  }

  detach() {
    this.changing = true;
    clearTimeout(this.timer);
    clearTimeout(this.holdTimer);
    this.timer = undefined;
    this.attached = this.isHeld = false;
    this.run?.abort();
    this.hls?.destroy();
    this.direct?.close();
    if (this.hls || this.direct || this.video.src) {
      this.video.removeAttribute("src");
      this.video.load();
    }
    this.run = this.hls = this.direct = undefined;
    this.changing = false;
  }

  // Begin anew with what the element says now.
  begin() {
    this.detach();
    this.quality = this.box.dataset.quality || "main";
    this.modes = this.order();
    this.note = this.press = undefined;
    this.failures = 0;
    this.attach();
  }

  close() {
    this.isClosed = true;
    this.detach();
    this.abort.abort();
    this.watcher.disconnect();
    clearInterval(this.clock);
    clearTimeout(this.sleepTimer);
  }
}

function hlsError(Hls, data) {
  const status = data.response?.code || data.networkDetails?.status;
  if (status) return new Refused(status, data.networkDetails?.responseText?.trim().slice(0, 200) || "");
  const codecs = [Hls.ErrorDetails.BUFFER_ADD_CODEC_ERROR, Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR];
  return codecs.includes(data.details) ? new Refused(CODEC) : new Error(data.details);
}

// For pages that decide which pictures play.
export function start(box) {
  box.player ||= new Player(box);
  box.player.isStopped = false;
  box.player.seen();
}

export function stop(box) {
  if (!box.player) return;
  box.player.isStopped = true;
  box.player.seen();
}

export function restart(box) {
  if (box.player) box.player.begin();
  else start(box);
}

function follow() {
  // A wall starts its own: not all of its pictures may play.
  const boxes = [...document.querySelectorAll("[data-player]")].filter((box) => !box.closest("[data-wall]"));
  for (const box of boxes) box.player ||= new Player(box);
}

document.body.addEventListener("htmx:afterSettle", follow);
follow();
