// The wizard: proposes this browser's time zone and shows the time there while one chooses.

const line = document.querySelector("[data-clock]");
const zones = line && document.getElementById(line.dataset.clock);

function tell() {
  if (!zones.value) return;
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zones.value }).format(new Date());
  line.textContent = `It is ${time} there.`;
}

if (zones) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isOffered = [...zones.options].some((option) => option.value === here);
  if (zones.dataset.guessZone && isOffered) zones.value = here;
  zones.addEventListener("change", tell);
  setInterval(tell, 5000);
  tell();
}
