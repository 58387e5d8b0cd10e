// One camera's recording in one <video>: loads a playlist around a moment and knows the wall time of the shown
// frame. Wall time is what counts: a playlist leaves gaps out, so positions come from PROGRAM-DATE-TIME.

import { loadHls } from "./library.js";

const WINDOW_MS = 3600_000; // how much one playlist spans
const LEAD_MS = 10_000; // and how much of it lies before the wanted moment
const NEAR_MS = 2000; // a moment so shortly before footage means that footage
const ASK_AGAIN_MS = 15_000; // where nothing is recorded (yet)
const BUFFER_S = 20; // at speed 1
const FASTEST = 16; // Chromium throws beyond
const USUAL_FRAME_S = 0.04;

export class Recorded {
  // locate(camera, ms): what is recorded there and next, as /playback/seek answers.
  // missing(player, fromMs, toMs, nextMs): a listed file is gone; playing goes on at nextMs, or not.
  constructor(tile, { locate, missing }) {
    Object.assign(this, { tile, locate, missing });
    this.video = tile.querySelector("video");
    this.none = tile.querySelector(".pb-none");
    this.camera = tile.dataset.camera;
    this.name = tile.dataset.name;
    this.from = this.to = 0;
    this.resumesAt = 0; // while there is nothing to show: from when it is worth asking again
    this.frameSeconds = USUAL_FRAME_S;
    this.measureFrames();
  }

  fragments() {
    return this.hls?.levels?.[Math.max(0, this.hls.currentLevel)]?.details?.fragments ?? [];
  }

  // The wall time of the shown frame. Not hls.playingDate: after a seek that is counted from the fragment before.
  now() {
    const at = this.video.currentTime;
    const all = this.fragments();
    const fragment = all.find(({ start, duration }) => at < start + duration) ?? all.at(-1);
    if (!fragment?.programDateTime || this.video.readyState < 2) return null;
    return fragment.programDateTime + Math.max(0, at - fragment.start) * 1000;
  }

  // Where a moment lies in the playlist; in a gap, where the footage after it begins.
  positionOf(ms) {
    for (const fragment of this.fragments()) {
      const start = fragment.programDateTime;
      if (start === null || start === undefined) continue;
      if (ms < start) return { at: fragment.start, ms: start };
      if (ms < start + fragment.duration * 1000) return { at: fragment.start + (ms - start) / 1000, ms };
    }
    return null;
  }

  // Resolves with whether there is footage. A newer seek takes over; `isBusy` until the last one is done.
  async seek(ms) {
    this.target = ms;
    this.isBusy = true;
    try {
      return await this.find(ms);
    } finally {
      if (this.target === ms) this.isBusy = false;
    }
  }

  async find(ms) {
    if (ms >= this.from && ms < this.to) {
      const position = this.positionOf(ms);
      if (position && position.ms - ms < NEAR_MS) {
        this.video.currentTime = position.at;
        return this.show(true);
      }
    }
    const [where, Hls] = await Promise.all([this.locate(this.camera, ms), loadHls()]);
    if (ms !== this.target) return false;
    this.hls?.destroy();
    if (where && !where.is_recorded && !(where.next_ms && where.next_ms - ms < NEAR_MS)) return this.rest(where.next_ms ?? ms + ASK_AGAIN_MS);
    return this.load(Hls, ms);
  }

  // Nothing to show until then.
  rest(resumesAt) {
    this.resumesAt = resumesAt;
    return this.show(false);
  }

  async load(Hls, ms) {
    if (!this.canPlay()) return this.show(false, "This browser cannot play the codec of this camera");
    this.from = ms - LEAD_MS;
    this.to = ms + WINDOW_MS;
    const hls = new Hls({ autoStartLoad: false, maxBufferLength: BUFFER_S, backBufferLength: 30, liveSyncDurationCount: 1, liveMaxLatencyDurationCount: Infinity });
    this.hls = hls;
    return new Promise((resolve) => {
      hls.once(Hls.Events.LEVEL_LOADED, () => {
        const position = this.positionOf(this.target);
        if (!position || position.ms - this.target >= NEAR_MS) {
          hls.destroy();
          return resolve(this.rest(position?.ms ?? this.target + ASK_AGAIN_MS));
        }
        hls.startLoad(position.at);
        resolve(this.show(true));
      });
      hls.on(Hls.Events.ERROR, (_event, problem) => this.onError(Hls, hls, problem, resolve));
      hls.loadSource(`${this.tile.dataset.base}playlist.m3u8?from=${Math.floor(this.from)}&to=${Math.floor(this.to)}`);
      hls.attachMedia(this.video);
    });
  }

  canPlay() {
    const { codec } = this.tile.dataset;
    return !codec || !window.MediaSource || MediaSource.isTypeSupported(`video/mp4; codecs="${codec}"`);
  }

  onError(Hls, hls, problem, resolve) {
    if (this.hls !== hls) return;
    if (problem.frag && problem.response?.code === 404) return this.onMissing(hls, problem.frag);
    if (!problem.fatal) return;
    if (problem.type === Hls.ErrorTypes.MEDIA_ERROR) return hls.recoverMediaError();
    hls.destroy();
    resolve(this.rest(this.target + ASK_AGAIN_MS));
  }

  // The file is listed but gone: go on after everything that is cut from it. Told once per file.
  onMissing(hls, gone) {
    const all = this.fragments();
    const lost = all.filter((fragment) => fragment.relurl === gone.relurl);
    const next = all.find((fragment) => fragment.sn > gone.sn && fragment.relurl !== gone.relurl);
    const from = (lost[0] ?? gone).programDateTime;
    const last = lost.at(-1) ?? gone;
    if (this.toldOf === gone.relurl) return;
    this.toldOf = gone.relurl;
    if (next) {
      hls.startLoad(next.start);
      this.video.currentTime = next.start + 0.01;
    } else this.show(false);
    this.missing(this, from, last.programDateTime + last.duration * 1000, next?.programDateTime);
  }

  show(isThere, why = "No recording") {
    this.none.hidden = isThere;
    this.none.querySelector("span").textContent = why;
    this.video.hidden = !isThere;
    this.isThere = isThere;
    if (!isThere) this.to = 0;
    return isThere;
  }

  setRate(rate) {
    this.video.playbackRate = Math.min(FASTEST, rate);
    if (this.hls) this.hls.config.maxBufferLength = BUFFER_S * Math.max(1, rate);
  }

  // To the middle of the next picture or the one before: at its edge rounding would decide which is shown.
  step(direction) {
    this.shownAt = (this.shownAt ?? this.video.currentTime) + direction * this.frameSeconds;
    this.video.currentTime = Math.max(0, this.shownAt + this.frameSeconds / 2);
  }

  // Where the shown picture begins and how long one stands, for stepping.
  measureFrames() {
    let before = null;
    const look = (_now, { mediaTime }) => {
      const step = mediaTime - before;
      if (before !== null && step > 0.005 && step < 1.1 && this.video.playbackRate <= 1) this.frameSeconds = step;
      before = this.shownAt = mediaTime;
      this.video.requestVideoFrameCallback?.(look);
    };
    this.video.requestVideoFrameCallback?.(look);
  }
}
