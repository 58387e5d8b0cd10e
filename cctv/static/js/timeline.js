// The timeline: pointer, zoom and pan over lanes that the server draws. Knows time and lanes, nothing of players.

const ZOOMS = [24 * 3600_000, 6 * 3600_000, 3600_000, 600_000];
const SHORTEST = 60_000;
const LONGEST = 25 * 3600_000;
const PREVIEW_GRID = 10_000; // stills are cut to this, so that they are cached
const HOLD = 80; // ms before a still is asked for
const DRAG_PX = 4;

export class Timeline {
  constructor(element, { words, cameras, seek, at }) {
    Object.assign(this, { element, words, cameras, seek, at });
    this.overlay = element.querySelector(".pb-overlay");
    this.head = element.querySelector("#pb-head");
    this.hover = element.querySelector("#pb-hover");
    this.preview = element.querySelector("#pb-preview");
    this.readWindow();
    if (matchMedia("(max-width: 767px)").matches && this.to - this.from > ZOOMS[1]) this.zoomTo(ZOOMS[1]);
    this.watchPointer();
    element.addEventListener("keydown", (event) => this.onKey(event));
  }

  get lanes() {
    return this.element.querySelector("#lanes");
  }

  readWindow() {
    this.from = Number(this.lanes.dataset.from);
    this.to = Number(this.lanes.dataset.to);
    this.element.setAttribute("aria-valuemin", Math.round(this.from / 1000));
    this.element.setAttribute("aria-valuemax", Math.round(this.to / 1000));
    for (const button of document.querySelectorAll("[data-zoom]")) button.setAttribute("aria-pressed", String(Number(button.dataset.zoom) === this.to - this.from));
  }

