// On a phone: the whole day of the main camera as a small lane, with the part that the timeline shows framed in it.
// A tap goes there. What it does the timeline can do too, so that it is no second control for keys and readers.

const AGAIN_MS = 60_000;
const PHONE = matchMedia("(max-width: 767px)");

export class DayLane {
  // camera(), day(), view(): what is shown now; go(ms): to a moment.
  constructor(element, page) {
    Object.assign(this, { element, page });
    this.lane = element.querySelector(".pb-mini-lane");
    this.frame = element.querySelector(".pb-mini-view");
    element.addEventListener("click", (event) => this.onTap(event));
    PHONE.addEventListener("change", () => this.paint());
    setInterval(() => document.hidden || this.draw(), AGAIN_MS);
  }

  // Draws anew for another camera or day; else only the frame moves.
  paint() {
    if (!PHONE.matches) return;
    const shown = `${this.page.camera()} ${this.page.day()}`;
    if (shown !== this.shown) this.draw();
    if (!this.from) return;
    const { from, to } = this.page.view();
    const share = (ms) => (100 * Math.min(Math.max(ms - this.from, 0), this.to - this.from)) / (this.to - this.from);
    this.frame.style.left = `${share(from)}%`;
    this.frame.style.width = `${share(to) - share(from)}%`;
  }

  async draw() {
    if (!PHONE.matches) return;
    const camera = this.page.camera();
    const query = new URLSearchParams({ cams: camera, day: this.page.day() });
    this.shown = `${camera} ${this.page.day()}`;
    const answer = await fetch(`/playback/lanes?${query}`, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!answer?.ok || this.shown !== `${camera} ${this.page.day()}`) return;
    const holder = document.createElement("template");
    holder.innerHTML = (await answer.text()).replaceAll("hatch-", "mini-hatch-"); // an id is there once
    const lanes = holder.content.querySelector("#lanes");
    this.from = Number(lanes.dataset.from);
    this.to = Number(lanes.dataset.to);
    this.lane.replaceChildren(lanes.querySelector(".lane"));
    this.paint();
  }

  onTap(event) {
    if (!this.from) return;
    const box = this.lane.getBoundingClientRect();
    this.page.go(this.from + ((event.clientX - box.left) / box.width) * (this.to - this.from));
  }
}
