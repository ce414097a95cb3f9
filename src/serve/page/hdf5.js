"use strict";
// Reads HDF5 in the visitor's browser, so that the service opens none of a stranger's: superblocks 0
// to 3, both kinds of object headers, symbol tables, links in headers and heaps, compact, contiguous and
// chunked layouts (B-tree version 1), gzip, lzf and shuffle, little-endian numbers, fixed and
// variable strings. Every place is checked against the file, every size against LIMITS, and a file
// has a number of steps, so that none takes for ever. Source: HDF5 File Format Specification 3.0.

const LIMITS = {chunk: 2 ** 28, piece: 2 ** 29, cached: 2 ** 27, text: 10000, steps: 2 ** 21, visits: 2 ** 20};  // bytes; parts of a file; chunks of a read
const NOWHERE = 2 ** 64;  // as a double, the address of what was never written

/// Groups are Maps of names to addresses; a dataset is {place, shape, type, layout, filters, attributes}.
class Hdf5 {
  constructor(buffer) {
    Object.assign(this, {view: new DataView(buffer), steps: 0, heaps: new Map(), opened: new Map()});
    const c = this.cursor(0, "start of the file");
    if (buffer.byteLength < 96 || c.word(8) !== "\x89HDF\r\n\x1a\n") throw damaged("start of the file", "an HDF5 file (.h5ad)", `${whole(buffer.byteLength)} other bytes`);
    const version = c.uint(1), old = version < 2;
    c.skip(old ? 4 : 0);
    const [address, length] = c.uints(1, 1);
    c.skip(old ? 9 + 4 * (version === 1) : 1);
    const [base, , end] = c.uints(8, 8, 8);
    if (version > 3 || address !== 8 || length !== 8 || base !== 0) throw foreign("superblock", "version 0 to 3 at 0 with addresses of 8 bytes", `version ${version} at ${base}, ${address}`);
    if (end > buffer.byteLength) throw damaged("end of the file", `${whole(end)} bytes`, whole(buffer.byteLength));
    c.skip(old ? 16 : 0);
    this.root = c.uint(8);
  }
  cursor(at, place) { return new Cursor(this.view, at, this.view.byteLength, place); }
  step(place, bytes = 0) { if ((this.steps += 1 + bytes / 100) > LIMITS.steps) throw damaged(place, `at most ${whole(LIMITS.steps)} parts`, "more"); }

