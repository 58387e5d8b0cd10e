// The page of a schedule: the painter and the rows of times say the same; the rows are what is sent.

import { Grid } from "./schedule_grid.js";
import { clock, copyDay, DAYS, emptyWeek, FILLS, fromBlocks, fromRows, isSame, paint, quarterOf, QUARTERS, toRows } from "./schedule_week.js";

const form = document.querySelector("[data-schedule]");
const part = (name) => form.querySelector(`[data-${name}]`);
const rows = part("rows");
const MOST_STEPS = 100;

let week = emptyWeek();
let undone = [];
let done = [];
let made = 0; // keys of new rows
let isLeaving = false;
let stored = "";

// --- Rows of times

function readRows() {
  return [...rows.querySelectorAll("[data-row]")].map((row) => {
    const key = row.querySelector("[name=row]").value;
    const value = (name) => row.querySelector(`[name="${name}-${key}"]`).value;
    const days = [...row.querySelectorAll(`[name="day-${key}"]:checked`)].map((box) => Number(box.value));
    return { days, from: value("from"), to: value("to"), mode: value("mode") };
  });
}

function addRow(pattern, list) {
  const key = `n${++made}`;
  const row = document.importNode(document.getElementById(pattern).content, true).firstElementChild;
  for (const field of row.querySelectorAll("[name]")) {
    field.name = field.name.replace("__KEY__", key);
    if (field.value === "__KEY__") field.value = key;
  }
  row.querySelector("[data-remove]").hidden = false;
  list.append(row);
  return row;
}

function writeRows() {
  rows.replaceChildren();
  for (const { days, start, end, fill } of toRows(week)) {
    const row = addRow("row-pattern", rows);
    const field = (name) => row.querySelector(`[name^="${name}-n"]`);
    for (const day of days) row.querySelector(`[name^="day-n"][value="${day}"]`).checked = true;
    field("from").value = clock(start);
    field("to").value = clock(end);
    field("mode").value = FILLS[fill];
  }
}

// --- The week

const grid = new Grid(part("grid"), { mark, day: paintDay, hour: paintHour, fill: chooseFill, undo: stepBack, shown: showDay });

function draw(shown = null) {
  grid.draw(week, shown);
  part("undo").disabled = !done.length;
  part("redo").disabled = !undone.length;
}

function put(changed, words) {
  if (isSame(changed, week)) return draw();
  done = [...done.slice(-MOST_STEPS), week];
  undone = [];
  week = changed;
  writeRows();
  draw();
  say(words);
  tellChange();
}

function stepBack(isForward) {
  const [from, to] = isForward ? [undone, done] : [done, undone];
  if (!from.length) return;
  to.push(week);
  week = from.pop();
  writeRows();
  draw();
  say(isForward ? "Done again." : "Undone.");
  tellChange();
}

function tellChange() {
  form.querySelector(".words-box").dispatchEvent(new CustomEvent("painted"));
  showUnsaved();
}

function say(words) {
  part("says").textContent = words;
}

const chosen = () => FILLS.indexOf(form.querySelector("[name=fill]:checked").value);

function chooseFill(number) {
  const field = form.querySelectorAll("[name=fill]")[number - 1];
  field.checked = true;
  say(`Painting ${field.parentElement.querySelector("span:nth-of-type(2)").textContent.toLowerCase()}.`);
}

// What has the fill already is cleared: a second press takes the first one back.
function fillFor(from, isToggle) {
  const fill = chosen();
  const before = week.slice(from.day * QUARTERS + from.start, from.day * QUARTERS + from.end);
  return isToggle && before.every((one) => one === fill) ? 0 : fill;
}

function said(from, to, fill) {
  const days = [from.day, to.day].sort((one, other) => one - other).map((day) => DAYS[day].slice(0, 3));
  const when = days[0] === days[1] ? DAYS[from.day] : `${days[0]} to ${days[1]}`;
  return `${when} ${clock(Math.min(from.start, to.start))} to ${clock(Math.max(from.end, to.end))}: ${["off", "continuous", "on activity"][fill]}`;
}

function mark(from, to, isDone, isToggle) {
  if (!from) return draw();
  const fill = fillFor(from, isToggle);
  const painted = paintThrough(from, to, fill);
  if (isDone) return put(painted, said(from, to, fill));
  grid.draw(painted, { from, to });
  grid.week = week;
  say(said(from, to, fill));
}

// A phone shows one day in four lines: there a drag goes on from line to line, as one reads.
function paintThrough(from, to, fill) {
  const [first, last] = from.start <= to.start ? [from, to] : [to, from];
  return paint(week, { ...from, start: first.start, end: first.end }, { ...to, start: last.start, end: last.end }, fill);
}

function paintDay(day) {
  const all = { day, start: 0, end: QUARTERS };
  const fill = fillFor(all, true);
  put(paint(week, all, all, fill), said(all, all, fill));
}

