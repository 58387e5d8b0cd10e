// A still that does not exist leaves its place black instead of a broken picture.

const STILLS = "img[src*='/cameras/']";

function mark(image) {
  image.classList.toggle("is-missing", image.complete && !image.naturalWidth);
}

export function watchStills() {
  for (const event of ["error", "load"])
    document.addEventListener(event, (one) => one.target.matches?.(STILLS) && mark(one.target), true);
  for (const image of document.querySelectorAll(STILLS)) if (image.complete) mark(image);
}