  // --- window -------------------------------------------------------------------------------------------------
  show(from, to) {
    const span = Math.max(SHORTEST, Math.min(LONGEST, to - from));
    this.from = Math.round(from);
    this.to = Math.round(from + span);
    this.paintHead(this.at());
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetchLanes(), 60);
  }

  async fetchLanes() {
    this.request?.abort();
    this.request = new AbortController();
    const query = new URLSearchParams({ cams: this.cameras.join(","), from: this.from, to: this.to });
    const answer = await fetch(`/playback/lanes?${query}`, { headers: { "HX-Request": "true" }, signal: this.request.signal }).catch(() => null);
    if (!answer?.ok) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    this.lanes.replaceWith(holder.content.querySelector("#lanes"));
    this.readWindow();
    this.paintHead(this.at());
  }

  refreshIfToday() {
    if (document.hidden || this.isDragging || this.to < Date.now() - 60_000) return;
    this.fetchLanes();
  }

  zoomTo(span, around = this.at()) {
    const share = Math.min(1, Math.max(0, (around - this.from) / (this.to - this.from)));
    this.show(around - span * share, around - span * share + span);
  }

  zoomBy(factor, around = this.at()) {
    this.zoomTo(Math.max(SHORTEST, Math.min(ZOOMS[0], (this.to - this.from) * factor)), around);
  }

  zoomNext() {
    const span = this.to - this.from;
    this.zoomTo(ZOOMS.find((zoom) => zoom < span) ?? ZOOMS[0]);
  }

  centre(ms) {
    const half = (this.to - this.from) / 2;
    if (ms < this.from || ms >= this.to) this.show(ms - half, ms + half);
  }

  // --- facts of the lanes -------------------------------------------------------------------------------------
  whyAt(camera, ms) {
    for (const gap of this.lanes.querySelectorAll(`.lane[data-camera="${camera}"] .gap`)) if (ms >= Number(gap.dataset.start) && ms < Number(gap.dataset.end)) return gap.dataset.why;
    return "";
  }

  async firstRecorded(camera, fromMs, then) {
    const query = new URLSearchParams({ cam: camera, t: String(fromMs) });
    const answer = await fetch(`/playback/seek?${query}`).catch(() => null);
    const where = answer?.ok ? await answer.json() : null;
    const ms = where?.is_recorded ? where.at_ms : where?.next_ms;
    if (ms) then(ms);
  }

  // --- drawing ------------------------------------------------------------------------------------------------
  share(ms) {
    return (ms - this.from) / (this.to - this.from);
  }

  paintHead(ms) {
    const share = this.share(ms);
    this.head.style.visibility = share < 0 || share > 1 ? "hidden" : "visible";
    for (const end of ["x1", "x2"]) this.head.setAttribute(end, `${share * 100}%`);
    this.element.setAttribute("aria-valuenow", Math.round(ms / 1000));
    const why = this.cameras.map((camera) => this.whyAt(camera, ms)).filter(Boolean);
    const shown = this.cameras.length - why.length;
    this.element.setAttribute("aria-valuetext", `${this.words(ms)}, recorded on ${shown} of ${this.cameras.length} camera${this.cameras.length === 1 ? "" : "s"}`);
  }

  msAt(event) {
    const box = this.element.getBoundingClientRect();
    return this.from + ((event.clientX - box.left) / box.width) * (this.to - this.from);
  }

  // --- pointer ------------------------------------------------------------------------------------------------
  watchPointer() {
    const { element } = this;
    const pointers = new Map();
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      pointers.set(event.pointerId, event);
      element.setPointerCapture(event.pointerId);
      this.drag = { x: event.clientX, from: this.from, to: this.to };
    });
    element.addEventListener("pointermove", (event) => {
      this.showPreview(event);
      if (!pointers.has(event.pointerId)) return;
      const before = pointers.get(event.pointerId);
      pointers.set(event.pointerId, event);
      if (pointers.size === 2) return this.pinch([...pointers.values()], before);
      const moved = event.clientX - this.drag.x;
      if (Math.abs(moved) < DRAG_PX && !this.isDragging) return;
      this.isDragging = true;
      const shift = (-moved / element.getBoundingClientRect().width) * (this.drag.to - this.drag.from);
      this.show(this.drag.from + shift, this.drag.to + shift);
    });
    const up = (event) => {
      const wasClick = pointers.delete(event.pointerId) && !this.isDragging && event.type === "pointerup";
      if (!pointers.size) this.isDragging = false;
      if (wasClick) this.seek(Math.min(this.msAt(event), Date.now()));
      if (event.pointerType === "touch") this.hidePreview();
    };
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
    element.addEventListener("pointerleave", () => this.hidePreview());
    element.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  pinch([first, second], before) {
    this.isDragging = true;
    const other = first.pointerId === before.pointerId ? second : first;
    const moved = first.pointerId === before.pointerId ? first : second;
    const was = Math.abs(before.clientX - other.clientX);
    const is = Math.abs(moved.clientX - other.clientX);
    if (was > 8 && is > 8) this.zoomBy(was / is, this.msAt({ clientX: (first.clientX + second.clientX) / 2 }));
  }

  onWheel(event) {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const shift = ((event.deltaX || event.deltaY) / this.element.clientWidth) * (this.to - this.from);
      this.show(this.from + shift, this.to + shift);
    } else this.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, this.msAt(event));
  }

  onKey(event) {
    const steps = { ArrowLeft: -5000, ArrowRight: 5000, ArrowDown: -5000, ArrowUp: 5000, PageUp: 600_000, PageDown: -600_000 };
    let ms = null;
    if (event.key in steps) ms = this.at() + steps[event.key] * (event.shiftKey ? 12 : 1);
    else if (event.key === "Home") ms = this.from;
    else if (event.key === "End") ms = this.to - 1000;
    if (ms === null) return;
    event.preventDefault();
    this.seek(Math.min(ms, Date.now() - 3000));
  }

  // --- preview ------------------------------------------------------------------------------------------------
  showPreview(event) {
    const ms = this.msAt(event);
    const lane = event.target.closest?.(".lane") || document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".lane");
    const camera = lane?.dataset.camera || this.cameras[0];
    const share = this.share(ms);
    if (share < 0 || share > 1 || ms > Date.now()) return this.hidePreview();
    this.overlay.classList.add("is-hovering");
    for (const end of ["x1", "x2"]) this.hover.setAttribute(end, `${share * 100}%`);
    const why = this.whyAt(camera, ms);
    this.preview.hidden = false;
    const width = this.element.clientWidth;
    this.preview.style.left = `${Math.max(0, Math.min(width - 192, share * width - 96))}px`;
    this.preview.querySelector("figcaption").textContent = why ? `${this.words(ms)} · ${why}` : this.words(ms);
    this.askStill(camera, why ? null : Math.floor(ms / PREVIEW_GRID) * PREVIEW_GRID);
  }

  hidePreview() {
    this.preview.hidden = true;
    this.overlay.classList.remove("is-hovering");
    clearTimeout(this.stillTimer);
    this.stillRequest?.abort();
  }

  // Held for a moment, and only the newest in flight: scrubbing must not queue stills.
  askStill(camera, ms) {
    const key = `${camera} ${ms}`;
    if (key === this.stillKey) return;
    this.stillKey = key;
    const image = this.preview.querySelector("img");
    clearTimeout(this.stillTimer);
    this.stillRequest?.abort();
    if (ms === null) return void image.removeAttribute("src");
    this.stillTimer = setTimeout(async () => {
      this.stillRequest = new AbortController();
      const answer = await fetch(`/cameras/${camera}/still.jpg?t=${ms}`, { signal: this.stillRequest.signal }).catch(() => null);
      if (!answer?.ok) return void image.removeAttribute("src");
      const url = URL.createObjectURL(await answer.blob());
      image.onload = () => URL.revokeObjectURL(url);
      image.src = url;
    }, HOLD);
  }
}
