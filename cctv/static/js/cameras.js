// The list of cameras: renaming in place starts with the whole name selected, Esc keeps the old one.

import { watchPresses } from "./presses.js";
import { watchStills } from "./stills.js";

watchPresses();
watchStills();
document.body.addEventListener("htmx:afterSwap", () => {
  const field = document.querySelector(".name-form input[name=name]");
  if (field && document.activeElement !== field) field.focus();
  if (field && !field.dataset.isTaken) field.select();
  if (field) field.dataset.isTaken = "yes";
});
document.addEventListener("keydown", (event) => {
  const cancel = event.key === "Escape" && event.target.closest?.(".name-form")?.querySelector("[data-escape]");
  // Not a click: for a moment after the form has come htmx does not know its buttons yet.
  if (cancel) htmx.ajax("GET", cancel.getAttribute("hx-get"), { target: cancel.getAttribute("hx-target"), swap: "outerHTML" });
});