  *messages(at, place) {
    const c = this.cursor(at, place), modern = c.word(4) === "OHDR", [version, flags] = modern ? c.uints(1, 1) : [this.view.getUint8(at), 0];
    if (version !== (modern ? 2 : 1)) throw damaged(place, "an object header", `version ${version}`);
    if (modern) c.skip((flags & 32 ? 16 : 0) + (flags & 16 ? 4 : 0)); else c.skip(4);
    const size = c.uint(modern ? 1 << (flags & 3) : 4);
    c.skip(modern ? 0 : 4);
    for (const blocks = [c.sub(size)]; blocks.length;) {
      const block = blocks.pop();
      while (block.end - block.at >= (modern ? 4 : 8)) {
        const [type, size, bits] = block.uints(modern ? 1 : 2, 2, 1);
        this.step(place, size);
        block.skip(modern ? (flags & 4 ? 2 : 0) : 3);
        const body = block.sub(size);
        if (type !== 16) { yield {type, shared: bits & 2, body}; continue; }
        const [next, length] = body.uints(8, 8), more = this.cursor(next, place);
        if (modern) more.expect("OCHK");
        blocks.push(more.sub(modern ? length - 8 : length));
      }
    }
  }
  shape(c) {
    const [version, rank, , kind] = c.uints(1, 1, 1, 1);
    c.skip(version === 1 ? 4 : 0);
    if (version > 2 || rank > 32) throw damaged(c.place, "a dataspace", `version ${version}, ${rank} dimensions`);
    return version === 2 && kind === 2 ? [0] : Array.from({length: rank}, () => c.uint(8));
  }
  type(c) {
    const [head, bits, , size] = c.uints(1, 1, 2, 4), kind = head & 15;
    if (kind === 8) return this.type(c);  // an enum is its numbers
    const array = {int1: Int8Array, int2: Int16Array, int4: Int32Array, int8: BigInt64Array, uint1: Uint8Array, uint2: Uint16Array, uint4: Uint32Array, uint8: BigUint64Array,
                   float4: Float32Array, float8: Float64Array}[(kind === 1 ? "float" : kind ? "" : bits & 8 ? "int" : "uint") + size];
    if (array && !(bits & 1)) return {size, array};
    if (kind === 9 && (bits & 15) === 1 && size === 16) return {size, text: true};
    if (kind === 3 && size > 0 && size <= LIMITS.text) return {size, fixed: true};
    return {size, unknown: kind === 6 ? "a compound (anndata before 0.7?)" : `${bits & 1 ? "big-endian numbers or " : ""}a type of class ${kind} and ${size} bytes`};
  }
  attribute(c) {
    const [version, flags, ...sizes] = c.uints(1, 1, 2, 2, 2);
    c.skip(version === 3 ? 1 : 0);
    const [word, kind, space] = sizes.map(n => { const part = c.sub(n); if (version === 1) c.skip((8 - n % 8) % 8); return part; });
    const name = ended(word.bytes(sizes[0]));
    if (flags & 3) return [name];
    const type = this.type(kind), shape = this.shape(space), n = shape.reduce((a, b) => a * b, 1);
    if (n > 64 || type.unknown) return [name];
    const values = this.values(type, c.bytes(n * type.size).slice(), c.place);
    return [name, shape.length ? values : values[0]];
  }
  layout(c, shape) {
    const [version, kind] = c.uints(1, 1), four = version === 4;
    if ((version !== 3 && !four) || kind > 2) throw foreign(c.place, "data in this file in a layout of version 3 or 4", `version ${version}, kind ${kind} (written with libver="latest"?)`);
    if (kind === 0) { const size = c.uint(2); return {at: c.at, size}; }
    if (kind === 1) { const [at, size] = c.uints(8, 8); return {at, size}; }
    const flags = four ? c.uint(1) : 0, rank = c.uint(1), root = four ? 0 : c.uint(8), width = four ? c.uint(1) : 4;
    if (rank !== shape.length + 1 || ![1, 2, 4, 8].includes(width)) throw damaged(c.place, `chunks of ${shape.length} dimensions`, rank - 1);
    const chunk = Array.from({length: rank}, () => c.uint(width)), bytes = chunk.reduce((a, b) => a * b, 1);
    if (!(bytes > 0 && bytes <= LIMITS.chunk)) throw damaged(c.place, `chunks of 1 to ${whole(LIMITS.chunk)} bytes`, whole(bytes));
    if (!four) return {chunk, bytes, root};
    const index = c.uint(1), [size, mask] = index === 1 && flags & 2 ? c.uints(8, 4) : [bytes, 0];
    if (index !== 1) throw foreign(c.place, "chunks under a B-tree of version 1", `index ${index} (written with libver="latest"?)`);
    return {chunk, bytes, single: {at: c.uint(8), size, mask}};
  }
  filters(c) {
    const [version, n] = c.uints(1, 1), out = [], names = {3: "fletcher32", 32001: "blosc", 32004: "lz4", 32015: "zstd"};
    c.skip(version === 1 ? 6 : 0);
    for (let i = 0; i < n; ++i) {
      const id = c.uint(2), name = version === 1 || id > 255 ? c.uint(2) : 0;
      const [, values] = c.uints(2, 2);
      c.skip(version === 1 ? Math.ceil(name / 8) * 8 : name);
      const given = c.sub(4 * (version === 1 ? Math.ceil(values / 2) * 2 : values));
      if (![1, 2, 32000].includes(id)) throw foreign(c.place, "gzip, lzf, shuffle or nothing", names[id] || `filter ${id}`);
      out.push({id, width: id === 2 && values ? given.uint(4) : 0});
    }
    return out;
  }
  open(at, place) {
    if (!this.opened.has(at)) this.opened.set(at, this.object(at, place));
    return this.opened.get(at);
  }
  object(at, place) {
    const it = {place, attributes: new Map(), links: null}, parts = {};
    for (const {type, shared, body} of this.messages(at, place)) {
      if (type === 12 && !shared) { const [name, value] = this.attribute(body); it.attributes.set(name, value); }
      else if (type === 17) it.links = this.symbols(body.uint(8), body.uint(8), place);
      else if (type === 6) { const link = this.link(body); it.links = it.links || new Map(); if (link) it.links.set(...link); }
      else if (type === 2) it.links = new Map([...it.links || [], ...this.dense(body)]);
      else if ([1, 3, 8, 11].includes(type)) { if (shared) throw foreign(place, "a type of its own", "a shared one"); parts[type] = body; }
    }
    if (it.links) return it;
    if (!parts[1] || !parts[3] || !parts[8]) throw damaged(place, "a group or a dataset", "neither");
    Object.assign(it, {shape: this.shape(parts[1]), type: this.type(parts[3]), filters: parts[11] ? this.filters(parts[11]) : []});
    it.layout = this.layout(parts[8], it.shape);
    if (it.shape.some(n => n > 2 ** 40)) throw damaged(place, "a size below 2^40", it.shape.join(" × "));
    return it;
  }
  /// The links of a large group in new style: a B-tree of version 2 names places in a fractal heap.
  dense(c) {
    const [, flags] = c.uints(1, 1);
    c.skip(flags & 1 ? 8 : 0);
    const [heapAt, treeAt] = c.uints(8, 8), links = new Map();
    if (heapAt === NOWHERE) return links;
    const heap = this.cursor(heapAt, c.place), tree = this.cursor(treeAt, c.place);
    heap.expect("FRHP");
    const [, idBytes, filters] = heap.uints(1, 2, 2);
    heap.skip(101);
    const [width, start, most, bits, , root, rows] = heap.uints(2, 8, 8, 2, 2, 8, 2);
    tree.expect("BTHD");
    const [, kind, node, record, depth, , , first, count] = tree.uints(1, 1, 4, 2, 2, 1, 1, 8, 2), offsetBytes = Math.ceil(bits / 8);
    if (filters || kind !== 5 || depth > 1 || idBytes > 8 || offsetBytes > 6 || !(width && start && most >= start))
      throw foreign(c.place, "a heap of links of at most two levels", `${depth + 1} levels of kind ${kind}, ${filters} bytes of filters`);
    const block = offset => {  // where a place of the heap is in the file
      if (!rows) return root + offset;
      const table = this.cursor(root, c.place);
      table.expect("FHIB");
      table.skip(9 + offsetBytes);
      for (let row = 0, size = start, from = 0; row < rows && size <= most; ++row, size *= row > 1 ? 2 : 1) {
        if (offset < from + width * size) { const column = Math.floor((offset - from) / size); table.skip(8 * (row * width + column)); return table.uint(8) + offset - from - column * size; }
        from += width * size;
      }
      throw foreign(c.place, "links in the first blocks of a heap", `one at ${offset}`);
    };
    const leaf = (n, t) => {
      for (; n; --n) {
        const r = t.sub(record);
        this.step(c.place);
        const [, type] = r.uints(4, 1);  // a hash, and what the heap holds
        if (type & 48) throw foreign(c.place, "links in the blocks of a heap", `type ${type}`);
        const at = block(r.uint48(offsetBytes)), found = this.link(this.cursor(at, c.place));
        if (found) links.set(...found);
      }
    };
    const open = (at, word) => { const t = this.cursor(at, c.place); t.expect(word); t.skip(2); return t; };
    if (!depth) leaf(count, open(first, "BTLF"));
    else {
      const t = open(first, "BTIN"), many = Math.floor((node - 10) / record) > 255 ? 2 : 1;
      leaf(count, t);
      for (let i = 0; i <= count; ++i) { const [at, n] = t.uints(8, many); leaf(n, open(at, "BTLF")); }
    }
    return links;
  }
  link(c) {
    const [, flags] = c.uints(1, 1), kind = flags & 8 ? c.uint(1) : 0;
    c.skip((flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0));
    const n = c.uint(1 << (flags & 3)), name = utf8.decode(c.bytes(n > LIMITS.text ? Infinity : n));
    return kind === 0 ? [name, c.uint(8)] : null;
  }
  symbols(tree, heap, place) {
    const links = new Map(), h = this.cursor(heap, place);
    h.expect("HEAP");
    const [, size, , from] = h.uints(4, 8, 8, 8), names = this.cursor(from, place).sub(size);
    this.walk(tree, 0, 8, place, (_, at) => {
      const c = this.cursor(at, place);
      c.expect("SNOD");
      for (let [, n] = c.uints(2, 2); n; --n) {
        const [from, target, kind] = c.uints(8, 8, 4), name = new Cursor(this.view, names.at + from, names.end, place);
        const text = ended(name.bytes(Math.min(name.end - name.at, LIMITS.text)));
        this.step(place, text.length);
        if (kind !== 2) links.set(text, target);  // 2: a soft link
        c.skip(20);
      }
    });
    return links;
  }
  /// B-tree of version 1: `leaf(key, child)` for each child of its lowest nodes.
  walk(at, kind, width, place, leaf, under = 64) {
    const c = this.cursor(at, place);
    c.expect("TREE");
    const [found, level, n] = c.uints(1, 1, 2);
    if (found !== kind || level >= under) throw damaged(place, `a B-tree of kind ${kind} below level ${under}`, `kind ${found}, level ${level}`);
    c.skip(16);
    for (let i = 0; i < n; ++i) {
      this.step(place);
      const key = c.sub(width), child = c.uint(8);
      if (level) this.walk(child, kind, width, place, leaf, level);
      else leaf(key, child);
    }
  }

