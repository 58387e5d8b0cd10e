// SHA-256 in pieces and SHA-512 (FIPS 180-4). A browser's own digest() wants a whole file in memory, and
// outside a secure context there is none. Nothing here knows what is hashed.

const MASK_64 = (1n << 64n) - 1n;

// The first 64 bits behind the point of a prime's square (2) or cube (3) root, where the constants come from.
function rootFraction(prime, power) {
  const n = BigInt(power);
  const shifted = BigInt(prime) << (64n * n);
  let root = 1n << 69n; // above each of them: 32 x 2^64
  for (;;) {
    const next = ((n - 1n) * root + shifted / root ** (n - 1n)) / n;
    if (next >= root) return root & MASK_64;
    root = next;
  }
}

const PRIMES = [];
for (let number = 2; PRIMES.length < 80; number++) {
  if (PRIMES.every((prime) => number % prime)) PRIMES.push(number);
}
const ROUNDS_512 = PRIMES.map((prime) => rootFraction(prime, 3));
const START_512 = PRIMES.slice(0, 8).map((prime) => rootFraction(prime, 2));
const ROUNDS_256 = Int32Array.from(ROUNDS_512.slice(0, 64), (word) => Number(word >> 32n) | 0);
const START_256 = Int32Array.from(START_512, (word) => Number(word >> 32n) | 0);

class Sha256 {
  constructor() {
    this.state = Int32Array.from(START_256);
    this.words = new Int32Array(64);
    this.block = new Uint8Array(64);
    this.filled = 0;
    this.length = 0;
  }

  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.filled) {
      at = Math.min(64 - this.filled, bytes.length);
      this.block.set(bytes.subarray(0, at), this.filled);
      this.filled += at;
      if (this.filled < 64) return this;
      this._mix(this.block, 0);
    }
    for (; at + 64 <= bytes.length; at += 64) this._mix(bytes, at);
    this.block.set(bytes.subarray(at));
    this.filled = bytes.length - at;
    return this;
  }

  hex() {
    const bits = this.length * 8; // exact up to 1 PB
    const pad = new Uint8Array(((this.filled < 56 ? 56 : 120) - this.filled) + 8);
    pad[0] = 0x80;
    const tail = new DataView(pad.buffer, pad.length - 8);
    tail.setUint32(0, Math.floor(bits / 2 ** 32));
    tail.setUint32(4, bits % 2 ** 32);
    this.update(pad);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  _mix(bytes, at) {
    const w = this.words;
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    const state = this.state;
    let a = state[0], b = state[1], c = state[2], d = state[3];
    let e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS_256[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
}

// For messages of a few hundred bytes.
function sha512(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 17) / 128) * 128);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8);
  const turn = (word, by) => ((word >> by) | (word << (64n - by))) & MASK_64;
  const state = START_512.slice();
  for (let at = 0; at < padded.length; at += 128) {
    const view = new DataView(padded.buffer, at, 128);
    const w = Array.from({ length: 16 }, (_, i) => view.getBigUint64(i * 8));
    for (let i = 16; i < 80; i++) {
      const s0 = turn(w[i - 15], 1n) ^ turn(w[i - 15], 8n) ^ (w[i - 15] >> 7n);
      const s1 = turn(w[i - 2], 19n) ^ turn(w[i - 2], 61n) ^ (w[i - 2] >> 6n);
      w.push((w[i - 16] + s0 + w[i - 7] + s1) & MASK_64);
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 80; i++) {
      const s1 = turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n);
      const t1 = h + s1 + ((e & f) ^ (~e & MASK_64 & g)) + ROUNDS_512[i] + w[i];
      const s0 = turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g; g = f; f = e; e = (d + t1) & MASK_64;
      d = c; c = b; b = a; a = (t1 + t2) & MASK_64;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] = (state[i] + word) & MASK_64; });
  }
  return bytesOf(state.map((word) => word.toString(16).padStart(16, "0")).join(""));
}

function bytesOf(hex) {
  return Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
}

function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sha256OfText(text) {
  return new Sha256().update(new TextEncoder().encode(text)).hex();
}
