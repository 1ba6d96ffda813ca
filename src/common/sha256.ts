// Not crypto.subtle: a page that did not come over https does not have it, and it answers later, so that of two calls the second
// could be the first to claim their key.

/** The SHA-256 of a text (FIPS 180-4), in 64 hexadecimal digits. */
export function sha256(text: string): string {
  const { roots, cubeRoots } = TABLES;
  const message = padded(new TextEncoder().encode(text));
  const state = roots.slice();
  const words = new Int32Array(64);
  for (let at = 0; at < message.byteLength; at += 64) {
    expand(message, at, words);
    compress(state, words, cubeRoots);
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** The bytes, a 1 bit, zeros, and at the end of the last block of 64 how many bits there were. */
function padded(bytes: Uint8Array): DataView {
  const message = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  message.set(bytes);
  message[bytes.length] = 0x80;
  const view = new DataView(message.buffer);
  view.setBigUint64(message.length - 8, BigInt(bytes.length) * 8n);
  return view;
}

function expand(message: DataView, at: number, words: Int32Array): void {
  for (let t = 0; t < 16; t++) words[t] = message.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const early = words[t - 15]!;
    const late = words[t - 2]!;
    const sigma0 = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
    const sigma1 = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
    words[t] = words[t - 16]! + sigma0 + words[t - 7]! + sigma1;
  }
}

function compress(state: Int32Array, words: Int32Array, constants: Int32Array): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const chosen = (e & f) ^ (~e & g);
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + chosen + constants[t]! + words[t]!) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority;
    [a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index]! += word;
  });
}

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

const TABLES = /* @__PURE__ */ makeTables();

/** The first 32 bits of the fractions of the roots of the first primes, as the standard has them. */
function makeTables(): { readonly roots: Int32Array; readonly cubeRoots: Int32Array } {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fractions = (numbers: readonly number[]) => Int32Array.from(numbers, (each) => ((each % 1) * 2 ** 32) | 0);
  return { roots: fractions(primes.slice(0, 8).map(Math.sqrt)), cubeRoots: fractions(primes.map(Math.cbrt)) };
}
