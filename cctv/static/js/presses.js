// A press whose answer is on its way keeps its button: were it replaced meanwhile by a refresh of the page, the
// answer (its toast) would be raised on an element that is no longer there.

function keepPressed(event) {
  const target = event.detail.target;
  if (target.matches(".htmx-request") || target.querySelector(".htmx-request")) event.preventDefault();
}

export function watchPresses() {
  document.body.addEventListener("htmx:oobBeforeSwap", keepPressed);
}
