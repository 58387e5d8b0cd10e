// A clip of the timeline: its start and end by keys, fields, handles, Shift and the mouse, or a long press; what it
// would weigh; and the dialog that exports it. Plays nothing and draws no lane.

const LONG_PRESS_MS = 550;
const SLACK_PX = 8; // a finger is never quite still
const AROUND_MS = 30_000; // a first clip around the moment that is shown
const SHORTEST_MS = 1000;
const WEIGH_AFTER_MS = 400;
const STEP_MS = 1000;

export class Clip {
  constructor(page, bar) {
    Object.assign(this, { page, bar, from: null, to: null });
    this.layer = document.getElementById("pb-selection");
    this.handles = { from: this.layer.querySelector('[data-side="from"]'), to: this.layer.querySelector('[data-side="to"]') };
    this.fields = { from: bar.querySelector("#clip-from"), to: bar.querySelector("#clip-to") };
    this.weight = bar.querySelector(".pb-clip-weight");
    this.cameras = page.players.filter((player) => "export" in player.tile.dataset);
    this.isoWords = new Intl.DateTimeFormat("sv-SE", { timeZone: page.root.dataset.zone, dateStyle: "short", timeStyle: "medium" });
    for (const side of ["from", "to"]) this.watchSide(side);
    this.watchTimeline(page.timeline.element);
    const marked = new URLSearchParams(location.search).get("sel")?.match(/^(\d{12,15})-(\d{12,15})$/);
    if (marked) this.set(Number(marked[1]), Number(marked[2]));
  }

  get isWhole() {
    return this.from !== null && this.to !== null;
  }

  actions = {
    start: () => this.mark("from", this.page.at),
    end: () => this.mark("to", this.page.at),
    make: () => this.make(),
    lock: () => this.isWhole && this.openDialog("/recordings/hold"),
    play: () => this.play(),
    drop: () => this.set(null, null),
  };

  // --- marking ------------------------------------------------------------------------------------------------
  mark(side, ms) {
    const other = side === "from" ? this.to : this.from;
    const fits = other === null || (side === "from" ? ms <= other - SHORTEST_MS : ms >= other + SHORTEST_MS);
    const kept = fits ? other : null; // a start behind the end begins a new clip
    if (side === "from") this.set(ms, kept);
    else this.set(kept, ms);
  }

  set(from, to) {
    const newest = this.page.now();
    this.from = from === null ? null : Math.round(Math.min(from, newest - SHORTEST_MS));
    this.to = to === null ? null : Math.round(Math.min(to, newest));
    if (this.isWhole && this.to - this.from < SHORTEST_MS) this.to = this.from + SHORTEST_MS;
    this.until = null;
    this.paint();
    this.page.remember();
    clearTimeout(this.timer);
    this.weight.textContent = "";
    if (this.isWhole) this.timer = setTimeout(() => this.weigh(), WEIGH_AFTER_MS);
  }

  // C: exports what is marked; with nothing marked it marks what is around this moment.
  make() {
    const { at } = this.page;
    if (this.isWhole) this.openDialog();
    else if (this.from !== null && at > this.from) this.set(this.from, at);
    else if (this.to !== null && at < this.to) this.set(at, this.to);
    else this.set(at - AROUND_MS, at + AROUND_MS);
  }

  openDialog(path = "/exports/new") {
    const query = new URLSearchParams({ cams: this.cameras.map((player) => player.camera).join(","), from: this.from, to: this.to, stay: "1" });
    htmx.ajax("GET", `${path}?${query}`, { target: "#dlg", swap: "innerHTML" });
  }

  play() {
    if (!this.isWhole) return;
    const { to } = this;
    this.page.go(this.from, { play: true }).then(() => (this.until = to));
  }

  // The clip is over: what is played stops at its end, once.
  beat(ms) {
    if (!this.until || ms < this.until) return;
    this.until = null;
    this.page.pause();
  }

  async weigh() {
    this.request?.abort();
    this.request = new AbortController();
    const query = new URLSearchParams(this.cameras.map((player) => ["cameras", player.camera]));
    for (const [name, ms] of [["started", this.from], ["ended", this.to]]) {
      query.set(name, this.isoWords.format(ms).replace(" ", "T"));
      query.set(`${name}_ms`, ms);
    }
    const answer = await fetch(`/exports/estimate?${query}`, { headers: { "HX-Request": "true" }, signal: this.request.signal }).catch(() => null);
    const text = answer?.ok ? await answer.text().catch(() => "") : "";
    const holder = document.createElement("template");
    holder.innerHTML = text;
    this.weight.replaceChildren(...(holder.content.querySelector("#export-estimate")?.children ?? []));
  }

