// The browser tab tells the state: "2 offline – Wall" and another icon while something is down.
// A page says so by <span id="page-state" data-trouble="2 offline" hidden></span>, refreshed out of band.

const base = document.title;
const mark = document.querySelector('link[rel="icon"]');
const calm = mark?.href;

function show() {
  const trouble = document.getElementById("page-state")?.dataset.trouble || "";
  document.title = trouble ? `${trouble} – ${base}` : base;
  if (mark) mark.href = trouble ? mark.dataset.trouble : calm;
}

export function watchState() {
  document.body.addEventListener("htmx:afterSettle", show);
  document.body.addEventListener("htmx:oobAfterSwap", show);
  show();
}