  values(type, bytes, place, pick) {
    const n = Math.floor(bytes.length / type.size);
    if (type.array) {
      const out = new type.array(bytes.buffer, bytes.byteOffset, n);
      return type.size === 8 && type.array !== Float64Array ? Float64Array.from(out, Number) : out;
    }
    const one = i => type.fixed ? ended(bytes.subarray(i * type.size, (i + 1) * type.size)).trimEnd() : this.text(new Cursor(new DataView(bytes.buffer, bytes.byteOffset), i * 16, bytes.length, place));
    return pick ? Array.from(pick, one) : Array.from({length: n}, (_, i) => one(i));
  }
  text(c) {
    const [length, heap, index] = c.uints(4, 8, 4);
    this.step(c.place, length);
    if (!length) return "";
    if (!this.heaps.has(heap)) this.heaps.set(heap, this.heap(heap, c.place));
    const found = this.heaps.get(heap).get(index);
    if (!found || found.size < length || length > LIMITS.text) throw damaged(c.place, `a text of ${length} bytes`, found ? `${found.size}` : "none");
    return utf8.decode(this.cursor(found.at, c.place).bytes(length));
  }
  heap(at, place) {
    const c = this.cursor(at, place), objects = new Map();
    c.expect("GCOL");
    c.skip(4);
    c.end = Math.min(c.end, at + c.uint(8));
    while (c.end - c.at >= 16) {
      this.step(place);
      const [index, , , size] = c.uints(2, 2, 4, 8);
      if (!index) break;
      objects.set(index, {at: c.skip(size), size});
      c.skip(Math.min((8 - size % 8) % 8, c.end - c.at));
    }
    return objects;
  }