  // --- drawing ------------------------------------------------------------------------------------------------
  paint() {
    const { timeline } = this.page;
    const isMarked = this.from !== null || this.to !== null;
    this.bar.hidden = !isMarked;
    this.layer.hidden = !isMarked;
    if (!isMarked) return;
    for (const side of ["from", "to"]) this.paintSide(side, timeline.share(this[side]));
    const band = this.layer.querySelector(".pb-band");
    const [start, end] = [timeline.share(this.from), timeline.share(this.to)].map((share) => Math.min(1, Math.max(0, share)));
    band.hidden = !this.isWhole || end <= start;
    Object.assign(band.style, { left: `${start * 100}%`, width: `${(end - start) * 100}%` });
    for (const button of this.bar.querySelectorAll("[data-when]")) button.disabled = !this.isWhole;
    this.bar.querySelector(".pb-clip-what").textContent = this.said();
  }

  paintSide(side, share) {
    const ms = this[side];
    const handle = this.handles[side];
    handle.hidden = ms === null || share < 0 || share > 1;
    handle.style.left = `${share * 100}%`;
    const words = ms === null ? "" : this.page.words(ms);
    handle.setAttribute("aria-valuenow", Math.round((ms ?? 0) / 1000));
    handle.setAttribute("aria-valuetext", words);
    if (document.activeElement !== this.fields[side]) this.fields[side].value = words.slice(0, 8);
  }

  said() {
    if (this.from === null) return "Now mark the start with [";
    if (this.to === null) return "Now mark the end with ]";
    const more = this.cameras.length - 1;
    const seconds = Math.round((this.to - this.from) / 1000);
    const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const length = [parts[0] && `${parts[0]} h`, (parts[0] || parts[1]) && `${parts[1]} min`, `${parts[2]} s`].filter(Boolean).join(" ");
    return `${this.cameras[0].name}${more ? ` + ${more} camera${more === 1 ? "" : "s"}` : ""} · ${length}`;
  }

  remember(query) {
    if (this.isWhole) query.set("sel", `${this.from}-${this.to}`);
    else query.delete("sel");
  }

  // --- fields, handles, timeline ------------------------------------------------------------------------------
  watchSide(side) {
    const field = this.fields[side];
    const handle = this.handles[side];
    field.addEventListener("change", async () => {
      const query = new URLSearchParams({ cam: this.cameras[0].camera, t: field.value, near: this[side] ?? Math.round(this.page.at) });
      const answer = await fetch(`/playback/seek?${query}`, { headers: { Accept: "application/json" } }).catch(() => null);
      const found = answer?.ok ? await answer.json() : null;
      field.blur();
      if (found?.at_ms) this.mark(side, found.at_ms);
      else {
        this.page.say(found?.error ?? "The server does not answer. Try again in a moment.");
        this.paint();
      }
    });
    field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      this.held = this[side] - this.page.timeline.msAt(event); // a handle is wider than its line
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => handle.hasPointerCapture(event.pointerId) && this.drag(side, this.page.timeline.msAt(event) + this.held));
    handle.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -STEP_MS, ArrowDown: -STEP_MS, ArrowRight: STEP_MS, ArrowUp: STEP_MS };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.drag(side, this[side] + steps[event.key] * (event.shiftKey ? 10 : 1));
    });
  }

  // A handle stops at the other one.
  drag(side, ms) {
    if (side === "from") this.set(this.to === null ? ms : Math.min(ms, this.to - SHORTEST_MS), this.to);
    else this.set(this.from, this.from === null ? ms : Math.max(ms, this.from + SHORTEST_MS));
  }

  watchTimeline(element) {
    const { timeline } = this.page;
    element.addEventListener("pointerdown", (event) => this.onDown(event, element, timeline), true);
    element.addEventListener("pointermove", (event) => this.onMove(event, timeline), true);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, (event) => this.onUp(event), true);
    element.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
  }

  onDown(event, element, timeline) {
    if (event.pointerType === "touch") return this.press(event, timeline);
    if (!event.shiftKey || event.button) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    this.anchor = { id: event.pointerId, ms: timeline.msAt(event) };
  }

  press(event, timeline) {
    clearTimeout(this.pressing);
    this.pressed = { x: event.clientX, y: event.clientY };
    this.pressing = setTimeout(() => {
      timeline.isDragging = true; // lifting the finger is no click then
      navigator.vibrate?.(15);
      const ms = timeline.msAt(event);
      if (this.isWhole) this.set(ms, null); // a third press begins anew
      else this.mark(this.from === null ? "from" : "to", ms);
    }, LONG_PRESS_MS);
  }

  onMove(event, timeline) {
    if (this.pressed && Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y) > SLACK_PX) clearTimeout(this.pressing);
    if (this.anchor?.id !== event.pointerId) return;
    event.stopImmediatePropagation();
    const ms = timeline.msAt(event);
    if (Math.abs(ms - this.anchor.ms) >= SHORTEST_MS) this.set(Math.min(ms, this.anchor.ms), Math.max(ms, this.anchor.ms));
  }

  onUp(event) {
    clearTimeout(this.pressing);
    this.pressed = null;
    if (this.anchor?.id !== event.pointerId) return;
    event.stopImmediatePropagation();
    this.anchor = null;
  }
}
