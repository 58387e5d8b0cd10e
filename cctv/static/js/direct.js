// The direct stream: an endless fMP4 answer fed into Media Source Extensions, held close to the present.
// Knows one <video> and one address; when to try again and what to say is decided in player.js.

const START_S = 0.1; // from the end of what is there, for the first picture
const JUMP_S = 2; // further behind than this is not caught up by playing faster
const KEEP_S = 6; // of what was shown
const SLOW_MS = 30_000; // three jumps within this: the connection is too slow
const SETTLE_MS = 600; // the first group of pictures comes at once: follow its end

export const Source = window.ManagedMediaSource || window.MediaSource;

export const CODEC = "codec";

// With the server's status, or CODEC: this browser cannot play it.
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export class Direct {
  constructor(video, onSlow) {
    this.video = video;
    this.onSlow = onSlow; // the connection does not keep up
    this.jumps = [];
    this.target = 0.28; // seconds behind the newest fragment, as it arrives
    this.behind = 0;
    this.waiting = []; // chunks that are not appended yet
    this.onStall = () => this.firstAt && (this.target = Math.min(1, this.target + 0.05));
    video.addEventListener("waiting", this.onStall);
  }

  // Plays until the answer ends (a new run: call again, the picture stays) or something fails.
  async play(url, signal) {
    const answer = await fetch(url, { signal, cache: "no-store" });
    if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim());
    const type = answer.headers.get("Content-Type");
    const reader = answer.body.getReader();
    try {
      if (!Source.isTypeSupported(type)) throw new Refused(CODEC, type);
      if (this.type !== type || this.source?.readyState !== "open" || this.video.error) await this.open(type);
      else if (!this.buffer.updating) this.buffer.abort();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        if (this.video.error || this.failed) throw this.failed || this.video.error;
        this.waiting.push(value);
        this.append();
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  async open(type) {
    this.forget();
    this.type = type;
    this.source = new Source();
    this.video.disableRemotePlayback = true; // ManagedMediaSource asks for it
    this.url = URL.createObjectURL(this.source);
    this.video.src = this.url;
    await new Promise((resolve) => this.source.addEventListener("sourceopen", resolve, { once: true }));
    this.source.duration = Infinity;
    this.buffer = this.source.addSourceBuffer(type);
    this.buffer.addEventListener("updateend", () => {
      this.hold();
      this.append();
    });
    this.buffer.addEventListener("error", () => (this.failed = new Error("decoding failed")));
  }

  append() {
    const { buffer, waiting } = this;
    if (!buffer || buffer.updating || !waiting.length || this.source.readyState !== "open") return;
    try {
      buffer.appendBuffer(waiting[0]);
      waiting.shift();
    } catch (error) {
      if (error.name !== "QuotaExceededError") this.failed = error;
      else this.trim(1);
    }
  }

  // Keep the picture `target` behind the end of the buffer.
  hold() {
    const { video, buffer } = this;
    const ranges = buffer.buffered;
    if (!ranges.length) return;
    const last = ranges.length - 1;
    const end = ranges.end(last);
    const now = performance.now();
    if (!this.firstAt) {
      // The key frame at once, while what follows it is still being decoded.
      this.firstAt = now;
      this.isSeeking = true;
      video.currentTime = ranges.start(last);
      video.addEventListener("seeked", () => (this.isSeeking = false), { once: true });
    }
    if (this.isSeeking) return;
    this.behind = end - video.currentTime;
    const isStarting = now - this.firstAt < SETTLE_MS;
    if (video.currentTime < ranges.start(last) || this.behind > (isStarting ? 0.6 : JUMP_S)) {
      if (video.paused && !isStarting) return;
      if (!isStarting && !document.hidden) this.noteJump(now);
      video.currentTime = Math.max(ranges.start(last), end - (isStarting ? START_S : this.target));
      video.playbackRate = 1;
    } else if (!isStarting) {
      const off = this.behind - this.target;
      video.playbackRate = Math.abs(off) < 0.04 ? 1 : Math.min(1.08, Math.max(0.96, 1 + off * 0.25));
    }
    if (video.currentTime - ranges.start(0) > 2 * KEEP_S) this.trim(KEEP_S);
  }

  noteJump(now) {
    this.jumps = [...this.jumps.filter((at) => now - at < SLOW_MS), now];
    if (this.jumps.length >= 3) this.onSlow();
  }

  trim(keep) {
    const until = this.video.currentTime - keep;
    if (!this.buffer.updating && this.buffer.buffered.length && until > this.buffer.buffered.start(0)) {
      this.buffer.remove(0, until);
    }
  }

  forget() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = this.type = this.buffer = this.failed = this.firstAt = undefined;
    this.waiting = [];
  }

  close() {
    this.video.removeEventListener("waiting", this.onStall);
    this.video.playbackRate = 1;
    this.forget();
  }
}
