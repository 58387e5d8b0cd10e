// The files of a package, whichever way they were chosen: a folder, single files, or the zip itself.
// Reads them in pieces and never as a whole, except small ones.

const PIECE_BYTES = 4 * 1024 * 1024;
const WHOLE_BYTES = 128 * 1024 * 1024; // up to here the browser's own hash is quicker

class NotAZip extends Error {}

// Map of name -> () => Promise<Blob>. Names begin where manifest.json lies.
async function gather(chosen) {
  const files = [...chosen];
  if (files.length === 1 && /\.zip$/i.test(files[0].name)) return relative(await entriesOf(files[0]));
  return relative(new Map(files.map((file) => [file.webkitRelativePath || file.name, async () => file])));
}

function relative(found) {
  const manifest = [...found.keys()].find((name) => /(^|\/)manifest\.json$/.test(name)) || "manifest.json";
  const root = manifest.slice(0, -"manifest.json".length);
  return new Map([...found].filter(([name]) => name.startsWith(root)).map(([n, open]) => [n.slice(root.length), open]));
}

async function bytesAt(blob, start, end) {
  return new DataView(await blob.slice(start, end).arrayBuffer());
}

// The entries of a zip (APPNOTE 4.3 and 4.5.3 for those beyond 4 GB), whose names are UTF-8.
async function entriesOf(zip) {
  const tail = await bytesAt(zip, Math.max(0, zip.size - 65_557), zip.size);
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at--;
  if (at < 0) throw new NotAZip("This is not a zip file, or its end is missing.");
  let count = tail.getUint16(at + 10, true);
  let size = tail.getUint32(at + 12, true);
  let start = tail.getUint32(at + 16, true);
  if (at >= 20 && tail.getUint32(at - 20, true) === 0x07064b50) {
    const place = Number(tail.getBigUint64(at - 12, true));
    const large = await bytesAt(zip, place, place + 56);
    count = Number(large.getBigUint64(32, true));
    size = Number(large.getBigUint64(40, true));
    start = Number(large.getBigUint64(48, true));
  }
  const directory = await bytesAt(zip, start, start + size);
  const found = new Map();
  for (let offset = 0; count-- > 0;) {
    const entry = entryAt(directory, offset);
    // Two of one name: which one another program unpacks is not for us to guess.
    if (found.has(entry.name)) throw new NotAZip(`The zip file holds two files of the name ${entry.name}.`);
    if (!entry.name.endsWith("/")) found.set(entry.name, () => contentOf(zip, entry));
    offset = entry.next;
  }
  return found;
}

function entryAt(view, offset) {
  if (offset + 46 > view.byteLength || view.getUint32(offset, true) !== 0x02014b50) {
    throw new NotAZip("The directory of the zip file is damaged.");
  }
  const [nameLength, extraLength, noteLength] = [28, 30, 32].map((at) => view.getUint16(offset + at, true));
  const text = new Uint8Array(view.buffer, offset + 46, nameLength);
  const entry = {
    name: new TextDecoder().decode(text),
    method: view.getUint16(offset + 10, true),
    packed: view.getUint32(offset + 20, true),
    start: view.getUint32(offset + 42, true),
    next: offset + 46 + nameLength + extraLength + noteLength,
  };
  const isLarge = { full: view.getUint32(offset + 24, true), packed: entry.packed, start: entry.start };
  for (let at = offset + 46 + nameLength; at < offset + 46 + nameLength + extraLength;) {
    const length = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      let place = at + 4;
      for (const field of ["full", "packed", "start"]) {
        if (isLarge[field] !== 0xffffffff) continue;
        entry[field] = Number(view.getBigUint64(place, true));
        place += 8;
      }
    }
    at += 4 + length;
  }
  return entry;
}

async function contentOf(zip, entry) {
  const head = await bytesAt(zip, entry.start, entry.start + 30);
  const start = entry.start + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = zip.slice(start, start + entry.packed);
  if (entry.method === 0) return packed;
  if (entry.method !== 8) throw new NotAZip(`${entry.name} is packed in a way that this page cannot read.`);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
}

// SHA-256 of a blob in hex; `onBytes` is told how many were read.
async function hashOf(blob, onBytes = () => {}) {
  if (blob.size <= WHOLE_BYTES && globalThis.crypto?.subtle) {
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    onBytes(blob.size);
    return hexOf(new Uint8Array(digest));
  }
  const hash = new Sha256();
  for (let at = 0; at < blob.size; at += PIECE_BYTES) {
    const piece = new Uint8Array(await blob.slice(at, at + PIECE_BYTES).arrayBuffer());
    hash.update(piece);
    onBytes(piece.length);
  }
  return hash.hex();
}
