// The timeline: pointer, zoom and pan over lanes that the server draws. Knows time and lanes, nothing of players.

import { Preview } from "./preview.js";

const DAY = 24 * 3600_000;
const ZOOMS = [DAY, 6 * 3600_000, 3600_000, 600_000];
const SHORTEST = 60_000;
const LONGEST = DAY + 3600_000; // the day on which the clocks go back
const REDRAW = 120; // ms between two drawings while the view moves; in between the old one is stretched
const DRAG_PX = 4;
const STILL_GRID = 10_000;

export class Timeline {
  // words(ms), now(), at(), seek(ms), toStart(), toEnd(): what the page knows and does; moved(): told of a new view.
  constructor(element, cameras, page) {
    Object.assign(this, { element, cameras, page });
    this.overlay = element.querySelector(".pb-overlay");
    this.head = element.querySelector("#pb-head");
    this.hover = element.querySelector("#pb-hover");
    this.preview = new Preview(element.querySelector("#pb-preview"));
    this.pointers = new Map();
    this.day = { from: Number(element.dataset.dayFrom), to: Number(element.dataset.dayTo) };
    this.readLanes();
    this.from = this.drawn.from;
    this.to = this.drawn.to;
    this.markZoom();
    if (matchMedia("(max-width: 767px)").matches && this.span > ZOOMS[1]) this.zoomTo(ZOOMS[1]);
    this.watchPointer();
    element.addEventListener("keydown", (event) => this.onKey(event));
  }

  get span() {
    return this.to - this.from;
  }

  // --- lanes --------------------------------------------------------------------------------------------------
  get lanes() {
    return this.element.querySelector("#lanes");
  }

  readLanes() {
    const { from, to } = this.lanes.dataset;
    this.drawn = { from: Number(from), to: Number(to) };
    const share = (node, name) => parseFloat(node.getAttribute(name)) / 100;
    this.facts = new Map();
    for (const lane of this.lanes.querySelectorAll(".lane")) {
      const recorded = [...lane.querySelectorAll(".recorded")].map((node) => [share(node, "x"), share(node, "x") + share(node, "width")]);
      const damaged = [...lane.querySelectorAll(".damaged")].map(({ dataset }) => ({ from: Number(dataset.start), to: Number(dataset.end), why: dataset.why }));
      const gaps = [...lane.querySelectorAll(".gap")].map(({ dataset }) => ({ from: Number(dataset.start), to: Number(dataset.end), why: dataset.why }));
      const moved = [...lane.querySelectorAll(".activity")].map(({ dataset }) => ({ from: Number(dataset.start), to: Number(dataset.end), zone: dataset.zone }));
      this.facts.set(lane.dataset.camera, { recorded, gaps, moved, damaged });
    }
    this.markMain();
  }

  // On a phone only the lane of the main camera is shown.
  markMain(camera = this.mainCamera ?? this.cameras[0]) {
    this.mainCamera = camera;
    for (const row of this.lanes.querySelectorAll(".lane-row")) row.classList.toggle("is-main", row.querySelector(".lane").dataset.camera === camera);
  }

  damageAt(camera, ms) {
    return this.facts.get(camera)?.damaged.find((file) => ms >= file.from && ms < file.to)?.why ?? "";
  }

  whyAt(camera, ms) {
    return this.facts.get(camera)?.gaps.find((gap) => ms >= gap.from && ms < gap.to)?.why ?? "";
  }

  activityAt(camera, ms) {
    const found = this.facts.get(camera)?.moved.find((mark) => ms >= mark.from && ms < mark.to);
    return found ? `activity${found.zone && ` (${found.zone})`}` : "";
  }

  isRecordedAt(camera, ms) {
    const share = (ms - this.drawn.from) / (this.drawn.to - this.drawn.from);
    return this.facts.get(camera)?.recorded.some(([start, end]) => share >= start && share < end) ?? false;
  }

  // --- view ---------------------------------------------------------------------------------------------------
  show(from, to) {
    const span = Math.max(SHORTEST, Math.min(LONGEST, to - from));
    this.from = Math.round(from);
    this.to = Math.round(from + span);
    this.stretch();
    this.markZoom();
    this.paintHead(this.page.at());
    this.page.moved();
    this.timer ??= setTimeout(() => this.redraw(), REDRAW);
  }

  async redraw() {
    this.timer = null;
    this.request?.abort();
    this.request = new AbortController();
    const query = new URLSearchParams({ cams: this.cameras.join(","), from: this.from, to: this.to });
    const answer = await fetch(`/playback/lanes?${query}`, { headers: { "HX-Request": "true" }, signal: this.request.signal }).catch(() => null);
    const text = answer?.ok ? await answer.text().catch(() => null) : null;
    if (!text) return;
    const holder = document.createElement("template");
    holder.innerHTML = text;
    this.lanes.replaceWith(holder.content.querySelector("#lanes"));
    this.readLanes();
    this.stretch();
    this.paintHead(this.page.at());
  }

  // Puts what is drawn where it belongs in the view, until it is drawn anew.
  stretch() {
    const scale = (this.drawn.to - this.drawn.from) / this.span;
    const shift = (100 * (this.drawn.from - this.from)) / this.span;
    const isExact = Math.abs(scale - 1) < 1e-6 && Math.abs(shift) < 1e-4;
    for (const svg of this.lanes.querySelectorAll("svg")) svg.style.transform = isExact ? "" : `translateX(${shift}%) scaleX(${scale})`;
  }

