// Is an Ed25519 signature (RFC 8032) genuine? Asked of the browser, and worked out here where it cannot:
// before Chrome 137, Firefox 129 and Safari 17, or outside a secure context. Only public values pass through
// here, so no care is taken of how long it takes.

const FIELD = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const modulo = (number, by = FIELD) => ((number % by) + by) % by;

function power(base, exponent) {
  let result = 1n;
  for (base = modulo(base); exponent; exponent >>= 1n, base = (base * base) % FIELD) {
    if (exponent & 1n) result = (result * base) % FIELD;
  }
  return result;
}

const inverse = (number) => power(number, FIELD - 2n);
const CURVE = modulo(-121665n * inverse(121666n));
const ROOT_OF_MINUS_ONE = power(2n, (FIELD - 1n) / 4n);

// The point with this y whose x is even (0n) or odd (1n), as (X, Y, Z, XY); null when there is none.
function pointAt(y, sign) {
  if (y >= FIELD) return null;
  const square = modulo((y * y - 1n) * inverse(CURVE * y * y + 1n));
  let x = power(square, (FIELD + 3n) / 8n);
  if (modulo(x * x - square)) x = modulo(x * ROOT_OF_MINUS_ONE);
  if (modulo(x * x - square) || (!x && sign)) return null;
  if ((x & 1n) !== sign) x = FIELD - x;
  return [x, y, 1n, modulo(x * y)];
}

function add(p, q) {
  const a = modulo((p[1] - p[0]) * (q[1] - q[0]));
  const b = modulo((p[1] + p[0]) * (q[1] + q[0]));
  const c = modulo(2n * CURVE * p[3] * q[3]);
  const d = modulo(2n * p[2] * q[2]);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [modulo(e * f), modulo(g * h), modulo(f * g), modulo(e * h)];
}

function times(scalar, point) {
  let result = [0n, 1n, 1n, 0n];
  for (; scalar; scalar >>= 1n, point = add(point, point)) if (scalar & 1n) result = add(result, point);
  return result;
}

const littleEndian = (bytes) => BigInt(`0x${hexOf(Uint8Array.from(bytes).reverse()) || "0"}`);

function decodePoint(bytes) {
  const number = littleEndian(bytes);
  return pointAt(number & (2n ** 255n - 1n), number >> 255n);
}

function isGenuineByHand(message, signature, publicKey) {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const key = decodePoint(publicKey);
  const commitment = decodePoint(signature.subarray(0, 32));
  const s = littleEndian(signature.subarray(32));
  if (!key || !commitment || s >= ORDER) return false;
  const hashed = new Uint8Array([...signature.subarray(0, 32), ...publicKey, ...message]);
  const k = littleEndian(sha512(hashed)) % ORDER;
  const left = times(s, pointAt(4n * inverse(5n) % FIELD, 0n));
  const right = add(commitment, times(k, key));
  const isSame = (i) => !modulo(left[i] * right[2] - right[i] * left[2]);
  return isSame(0) && isSame(1);
}

// {isGenuine, by}: `by` says who worked it out.
async function checkSignature(message, signature, publicKey) {
  try {
    const key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
    const isGenuine = await crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
    return { isGenuine, by: "this browser" };
  } catch {
    return { isGenuine: isGenuineByHand(message, signature, publicKey), by: "this page itself" };
  }
}
