"use strict";
// Counts of an AnnData file for the page, over hdf5.js. Source: anndata "On-disk format".

const kRawNames = ["counts", "raw_counts", "count", "raw", "umi", "UMIs"];

class H5ad {
  constructor(buffer) { this.file = new Hdf5(buffer); this.root = this.file.open(this.file.root, "/"); }
  find(path, from = this.root) {
    for (const name of path.split("/")) {
      if (!from || !from.links || !from.links.has(name)) return null;
      from = this.file.open(from.links.get(name), path);
    }
    return from;
  }
  need(path, what) {
    const found = this.find(path);
    if (!found) throw foreign(path, what, `none; this file has ${[...(this.root.links || new Map()).keys()].slice(0, 8).join(", ") || "nothing"}`);
    return found;
  }
  numbers(d) {
    if (!d || !d.shape || !d.type.array || d.shape.length !== 1) throw foreign(d ? d.place : "X", "a list of numbers", "something else");
    return this.file.rows(d, 0, d.shape[0]);
  }

  /// {place, kind: dense, csr or csc, n, genes, values, indices, indptr}, or null.
  async matrix(place) {
    const it = this.find(place);
    if (!it) return null;
    if (it.shape) {
      if (it.shape.length !== 2 || !it.type.array) throw foreign(place, "a table of numbers", `${it.shape.length} dimensions, ${it.type.unknown || "texts"}`);
      return {place, kind: "dense", n: it.shape[0], genes: it.shape[1], values: it};
    }
    const kind = {csr_matrix: "csr", csc_matrix: "csc"}[it.attributes.get("encoding-type")], shape = it.attributes.get("shape");
    if (!kind || !shape || shape.length !== 2) throw foreign(place, "dense, csr_matrix or csc_matrix with a shape", it.attributes.get("encoding-type") || "a group without encoding-type");
    const [values, indices, index] = ["data", "indices", "indptr"].map(name => this.need(`${place}/${name}`, "a part of a sparse matrix"));
    const indptr = await this.numbers(index), [n, genes] = Array.from(shape, Math.floor), length = (kind === "csr" ? n : genes) + 1;
    const sizes = [values, indices].map(d => d.shape && d.type.array && d.shape.length === 1 ? d.shape[0] : -1);
    if (indptr.length !== length || sizes[0] !== sizes[1] || indptr[length - 1] !== sizes[0] || indptr.some((v, i) => v < (i ? indptr[i - 1] : 0)))
      throw damaged(place, `${length} ascending places up to ${sizes[0]}`, `${indptr.length} up to ${indptr[indptr.length - 1]}`);
    return {place, kind, n, genes, values, indices, indptr};
  }
  /// The first of X, the layers that are called counts, raw/X and the other layers with whole numbers only.
  async counts() {
    const layers = [...((this.find("layers") || {}).links || new Map()).keys()], named = kRawNames.filter(name => layers.includes(name));
    const places = ["X", ...named.map(name => "layers/" + name), "raw/X", ...layers.filter(name => !named.includes(name)).slice(0, 8).map(name => "layers/" + name)];
    const seen = [];
    for (const place of places) {
      const m = await this.matrix(place);
      if (!m) continue;
      const some = await this.file.rows(m.values, 0, Math.min(m.values.shape[0], m.kind === "dense" ? Math.ceil(4096 / Math.max(1, m.genes)) : 4096));
      const odd = some.find(v => !(v >= 0 && Number.isInteger(v)));
      if (odd === undefined) return {...m, passed: seen};
      seen.push(`${place} holds ${Number(odd.toFixed(4))}`);
    }
    if (!seen.length) this.need("X", "counts, as AnnData has them");
    throw new FileError("counts", "whole numbers in X, a layer or raw/X", seen.join(", "), 'The model reads raw counts. Keep them in a layer: adata.layers["counts"].');
  }

