// Two minutes before the session ends without any more use it is said, with a way to stay (WCAG 2.2.1).
// The page asks first: another tab may have put the end off.

import { token } from "./marks.js";
import { toast } from "./toasts.js";

const WARN = 120; // seconds before the end
const LONGEST = 6 * 3600; // of one timer

let box = null;

function schedule(left) {
  setTimeout(ask, Math.max(1, Math.min(left - WARN, LONGEST)) * 1000);
}

async function ask() {
  const left = await secondsLeft("/account/session");
  if (left === null) return setTimeout(ask, 15000); // the server is away: nothing is lost meanwhile
  if (left > WARN + 5) return schedule(left);
  if (left > 0 && !box?.isConnected) warn(left);
}

async function secondsLeft(path, method = "GET") {
  try {
    const headers = { Accept: "application/json", "X-CSRFToken": token() };
    const answer = await fetch(path, { method, headers, cache: "no-store", signal: AbortSignal.timeout(5000) });
    return answer.ok ? (await answer.json()).seconds_left : answer.status === 401 ? 0 : null;
  } catch {
    return null;
  }
}

function warn(left) {
  const at = new Date(Date.now() + left * 1000).toLocaleTimeString("en-GB");
  const text = `You will be signed out in ${Math.max(1, Math.round(left / 60))} min, at ${at}. What you typed stays on this page.`;
  box = toast({ level: "bad", text, actions: [{ label: "Stay signed in", run: stay }] });
}

async function stay() {
  const left = await secondsLeft("/account/session/stay", "POST");
  if (left > WARN) {
    toast({ level: "ok", text: "You stay signed in." });
    schedule(left);
  } else if (left === null) {
    toast({ level: "bad", text: "The server did not answer. Try again.", actions: [{ label: "Stay signed in", run: stay }] });
  } else {
    toast({ level: "bad", text: "A day has passed since you signed in: sign in again.", actions: [{ label: "Sign in", run: () => htmx.ajax("GET", "/login", { target: "#dlg", swap: "innerHTML" }) }] });
  }
}

export function watchSessionEnd() {
  const left = Number(document.body.dataset.sessionSeconds);
  if (left) schedule(left);
}
