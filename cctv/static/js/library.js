// hls.js, fetched once a page and only when something plays.

const SCRIPT = "/static/vendor/hls.light.min.js";
let library;

export function loadHls() {
  library ||= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = SCRIPT;
    script.onload = () => resolve(window.Hls);
    script.onerror = () => {
      library = undefined;
      reject(new Error("The player could not be loaded."));
    };
    document.head.append(script);
  });
  return library;
}
