// Digital zoom into one picture: wheel or pinch about the pointer, drag or click to look elsewhere in it, and a
// button that steps through 1×, 2× and 4×. Only what is shown gets larger; the stream is the same.

const MOST = 8;
const STEPS = [1, 2, 4];
const CLICK_PX = 5;

export class Zoom {
  constructor(box, video, button) {
    Object.assign(this, { box, video, button, scale: 1, x: 0, y: 0, pointers: new Map() });
    box.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    box.addEventListener("pointerdown", (event) => this.onDown(event));
    box.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) box.addEventListener(name, (event) => this.onUp(event));
    button.addEventListener("click", () => this.next());
    addEventListener("resize", () => this.set(1, 0, 0));
  }

  set(scale, x, y) {
    const { clientWidth: width, clientHeight: height } = this.box;
    this.scale = Math.min(MOST, Math.max(1, scale));
    this.x = Math.min(0, Math.max(width * (1 - this.scale), x));
    this.y = Math.min(0, Math.max(height * (1 - this.scale), y));
    const isZoomed = this.scale > 1.01;
    this.video.style.transform = isZoomed ? `translate(${this.x}px, ${this.y}px) scale(${this.scale})` : "";
    this.video.toggleAttribute("data-zoomed", isZoomed);
    this.box.classList.toggle("is-zoomed", isZoomed);
    this.button.querySelector("[data-zoom-now]").textContent = `${Math.round(this.scale * 10) / 10}×`;
  }

  // The point of the picture under (x, y) of the box stays there.
  about(scale, x, y) {
    const next = Math.min(MOST, Math.max(1, scale));
    const ratio = next / this.scale;
    this.set(next, x - (x - this.x) * ratio, y - (y - this.y) * ratio);
  }

  next() {
    const step = STEPS.find((one) => one > this.scale + 0.01) ?? 1;
    this.about(step, this.box.clientWidth / 2, this.box.clientHeight / 2);
  }

  inBox({ clientX, clientY }) {
    const { left, top } = this.box.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  onWheel(event) {
    if (this.scale === 1 && event.deltaY > 0) return; // the page scrolls
    event.preventDefault();
    this.about(this.scale * (event.deltaY < 0 ? 1.25 : 0.8), ...this.inBox(event));
  }

  onDown(event) {
    if (event.button || event.target.closest("a, button")) return;
    this.pointers.set(event.pointerId, event);
    this.moved = this.pointers.size > 1 ? CLICK_PX : 0;
    if (this.scale > 1) this.box.setPointerCapture(event.pointerId);
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.pointers.set(event.pointerId, event);
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    if (other) return this.pinch(before, event, other);
    this.moved += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
    if (this.scale > 1) this.set(this.scale, this.x + event.clientX - before.clientX, this.y + event.clientY - before.clientY);
  }

  pinch(before, now, other) {
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = { clientX: (now.clientX + other.clientX) / 2, clientY: (now.clientY + other.clientY) / 2 };
    if (apart(before) > 8) this.about((this.scale * apart(now)) / apart(before), ...this.inBox(middle));
  }

  // A click without a drag: what was clicked comes to the middle.
  onUp(event) {
    const wasDown = this.pointers.delete(event.pointerId);
    if (!wasDown || event.type !== "pointerup" || this.moved >= CLICK_PX || this.scale === 1 || event.pointerType === "touch") return;
    const [x, y] = this.inBox(event);
    this.set(this.scale, this.x + this.box.clientWidth / 2 - x, this.y + this.box.clientHeight / 2 - y);
  }
}
