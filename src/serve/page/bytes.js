"use strict";
// Bytes of a file and what packs them, for hdf5.js: numbers at checked places, gzip, lzf, shuffle.

/// What was expected where, what was found, and what to do.
class FileError extends Error {
  constructor(place, expected, found, hint) { super(`${place}: expected ${expected}, found ${found}.\n${hint}`); }
}
const damaged = (place, expected, found) => new FileError(place, expected, found, "Is the file whole? Copy or write it anew.");
const foreign = (place, expected, found) => new FileError(place, expected, found, "This page reads what anndata writes by default: adata.write_h5ad(...). The command line reads more: cellmill predict-metadata --input FILE");
const whole = n => n.toLocaleString("en");

/// Little-endian numbers, one after the other, none beyond `end`.
class Cursor {
  constructor(view, at, end, place) { Object.assign(this, {view, at, end: Math.min(end, view.byteLength), place}); }
  skip(n) {
    const at = this.at;
    if (!(at >= 0 && n >= 0 && at + n <= this.end)) throw damaged(this.place, `${n} bytes at ${at}`, `an end at ${this.end}`);
    this.at = at + n;
    return at;
  }
  uint(n) {
    const at = this.skip(n), v = this.view;
    return n === 1 ? v.getUint8(at) : n === 2 ? v.getUint16(at, true) : n === 4 ? v.getUint32(at, true) : Number(v.getBigUint64(at, true));
  }
  uint48(n) { return this.bytes(n).reduceRight((sum, byte) => 256 * sum + byte, 0); }
  uints(...sizes) { return sizes.map(n => this.uint(n)); }
  bytes(n) { return new Uint8Array(this.view.buffer, this.skip(n), n); }
  word(n) { return String.fromCharCode(...this.bytes(n)); }
  expect(text) { const found = this.word(text.length); if (found !== text) throw damaged(this.place, text, JSON.stringify(found)); }
  sub(n) { const at = this.skip(n); return new Cursor(this.view, at, at + n, this.place); }
}
const utf8 = new TextDecoder();
const ended = bytes => { const n = bytes.indexOf(0); return utf8.decode(n < 0 ? bytes : bytes.subarray(0, n)); };

async function inflate(bytes, size) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader(), out = new Uint8Array(size);
  let n = 0;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return out.subarray(0, n);
    if (n + value.length > size) { reader.cancel().catch(() => {}); throw RangeError("too long"); }
    out.set(value, n);
    n += value.length;
  }
}
function unlzf(from, size) {
  const out = new Uint8Array(size);
  let i = 0, o = 0;
  while (i < from.length) {
    const head = from[i++];
    let length = head < 32 ? head + 1 : (head >> 5) + 2, back = 0;
    if (head >= 32) {
      if (length === 9) length += from[i++];
      back = ((head & 31) << 8) + from[i++] + 1;
    }
    if (!(o + length <= size && back <= o && (back || i + length <= from.length))) throw RangeError("out of bounds");
    for (; length; --length, ++o) out[o] = back ? out[o - back] : from[i++];
  }
  return out.subarray(0, o);
}
function unshuffle(from, width) {
  const out = new Uint8Array(from.length), n = Math.floor(from.length / width);
  if (!n) return from;
  for (let b = 0, i = 0; b < width; ++b) for (let k = b; k < n * width; k += width) out[k] = from[i++];
  out.set(from.subarray(n * width), n * width);
  return out;
}