function paintHour(hour) {
  const [top, bottom] = [0, 6].map((day) => ({ day, start: hour * 4, end: hour * 4 + 4 }));
  const isAll = DAYS.every((_name, day) => fillFor({ ...top, day }, true) === 0);
  const fill = isAll ? 0 : chosen();
  put(paint(week, top, bottom, fill), said(top, bottom, fill));
}

// --- One day at a time, on a phone

function showDay(day) {
  grid.show(day);
  for (const [number, tab] of [...part("days").children].entries()) tab.setAttribute("aria-pressed", number === day);
  if (grid.isPhone()) part("copy-day").value = String(day);
}

function buildDays(today) {
  const tabs = DAYS.map((name, day) => {
    const tab = document.createElement("button");
    Object.assign(tab, { type: "button", className: "btn", textContent: name.slice(0, 3) });
    const rest = Object.assign(document.createElement("span"), { className: "visually-hidden", textContent: name.slice(3) });
    tab.append(rest);
    tab.addEventListener("click", () => showDay(day));
    return tab;
  });
  part("days").append(...tabs);
  showDay(today);
  let startX = 0;
  const shown = () => tabs.findIndex((tab) => tab.getAttribute("aria-pressed") === "true");
  part("days").addEventListener("touchstart", (event) => (startX = event.touches[0].clientX), { passive: true });
  part("days").addEventListener("touchend", (event) => {
    const moved = event.changedTouches[0].clientX - startX;
    if (Math.abs(moved) > 40) showDay((shown() + (moved < 0 ? 1 : 6)) % 7);
  });
}

// --- The rest of the form

// A time that cannot be read is marked at once; the server's sentence says why.
function markTimes() {
  for (const field of rows.querySelectorAll(".time-field input")) {
    if (field.value.trim() && quarterOf(field.value) === null) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
}

function readTimes() {
  markTimes();
  const typed = fromRows(readRows());
  if (!typed || isSame(typed, week)) return;
  done = [...done, week];
  undone = [];
  week = typed;
  draw();
}

function applyTemplate(event) {
  const link = event.target.closest("[data-template]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  put(fromBlocks(JSON.parse(link.dataset.template)), `${link.dataset.templateName}: painted. Undo brings back what was there.`);
  const name = form.elements.namedItem("name");
  if (!name.value.trim()) name.value = link.dataset.templateName;
}

function serialised() {
  const data = [...new FormData(form)].filter(([name]) => name !== "csrf_token" && name !== "fill");
  return JSON.stringify(data.map(([name, value]) => [name.replace(/-[^-]*$/, ""), name === "row" || name === "date-row" ? "" : value]));
}

function showUnsaved() {
  const isSaved = serialised() === stored;
  part("unsaved").hidden = isSaved;
  // They would take what was painted away.
  for (const button of form.querySelectorAll("[data-leaves]")) {
    button.disabled = !isSaved;
    button.title = isSaved ? "" : "Save first";
  }
}

function watchUnsaved() {
  stored = serialised();
  form.addEventListener("change", showUnsaved);
  form.addEventListener("input", showUnsaved);
  // Only an answer that leads elsewhere has saved it.
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Redirect")) isLeaving = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isLeaving && !part("unsaved").hidden) event.preventDefault();
  });
}

function watchDateModes() {
  for (const row of form.querySelectorAll("[data-date-row]")) row.classList.toggle("is-off", row.querySelector("[data-date-mode]").value === "off");
}

function remove(button) {
  const row = button.closest("li");
  const list = row.parentElement;
  row.remove();
  if (list === rows) readTimes();
  list.dispatchEvent(new Event("change", { bubbles: true }));
}

function start() {
  part("painter").hidden = false;
  for (const button of form.querySelectorAll("[data-add-row], [data-add-date], [data-remove]")) button.hidden = false;
  const typed = fromRows(readRows());
  if (typed) {
    week = typed;
    writeRows();
    part("times").open = false;
  }
  const [day, minutes] = form.dataset.now.split(",").map(Number);
  buildDays(day);
  draw();
  grid.mark(day, minutes);
  watchDateModes();
  watchUnsaved();
}

rows.addEventListener("change", readTimes);
form.addEventListener("change", watchDateModes);
form.addEventListener("click", applyTemplate);
form.addEventListener("click", (event) => event.target.closest("[data-remove]") && remove(event.target.closest("[data-remove]")));
part("fine").addEventListener("change", (event) => grid.setStep(event.target.checked ? 1 : 2));
part("undo").addEventListener("click", () => stepBack(false));
part("redo").addEventListener("click", () => stepBack(true));
part("add-row").addEventListener("click", () => addRow("row-pattern", rows).querySelector("input[type=checkbox]").focus());
part("add-date").addEventListener("click", () => {
  addRow("date-pattern", part("date-rows")).querySelector("input[type=date]").focus();
  watchDateModes();
});
part("copy-now").addEventListener("click", () => {
  const [from, to] = [Number(part("copy-day").value), part("copy-to")];
  put(copyDay(week, from, to.value.split(",").map(Number)), `${DAYS[from]} copied to ${to.selectedOptions[0].textContent}.`);
});
start();
