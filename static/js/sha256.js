// A worker of its own: reckons the SHA-256 (FIPS 180-4) of a file that is sent to it, and answers in hex, or with null
// when the file cannot be read. Where a browser reckons itself (https, this machine) it is asked, for files that fit into
// its memory; on plain http the file is read a slice at a time, and the worker rests as long as it worked.
const AT_ONCE = 32 << 20;
const SLICE = 1 << 20; // whole blocks of 64 bytes

// The first 32 bits of the fractions of the roots of the first primes: square roots to begin with, cube roots for each step.
const bits = (root) => (root % 1) * 2 ** 32;
const primes = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
const BEGIN = Int32Array.from(primes.slice(0, 8), (prime) => bits(Math.sqrt(prime)));
const STEPS = Int32Array.from(primes, (prime) => bits(Math.cbrt(prime)));
const words = new Int32Array(64);

const turn = (word, by) => (word >>> by) | (word << (32 - by));

// Takes one block of 64 bytes into the state.
function mix(state, view, at) {
  for (let n = 0; n < 16; n++) words[n] = view.getInt32(at + 4 * n);
  for (let n = 16; n < 64; n++) {
    const early = words[n - 15];
    const late = words[n - 2];
    const one = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    words[n] = words[n - 16] + one + words[n - 7] + (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let n = 0; n < 64; n++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + STEPS[n] + words[n]) | 0;
    const other = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + other) | 0;
  }
  const mixed = [a, b, c, d, e, f, g, h];
  for (let n = 0; n < 8; n++) state[n] += mixed[n];
}

// The last bytes, a one bit, zeros, and how many bits there were in all.
function padded(bytes, size) {
  const room = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  room.set(bytes);
  room[bytes.length] = 0x80;
  new DataView(room.buffer).setBigUint64(room.length - 8, BigInt(size) * 8n);
  return room;
}

async function streamed(file) {
  const state = BEGIN.slice();
  for (let at = 0; ; at += SLICE) {
    const began = performance.now();
    const bytes = new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer());
    const isLast = bytes.length < SLICE;
    const blocks = isLast ? padded(bytes, file.size) : bytes;
    const view = new DataView(blocks.buffer);
    for (let place = 0; place < blocks.length; place += 64) mix(state, view, place);
    if (isLast) return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
    const worked = performance.now() - began;
    await new Promise((resolve) => setTimeout(resolve, worked));
  }
}

async function asked(file) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

self.addEventListener("message", async ({ data: file }) => {
  const isEasy = self.crypto?.subtle && file.size <= AT_ONCE;
  self.postMessage(await (isEasy ? asked(file) : streamed(file)).catch(() => null));
});
