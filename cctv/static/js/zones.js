// Zones on the picture of a camera. The rows of the form are the truth: what is drawn is read from them and written
// back, so that typing, dragging and keys are one thing. Nothing is sent from here.

import { element } from "./marks.js";

const SVG = "http://www.w3.org/2000/svg";
const FRESH = [[30, 30], [70, 30], [70, 70], [30, 70]];
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const MOST_CORNERS = 24;

const round = (number) => Math.round(Math.min(100, Math.max(0, number)) * 10) / 10;

class Zones {
  constructor(form) {
    this.form = form;
    this.stage = form.querySelector("[data-zone-stage]");
    this.shapes = form.querySelector("[data-zone-shapes]");
    this.corners = form.querySelector("[data-zone-corners]");
    this.list = form.querySelector(".zone-rows");
    this.adder = form.querySelector("[data-zone-add]");
    this.adder.hidden = false;
    form.querySelector("[data-zone-help]").hidden = false;
    for (const row of this.rows) {
      row.querySelector("[data-zone-remove]").hidden = false;
      if (!this.points(row).length) row.remove(); // the empty one is for browsers without this script
    }
    this.wire();
    this.choose(this.rows[0]);
  }

  get rows() {
    return [...this.list.querySelectorAll("[data-zone-row]")];
  }

  points(row) {
    const numbers = (row.querySelector('[name="zone_corners"]').value.match(/-?\d+(\.\d+)?/g) || []).map(Number);
    return Array.from({ length: Math.floor(numbers.length / 2) }, (_, at) => [numbers[2 * at], numbers[2 * at + 1]]);
  }

  write(row, points) {
    row.querySelector('[name="zone_corners"]').value = points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
    row.querySelector('[name="zone_corners"]').dispatchEvent(new Event("change", { bubbles: true })); // unsaved
    this.paint();
  }

  name(row) {
    return row.querySelector('[name="zone_name"]').value || `Zone ${this.rows.indexOf(row) + 1}`;
  }

  choose(row) {
    this.chosen = row;
    this.paint();
  }

  add() {
    if (this.rows.length >= Number(this.form.dataset.most)) return;
    const row = this.form.querySelector("[data-zone-template]").content.firstElementChild.cloneNode(true);
    row.querySelector("[data-zone-remove]").hidden = false;
    this.list.append(row);
    row.querySelector('[name="zone_name"]').value = this.freeName();
    this.chosen = row;
    this.write(row, FRESH);
    row.querySelector('[name="zone_name"]').select();
  }

  freeName() {
    const taken = new Set(this.rows.map((row) => row.querySelector('[name="zone_name"]').value));
    for (let number = 1; ; number += 1) if (!taken.has(`Zone ${number}`)) return `Zone ${number}`;
  }

  remove(row) {
    const next = this.rows[this.rows.indexOf(row) + 1] ?? this.rows[this.rows.indexOf(row) - 1];
    row.remove();
    this.choose(next);
    this.form.dispatchEvent(new Event("change", { bubbles: true }));
    (next?.querySelector('[name="zone_name"]') ?? this.adder).focus();
  }

  // --- drawing ------------------------------------------------------------------------------------------------
  paint() {
    this.adder.disabled = this.rows.length >= Number(this.form.dataset.most);
    this.shapes.replaceChildren(...this.rows.map((row) => this.shape(row)));
    this.paintCorners();
  }

  shape(row) {
    const isIgnored = row.querySelector('[name="zone_use"]').value === "ignore";
    row.classList.toggle("is-ignored", isIgnored);
    row.classList.toggle("is-chosen", row === this.chosen);
    const polygon = document.createElementNS(SVG, "polygon");
    polygon.setAttribute("points", this.points(row).map((point) => point.join(",")).join(" "));
    polygon.classList.toggle("is-ignored", isIgnored);
    polygon.classList.toggle("is-chosen", row === this.chosen);
    polygon.row = row;
    return polygon;
  }