  markZoom() {
    this.element.setAttribute("aria-valuemin", Math.round(this.from / 1000));
    this.element.setAttribute("aria-valuemax", Math.round(this.to / 1000));
    const { from, to } = this.day;
    const isDay = this.from === from && this.to === to; // of 23 or 25 hours when the clocks change
    for (const button of document.querySelectorAll("[data-zoom]")) button.setAttribute("aria-pressed", String(Number(button.dataset.zoom) === (isDay ? DAY : this.span)));
  }

  refreshIfToday() {
    if (document.hidden || this.isDragging || this.to < this.page.now() - 60_000) return;
    this.redraw();
  }

  zoomTo(span, around = this.page.at()) {
    const { from, to } = this.day;
    if (span === DAY && around >= from && around < to) return this.show(from, to);
    const share = Math.min(1, Math.max(0, (around - this.from) / this.span));
    this.show(around - span * share, around - span * share + span);
  }

  zoomBy(factor, around = this.page.at()) {
    this.zoomTo(Math.max(SHORTEST, Math.min(DAY, this.span * factor)), around);
  }

  zoomNext() {
    this.zoomTo(ZOOMS.find((zoom) => zoom < this.span) ?? DAY);
  }

  centre(ms) {
    if (ms < this.from || ms >= this.to) this.show(ms - this.span / 2, ms + this.span / 2);
  }

  // While it plays the head may run out of the view on the right: the view follows.
  follow(before, ms) {
    if (this.isDragging || before > this.to || before < this.from || ms < this.to) return;
    this.show(ms - this.span / 10, ms - this.span / 10 + this.span);
  }

  // --- drawing ------------------------------------------------------------------------------------------------
  share(ms) {
    return (ms - this.from) / this.span;
  }

  paintHead(ms) {
    const share = this.share(ms);
    this.head.style.visibility = share < 0 || share > 1 ? "hidden" : "visible";
    for (const end of ["x1", "x2"]) this.head.setAttribute(end, `${share * 100}%`);
    const all = this.cameras.length;
    const shown = this.cameras.filter((camera) => this.isRecordedAt(camera, ms)).length;
    const text = `${this.page.words(ms)}, recorded on ${shown} of ${all} camera${all === 1 ? "" : "s"}`;
    if (text === this.said) return;
    this.said = text;
    this.element.setAttribute("aria-valuenow", Math.round(ms / 1000));
    this.element.setAttribute("aria-valuetext", text);
  }

  msAt(event) {
    const box = this.element.getBoundingClientRect();
    return this.from + ((event.clientX - box.left) / box.width) * this.span;
  }

  // --- pointer and keys ---------------------------------------------------------------------------------------
  watchPointer() {
    const { element } = this;
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.pointers.set(event.pointerId, event);
      element.setPointerCapture(event.pointerId);
      this.drag = { x: event.clientX, from: this.from, to: this.to };
    });
    element.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, (event) => this.onUp(event));
    element.addEventListener("pointerleave", () => this.hidePreview());
    element.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
  }

  onMove(event) {
    this.showPreview(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) return this.pinch([...this.pointers.values()], before);
    const moved = event.clientX - this.drag.x;
    if (Math.abs(moved) < DRAG_PX && !this.isDragging) return;
    this.isDragging = true;
    this.element.classList.add("is-dragging");
    const shift = (-moved / this.element.clientWidth) * (this.drag.to - this.drag.from);
    this.show(this.drag.from + shift, this.drag.to + shift);
  }

  onUp(event) {
    const wasClick = this.pointers.delete(event.pointerId) && !this.isDragging && event.type === "pointerup";
    if (!this.pointers.size) this.isDragging = false;
    this.element.classList.toggle("is-dragging", Boolean(this.isDragging));
    if (wasClick) this.page.seek(Math.min(this.msAt(event), this.page.now()));
    if (event.pointerType === "touch") this.hidePreview();
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
      const shift = ((event.deltaX || event.deltaY) / this.element.clientWidth) * this.span;
      this.show(this.from + shift, this.to + shift);
    } else this.zoomBy(event.deltaY > 0 ? 1.25 : 0.8, this.msAt(event));
  }

  onKey(event) {
    const steps = { ArrowLeft: -5000, ArrowRight: 5000, ArrowDown: -5000, ArrowUp: 5000, PageUp: 600_000, PageDown: -600_000 };
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in steps) this.page.seek(Math.min(this.page.at() + steps[event.key] * (event.shiftKey ? 12 : 1), this.page.now()));
    else if (event.key === "Home") this.page.toStart();
    else if (event.key === "End") this.page.toEnd();
    else return;
    event.preventDefault();
  }

  showPreview(event) {
    const ms = this.msAt(event);
    const share = this.share(ms);
    if (share < 0 || share > 1 || ms > this.page.now()) return this.hidePreview();
    const camera = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".lane-row")?.querySelector(".lane").dataset.camera ?? this.mainCamera;
    this.overlay.classList.add("is-hovering");
    for (const end of ["x1", "x2"]) this.hover.setAttribute(end, `${share * 100}%`);
    const why = this.whyAt(camera, ms);
    const width = this.element.clientWidth;
    const still = this.stillAt(camera, ms);
    const more = [this.activityAt(camera, ms), this.damageAt(camera, ms), why || (still === null ? "no recording" : "")].filter(Boolean).join(" · ");
    this.preview.show({ x: share * width, width, words: this.page.words(ms) + (more && ` · ${more}`), camera, ms: still });
  }

  // The moment whose still stands for this one: on a grid where it can be, so that stills are cached.
  stillAt(camera, ms) {
    if (!this.isRecordedAt(camera, ms)) return null;
    const onGrid = Math.floor(ms / STILL_GRID) * STILL_GRID;
    return this.isRecordedAt(camera, onGrid) ? onGrid : Math.round(ms);
  }

  hidePreview() {
    this.preview.hide();
    this.overlay.classList.remove("is-hovering");
  }
}
