// Every time on the pages is the site's. Who sits in another zone is told so, once a session.

import { toast } from "./toasts.js";

// Minutes that the zone is ahead of UTC now.
function ahead(timeZone) {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" });
  const now = Math.floor(Date.now() / 60_000) * 60_000; // the parts below know no seconds
  const { year, month, day, hour, minute } = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, Number(value)]));
  return (Date.UTC(year, month - 1, day, hour, minute) - now) / 60_000;
}

export function watchZone() {
  const { zone } = document.body.dataset;
  if (!zone || sessionStorage.getItem("zone-told") === zone) return;
  const minutes = -new Date().getTimezoneOffset() - ahead(zone);
  if (Math.abs(minutes) < 2) return;
  sessionStorage.setItem("zone-told", zone);
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const much = [hours && `${hours} h`, rest && `${rest} min`].filter(Boolean).join(" ");
  const place = zone.split("/").at(-1).replaceAll("_", " ");
  toast({ level: "info", text: `Times are site time (${place}). Your computer is ${much} ${minutes > 0 ? "ahead" : "behind"}.` });
}