  /// Rows begin <= i < end of a dataset of one or two dimensions, as one array of numbers or texts
  /// (of `pick` only). What was never written is 0.
  async rows(d, begin, end, pick) {
    const [n, columns = 1] = d.shape, size = d.type.size, row = columns * size;
    if (d.type.unknown) throw foreign(d.place, "numbers or texts", d.type.unknown);
    if (!(d.shape.length >= 1 && d.shape.length <= 2)) throw foreign(d.place, "one or two dimensions", d.shape.length);
    if (!(begin >= 0 && begin <= end && end <= n)) throw damaged(d.place, `rows within ${n}`, `${begin} to ${end}`);
    if ((end - begin) * row > LIMITS.piece) throw foreign(d.place, `at most ${whole(LIMITS.piece)} bytes at once`, whole((end - begin) * row));
    const out = new Uint8Array((end - begin) * row), {layout} = d;
    if (!layout.chunk) {
      if (layout.size < end * row && layout.at !== NOWHERE) throw damaged(d.place, `${whole(n * row)} bytes`, whole(layout.size));
      if (layout.at !== NOWHERE) out.set(this.cursor(layout.at + begin * row, d.place).bytes(out.length));
      return this.values(d.type, out, d.place, pick);
    }
    const [tall, wide] = d.shape.length === 2 ? layout.chunk : [layout.chunk[0], 1], across = Math.ceil(columns / wide);
    if (across * layout.bytes > LIMITS.piece) throw foreign(d.place, `chunks of ${whole(LIMITS.piece)} bytes side by side`, whole(across * layout.bytes));
    if (tall * wide * size !== layout.bytes) throw damaged(d.place, `elements of ${size} bytes`, "others in its chunks");
    const visits = across * (Math.ceil(end / tall) - Math.floor(begin / tall));
    if (visits > LIMITS.visits) throw foreign(d.place, `at most ${whole(LIMITS.visits)} chunks at once`, whole(visits));
    for (let r = Math.floor(begin / tall); r * tall < end; ++r) for (let k = 0; k < across; ++k) {
      const bytes = await this.chunk(d, r * across + k, across, tall, wide);
      if (!bytes) continue;
      const width = Math.min(wide, columns - k * wide) * size;
      for (let i = Math.max(begin, r * tall); i < Math.min(end, (r + 1) * tall); ++i) {
        const from = (i - r * tall) * wide * size;
        out.set(bytes.subarray(from, from + width), (i - begin) * row + k * wide * size);
      }
    }
    return this.values(d.type, out, d.place, pick);
  }
  chunks(d, across, tall, wide) {
    const {layout, place} = d, found = new Map(), [n, columns = 1] = d.shape;
    if (layout.single) return found.set(0, layout.single);
    if (layout.root === NOWHERE) return found;
    this.walk(layout.root, 1, 16 + 8 * d.shape.length, place, (key, at) => {
      const [size, mask, i] = key.uints(4, 4, 8), k = d.shape.length === 2 ? key.uint(8) : 0, number = i / tall * across + k / wide;
      if (!(i < n && k < columns && Number.isInteger(number)) || found.has(number)) throw damaged(place, "chunks side by side", `one at ${i}, ${k}`);
      found.set(number, {at, size, mask});
    });
    return found;
  }
  async chunk(d, number, across, tall, wide) {
    d.chunks = d.chunks || this.chunks(d, across, tall, wide);
    d.held = d.held || new Map();
    if (d.held.has(number)) return d.held.get(number);
    const c = d.chunks.get(number);
    if (!c) return null;
    let bytes = this.cursor(c.at, d.place).bytes(c.size);
    try {
      for (let f = d.filters.length - 1; f >= 0; --f) {
        if (c.mask >> f & 1) continue;
        const {id, width} = d.filters[f];
        bytes = id === 1 ? await inflate(bytes, d.layout.bytes) : id === 2 ? (width > 1 ? unshuffle(bytes, width) : bytes) : unlzf(bytes, d.layout.bytes);
      }
    } catch (problem) { throw damaged(`${d.place}, chunk ${number}`, "what unpacks", problem.message); }
    if (bytes.length !== d.layout.bytes) throw damaged(`${d.place}, chunk ${number}`, `${d.layout.bytes} bytes`, bytes.length);
    while (d.held.size && (d.held.size + 1) * bytes.length > Math.max(LIMITS.cached, across * bytes.length)) d.held.delete(d.held.keys().next().value);
    d.held.set(number, bytes);
    return bytes;
  }
}
