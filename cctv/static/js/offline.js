// The offline page: asks every 5 s whether the server is back, then loads the page that was wanted.

const wait = document.getElementById("wait");
const again = document.getElementById("again");
let seconds = 5;

again.href = location.pathname === "/offline" ? "/" : location.href;

async function isBack() {
  try {
    return (await fetch("/alive", { cache: "no-store", signal: AbortSignal.timeout(4000) })).ok;
  } catch {
    return false;
  }
}

setInterval(async () => {
  seconds -= 1;
  if (seconds > 0) {
    wait.textContent = `Trying again in ${seconds} s.`;
    return;
  }
  seconds = 5;
  wait.textContent = "Trying …";
  if (await isBack()) location.replace(again.href);
}, 1000);