  // The buttons of the chosen zone are kept while it is changed: focus and a pressed pointer stay on them.
  paintCorners() {
    const points = this.chosen ? this.points(this.chosen) : [];
    const spots = points.flatMap((point, at) => {
      const next = points[(at + 1) % points.length];
      const between = [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2];
      return points.length < MOST_CORNERS ? [{ point, at }, { point: between, at, isBetween: true }] : [{ point, at }];
    });
    while (this.corners.children.length > spots.length) this.corners.lastElementChild.remove();
    while (this.corners.children.length < spots.length) this.corners.append(element("button", { type: "button", class: "zone-corner" }));
    spots.forEach(({ point, at, isBetween }, index) => {
      const button = this.corners.children[index];
      Object.assign(button, { at, isBetween });
      button.classList.toggle("is-between", Boolean(isBetween));
      button.style.left = `${point[0]}%`;
      button.style.top = `${point[1]}%`;
      const where = `${Math.round(point[0])} % from the left, ${Math.round(point[1])} % from the top`;
      const what = isBetween ? `add a corner after corner ${at + 1}` : `corner ${at + 1} of ${points.length}`;
      button.setAttribute("aria-label", `${this.name(this.chosen)}, ${what}: ${where}`);
    });
  }

  // --- pointer and keys ---------------------------------------------------------------------------------------
  wire() {
    this.adder.addEventListener("click", () => this.add());
    this.list.addEventListener("click", (event) => event.target.closest("[data-zone-remove]") && this.remove(event.target.closest("[data-zone-row]")));
    this.list.addEventListener("input", () => this.paint());
    this.list.addEventListener("focusin", (event) => this.choose(event.target.closest("[data-zone-row]")));
    this.stage.addEventListener("pointerdown", (event) => this.onDown(event));
    this.stage.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, () => (this.drag = null));
    this.corners.addEventListener("keydown", (event) => this.onKey(event));
    this.corners.addEventListener("click", (event) => !event.detail && event.target.isBetween && this.split(event.target)); // Enter, Space
    const range = this.form.querySelector("#sensitivity");
    range.addEventListener("input", () => (this.form.querySelector("[data-sensitivity]").textContent = range.value));
  }

  place(event) {
    const box = this.stage.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * 100, ((event.clientY - box.top) / box.height) * 100];
  }

  onDown(event) {
    if (event.button) return;
    const [x, y] = this.place(event);
    const corner = event.target.closest(".zone-corner");
    if (corner) {
      if (corner.isBetween) this.split(corner);
      this.drag = { at: corner.isBetween ? corner.at + 1 : corner.at };
    } else if (event.target.row) {
      this.choose(event.target.row);
      this.drag = { x, y, from: this.points(this.chosen) };
    } else return;
    this.stage.setPointerCapture(event.pointerId);
  }

  onMove(event) {
    if (!this.drag) return;
    const [x, y] = this.place(event);
    const points = this.points(this.chosen);
    if (this.drag.from) this.write(this.chosen, this.shifted(this.drag.from, x - this.drag.x, y - this.drag.y));
    else this.write(this.chosen, points.map((point, at) => (at === this.drag.at ? [x, y] : point)));
  }

  // A zone is moved as it is: it stops at the edge instead of being squeezed there.
  shifted(points, right, down) {
    const limit = (move, values) => Math.min(100 - Math.max(...values), Math.max(-Math.min(...values), move));
    const x = limit(right, points.map((point) => point[0]));
    const y = limit(down, points.map((point) => point[1]));
    return points.map((point) => [point[0] + x, point[1] + y]);
  }

  split(corner) {
    const points = this.points(this.chosen);
    const next = points[(corner.at + 1) % points.length];
    points.splice(corner.at + 1, 0, [(points[corner.at][0] + next[0]) / 2, (points[corner.at][1] + next[1]) / 2]);
    const { at } = corner;
    this.write(this.chosen, points);
    this.focus(at + 1);
  }

  focus(at) {
    [...this.corners.children].find((button) => button.at === at && !button.isBetween)?.focus();
  }

  onKey(event) {
    const { at, isBetween } = event.target;
    const points = this.points(this.chosen);
    if (event.key in MOVES && !isBetween) {
      const step = event.shiftKey ? 5 : 0.5;
      const [right, down] = MOVES[event.key];
      points[at] = [points[at][0] + right * step, points[at][1] + down * step];
      this.write(this.chosen, points);
    } else if ((event.key === "Delete" || event.key === "Backspace") && !isBetween && points.length > 3) {
      points.splice(at, 1);
      this.write(this.chosen, points);
      this.focus(Math.min(at, points.length - 1));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

const form = document.querySelector("[data-zones]");
if (form) new Zones(form);