  columns(table) {
    const it = this.need(table, "an AnnData table"), index = it.attributes.get("_index");
    if (!it.links || !it.links.has(index)) throw foreign(table, "a table with an index", it.shape ? "a compound (anndata before 0.7?)" : "none");
    return {index, others: [...it.links.keys()].filter(name => name !== index && !name.startsWith("__"))};
  }
  /// A column's texts for `pick` (default: all), or null if it holds something else.
  async texts(path, n, pick) {
    let it = this.find(path), codes = null;
    if (it && it.links && it.links.has("codes")) { codes = await this.numbers(this.find("codes", it)); it = this.find("categories", it); }
    else if (it && it.links) it = this.find("values", it);
    if (!it || !it.shape || it.type.array || it.type.unknown || it.shape.length !== 1) return null;
    if ((codes ? codes.length : it.shape[0]) !== n) throw damaged(path, `${n} values`, codes ? codes.length : it.shape[0]);
    const texts = await this.file.rows(it, 0, it.shape[0], codes ? undefined : pick);
    return codes ? Array.from(pick || codes.keys(), i => texts[codes[i]] || "") : texts;
  }
  /// Of the index and the columns of var, the one with the most names that `known` has.
  async genes(table, n, known) {
    const {index, others} = this.columns(table);
    let best = null;
    for (const name of [index, ...others].slice(0, 16)) {
      const names = await this.texts(`${table}/${name}`, n), hits = names ? new Set(names.filter(gene => known.has(gene))).size : 0;
      if (names && (!best || hits > best.hits)) best = {names, hits, name: name === index ? "var_names" : `var["${name}"]`};
      if (best && best.hits > known.size / 2) break;
    }
    if (!best) throw foreign(table, "gene names", "an index without texts");
    return best;
  }
  /// The categories of obs that have 2 to 40 values, for `pick`: {column: texts}.
  async labels(names, n, pick) {
    const out = new Map();
    for (const name of names.slice(0, 200)) {
      const categories = out.size < 12 && this.find(`obs/${name}/categories`);
      if (!categories || !categories.shape || !(categories.shape[0] > 1 && categories.shape[0] <= 40)) continue;
      const texts = await this.texts(`obs/${name}`, n, pick);
      if (texts) out.set(name, texts);
    }
    return out;
  }
}

/// Of `most` cells at most, evenly spaced. `known`: Map of the model's genes to their places.
/// {names, total, genes, labels, place, passed, counts(begin, end)}; counts: an array a cell, in the model's order.
async function readH5ad(buffer, known, most) {
  const file = new H5ad(buffer), m = await file.counts(), {index, others} = file.columns("obs");
  if (!(m.n > 0 && m.n < 2 ** 26 && m.genes < 2 ** 22)) throw foreign(m.place, "1 to 67 million cells, fewer than 4 million genes", `${m.n} and ${m.genes}`);
  const picked = Math.min(m.n, most), pick = Array.from({length: picked}, (_, i) => Math.floor(i * m.n / picked));
  const genes = await file.genes(m.place === "raw/X" ? "raw/var" : "var", m.genes, known);
  const names = await file.texts(`obs/${index}`, m.n, pick) || pick.map(String), labels = await file.labels(others, m.n, pick);
  const column = columnsOf(genes.names, known), read = (d, a, b) => file.file.rows(d, a, b);
  const place = gene => { if (!(gene < column.length)) throw damaged(m.place, `a gene below ${column.length}`, gene); return column[gene]; };
  let turned = null;  // of CSC, once: place and value by turns, of each picked cell
  async function turn() {
    const row = new Int32Array(m.n).fill(-1), lists = pick.map((cell, i) => (row[cell] = i, []));
    const cells = await read(m.indices, 0, m.indices.shape[0]), values = await read(m.values, 0, cells.length);
    for (let gene = 0; gene < m.genes; ++gene) if (column[gene] >= 0) for (let k = m.indptr[gene]; k < m.indptr[gene + 1]; ++k) {
      if (!(cells[k] < m.n)) throw damaged(m.place, `a cell below ${m.n}`, cells[k]);
      if (row[cells[k]] >= 0) lists[row[cells[k]]].push(column[gene], values[k]);
    }
    return lists;
  }
  async function counts(begin, end) {
    const out = [];
    for (let i = begin; i < end; ++i) {
      const sums = new Array(known.size).fill(0), add = (at, value) => { if (at >= 0) sums[at] += value; };
      out.push(sums);
      if (m.kind === "dense") {
        (await read(m.values, pick[i], pick[i] + 1)).forEach((value, gene) => add(place(gene), value));
      } else if (m.kind === "csr") {
        const [a, b] = [m.indptr[pick[i]], m.indptr[pick[i] + 1]], values = await read(m.values, a, b);
        (await read(m.indices, a, b)).forEach((gene, k) => add(place(gene), values[k]));
      } else {
        turned = turned || await turn();
        for (let k = 0; k < turned[i].length; k += 2) add(turned[i][k], turned[i][k + 1]);
      }
    }
    return out;
  }
  return {names, total: m.n, genes, labels, place: m.place, passed: m.passed, counts};
}

/// Of each of a file's genes the place in the model, or -1; of a name that stands twice the first one counts.
function columnsOf(names, known) {
  const seen = new Set();
  return Int32Array.from(names, name => known.has(name) && !seen.has(name) ? (seen.add(name), known.get(name)) : -1);
}
