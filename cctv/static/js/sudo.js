// The password again before a risky change: a dialog over whatever is open, and then the same request once more.
// Nothing that was typed is lost: the form that asked is still there, and its values are sent as they were.

const box = document.getElementById("sudo");
let asked = null;

function ask(event) {
  const { xhr, requestConfig } = event.detail;
  if (!xhr.getResponseHeader("X-Sudo")) return;
  asked = requestConfig;
  htmx.ajax("GET", "/account/sudo", { target: "#sudo", swap: "innerHTML" });
}

function show(event) {
  if (event.detail.target !== box) return;
  if (!box.open) box.showModal();
  box.querySelector("input:not([type=hidden])")?.focus();
}

function goOn() {
  const { verb, path, elt, triggeringEvent, formData } = asked || {};
  box.close();
  if (verb && elt.isConnected) htmx.ajax(verb.toUpperCase(), path, { source: elt, event: triggeringEvent, values: formData });
  asked = null;
}

export function watchSudo() {
  document.body.addEventListener("htmx:responseError", ask);
  document.body.addEventListener("htmx:afterSwap", show);
  document.body.addEventListener("sudo-done", goOn);
  document.addEventListener("click", (event) => event.target.closest("[data-close-sudo]") && box.close());
  box.addEventListener("close", () => box.replaceChildren());
}
