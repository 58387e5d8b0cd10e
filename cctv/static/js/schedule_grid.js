// The week as a grid: draws it and tells what a mouse, a finger or the keys mark on it. It changes no week itself.

import { clock, DAYS, FILLS, QUARTERS } from "./schedule_week.js";

const WORDS = { off: "off", continuous: "continuous", activity: "on activity" };
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const PHONE_LINE = 24; // quarters in a line of a phone: six hours

function make(tag, className, attributes = {}, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

export class Grid {
  // on: {mark(from, to, isDone, isToggle), day(number), hour(number), fill(number), undo(isRedo), say(text)}
  constructor(root, on) {
    this.root = root;
    this.on = on;
    this.step = 2;
    this.cells = [];
    this.cursor = { day: 0, at: 32 };
    this.anchor = null;
    this.build();
    root.addEventListener("pointerdown", (event) => this.press(event));
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("focusin", (event) => this.focused(event));
  }

  build() {
    this.root.setAttribute("role", "grid");
    this.root.classList.add("is-coarse");
    this.root.setAttribute("aria-label", "The week. Arrows move, Space paints, Shift with arrows extends, 1 2 3 choose what to paint.");
    const head = make("div", "grid-head", { role: "row" });
    head.append(make("span", "grid-corner", { role: "columnheader" }, ""));
    const hours = make("span", "grid-hours", { role: "presentation" });
    for (let hour = 0; hour < 24; hour++) {
      const cell = make("span", "", { role: "columnheader" });
      const button = make("button", "grid-hour", { type: "button", title: `Paint ${clock(hour * 4)} to ${clock(hour * 4 + 4)} on every day`, tabindex: -1 }, String(hour).padStart(2, "0"));
      button.addEventListener("click", () => this.on.hour(hour));
      cell.append(button);
      hours.append(cell);
    }
    head.append(hours);
    this.root.append(head);
    this.rows = DAYS.map((name, day) => this.buildDay(name, day));
    this.root.append(...this.rows);
    this.show(0);
    this.rove();
  }

  buildDay(name, day) {
    const row = make("div", "grid-row", { role: "row" });
    const header = make("span", "grid-day", { role: "rowheader" });
    const button = make("button", "", { type: "button", title: `Paint all of ${name}`, tabindex: -1 }, name.slice(0, 3));
    button.append(make("span", "visually-hidden", {}, `${name.slice(3)}: paint all day`));
    button.addEventListener("click", () => this.on.day(day));
    header.append(button);
    const quarters = make("div", "quarters", { role: "presentation" });
    for (let at = 0; at < QUARTERS; at++) {
      const cell = make("span", "quarter", { role: "gridcell", tabindex: -1 });
      if (at % 4 === 0) cell.dataset.hour = clock(at).slice(0, 2);
      cell.dataset.fill = "0";
      this.cells.push(cell);
      quarters.append(cell);
    }
    row.append(header, quarters);
    return row;
  }

  // Draws a week; only what differs is touched.
  draw(week, shown = null) {
    this.week = week;
    this.cells.forEach((cell, index) => {
      const fill = String(week[index]);
      if (cell.dataset.fill !== fill) cell.dataset.fill = fill;
      cell.classList.toggle("is-marked", Boolean(shown) && this.isInside(index, shown));
    });
    this.name(this.cellOfCursor());
  }

  isInside(index, { from, to }) {
    const [day, at] = [Math.floor(index / QUARTERS), index % QUARTERS];
    return day >= Math.min(from.day, to.day) && day <= Math.max(from.day, to.day) && at >= Math.min(from.start, to.start) && at < Math.max(from.end, to.end);
  }

  mark(day, minutes) {
    this.cells.forEach((cell) => cell.classList.remove("is-now"));
    this.cells[day * QUARTERS + Math.floor(minutes / 15)].classList.add("is-now");
  }

  // On a phone one day at a time.
  show(day) {
    this.rows.forEach((row, number) => row.classList.toggle("is-shown", number === day));
    this.cursor = { ...this.cursor, day };
    this.rove();
  }

  setStep(step) {
    this.step = step;
    this.root.classList.toggle("is-coarse", step > 1);
    this.cursor.at -= this.cursor.at % step;
    this.rove();
  }

  spot(day, at) {
    const start = at - (at % this.step);
    return { day, start, end: start + this.step };
  }

  isPhone() {
    return getComputedStyle(this.root).getPropertyValue("--one-day").trim() === "yes";
  }

  // What lies under a pointer; outside the grid the nearest.
  under({ clientX, clientY }) {
    const clamp = (value, most) => Math.max(0, Math.min(most, Math.floor(value)));
    if (this.isPhone()) {
      const day = this.rows.findIndex((row) => row.classList.contains("is-shown"));
      const box = this.rows[day].querySelector(".quarters").getBoundingClientRect();
      const line = clamp(((clientY - box.top) / box.height) * 4, 3);
      return this.spot(day, line * PHONE_LINE + clamp(((clientX - box.left) / box.width) * PHONE_LINE, PHONE_LINE - 1));
    }
    const boxes = this.rows.map((row) => row.getBoundingClientRect());
    const below = boxes.findIndex((box) => clientY < box.bottom);
    const day = below < 0 ? 6 : below;
    const box = this.rows[day].querySelector(".quarters").getBoundingClientRect();
    return this.spot(day, clamp(((clientX - box.left) / box.width) * QUARTERS, QUARTERS - 1));
  }

  press(event) {
    const cell = event.target.closest(".quarter");
    if (!cell || event.button !== 0) return;
    event.preventDefault();
    const here = this.under(event);
    const from = event.shiftKey && this.anchor ? this.anchor : here;
    if (!event.shiftKey) this.anchor = here;
    this.cursor = { day: here.day, at: here.start };
    this.rove(true);
    const isToggle = !event.shiftKey;
    let to = here;
    const move = (moved) => {
      to = this.under(moved);
      this.on.mark(from, to, false, isToggle);
    };
    const end = (ended) => {
      this.root.removeEventListener("pointermove", move);
      this.root.removeEventListener("pointerup", end);
      this.root.removeEventListener("pointercancel", end);
      // A finger that went on to scroll the page has painted nothing.
      if (ended.type === "pointercancel") this.on.mark(null, null, true, false);
      else this.on.mark(from, to, true, isToggle);
    };
    this.root.setPointerCapture(event.pointerId);
    this.root.addEventListener("pointermove", move);
    this.root.addEventListener("pointerup", end);
    this.root.addEventListener("pointercancel", end);
    this.on.mark(from, to, false, isToggle);
  }

  key(event) {
    const ctrl = event.ctrlKey || event.metaKey;
    if (ctrl && event.key.toLowerCase() === "z") return this.done(event, () => this.on.undo(event.shiftKey));
    if (ctrl || event.altKey || !event.target.closest(".quarter")) return;
    if (ARROWS[event.key]) return this.done(event, () => this.go(...ARROWS[event.key], event.shiftKey));
    if (event.key === "Home") return this.done(event, () => this.go(0, -QUARTERS, event.shiftKey));
    if (event.key === "End") return this.done(event, () => this.go(0, QUARTERS, event.shiftKey));
    if (event.key === " " || event.key === "Enter") return this.done(event, () => this.paintMarked());
    if (["1", "2", "3"].includes(event.key)) return this.done(event, () => this.on.fill(Number(event.key)));
    if (event.key === "Escape" && this.anchor) return this.done(event, () => this.forget());
  }

  done(event, work) {
    event.preventDefault();
    event.stopPropagation();
    work();
  }

  go(days, steps, isExtending) {
    if (!isExtending) this.forget();
    else this.anchor ||= this.spot(this.cursor.day, this.cursor.at);
    const last = QUARTERS - this.step;
    this.cursor = {
      day: Math.max(0, Math.min(6, this.cursor.day + days)),
      at: Math.max(0, Math.min(last, this.cursor.at + steps * this.step)),
    };
    if (this.isPhone()) this.on.shown(this.cursor.day);
    this.rove(true);
    if (isExtending) this.draw(this.week, { from: this.anchor, to: this.spot(this.cursor.day, this.cursor.at) });
  }

  forget() {
    this.anchor = null;
    this.draw(this.week);
  }

  paintMarked() {
    const here = this.spot(this.cursor.day, this.cursor.at);
    this.on.mark(this.anchor || here, here, true, !this.anchor);
    this.anchor = null;
  }

  cellOfCursor() {
    return this.cells[this.cursor.day * QUARTERS + this.cursor.at];
  }

  focused(event) {
    const index = this.cells.indexOf(event.target);
    if (index < 0) return;
    this.cursor = { day: Math.floor(index / QUARTERS), at: index % QUARTERS };
    this.name(event.target);
  }

  // One cell of the grid is in the tab order.
  rove(isFocused = false) {
    this.root.querySelector('.quarter[tabindex="0"]')?.setAttribute("tabindex", "-1");
    const cell = this.cellOfCursor();
    cell.setAttribute("tabindex", "0");
    this.name(cell);
    if (isFocused) cell.focus({ preventScroll: this.isPhone() });
  }

  name(cell) {
    const { day, start, end } = this.spot(this.cursor.day, this.cursor.at);
    const fills = new Set((this.week || []).slice(day * QUARTERS + start, day * QUARTERS + end));
    const fill = fills.size > 1 ? "partly recorded" : WORDS[FILLS[[...fills][0] || 0]];
    cell.setAttribute("aria-label", `${DAYS[day]} ${clock(start)} to ${clock(end)}, ${fill}`);
  }
}
