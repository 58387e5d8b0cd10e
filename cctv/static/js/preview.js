// The still over the pointer on the timeline. Held for a moment, and only the newest in flight: scrubbing must not
// queue stills.

const HOLD = 80; // ms before a still is asked for
const WIDTH = 192;
const MOST_KEPT = 100; // stills, about 10 kB each; in this page only: no cache may store footage

export class Preview {
  constructor(element) {
    this.element = element;
    this.image = element.querySelector("img");
    this.words = element.querySelector("figcaption");
    this.kept = new Map();
  }

  // `ms` is null where there is no picture: then the words stand alone.
  show({ x, width, words, camera, ms }) {
    this.element.hidden = false;
    this.element.style.left = `${Math.max(0, Math.min(width - WIDTH, x - WIDTH / 2))}px`;
    this.words.textContent = words;
    this.ask(camera, ms);
  }

  hide() {
    this.element.hidden = true;
    this.forget();
    this.key = null;
  }

  forget() {
    clearTimeout(this.timer);
    this.request?.abort();
  }

  ask(camera, ms) {
    const key = `${camera} ${ms}`;
    if (key === this.key) return;
    this.key = key;
    this.forget();
    if (ms === null) this.image.removeAttribute("src");
    else if (this.kept.has(key)) this.paint(this.kept.get(key));
    else this.timer = setTimeout(() => this.fetch(camera, ms), HOLD);
  }

  async fetch(camera, ms) {
    this.request = new AbortController();
    const { signal } = this.request;
    try {
      const answer = await fetch(`/cameras/${camera}/still.jpg?t=${ms}`, { signal });
      if (!answer.ok) return this.image.removeAttribute("src");
      const still = await answer.blob();
      this.keep(`${camera} ${ms}`, still);
      if (!signal.aborted) this.paint(still);
    } catch {
      // Aborted for a newer one, or the server is away: the time alone is shown.
      if (!signal.aborted) this.image.removeAttribute("src");
    }
  }

  paint(still) {
    const url = URL.createObjectURL(still);
    this.image.onload = () => URL.revokeObjectURL(url);
    this.image.src = url;
  }

  keep(key, still) {
    this.kept.set(key, still);
    if (this.kept.size > MOST_KEPT) this.kept.delete(this.kept.keys().next().value);
  }
}
