// The behaviour of every page: starts the parts below. Pages bring their own modules (wall.js, timeline.js, ...).
// Everything works without this file, by links and forms; nothing here needs eval or inline script.

import { watchDialogs } from "./dialogs.js";
import { watchForms } from "./forms.js";
import { watchKeys } from "./keys.js";
import { watchSessionEnd } from "./session_end.js";
import { watchState } from "./state.js";
import { watchSudo } from "./sudo.js";
import { watchTicks } from "./ticks.js";
import { watchToasts } from "./toasts.js";
import { watchZone } from "./zone.js";

watchToasts();
watchDialogs();
watchForms();
watchKeys();
watchState();
watchSudo();
watchSessionEnd();
watchTicks();
watchZone();

if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
