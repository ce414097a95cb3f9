"use strict";
const $ = id => document.getElementById(id);
const kAtOnce = 64, kMostCells = 5000, kMostBytes = 2 ** 30;
let turn = 0;  // of the file that was given last: an older one's work stops

async function call(path, options = {}) {
  const headers = {Accept: "application/json", ...(options.headers || {})};
  if ($("token").value) headers.Authorization = "Bearer " + $("token").value;
  const reply = await fetch(path, {...options, headers}), body = await reply.json();
  if (!reply.ok) throw Error(body.error + (body.errors || []).map(e => "\n" + (e.path || "(request)") + ": " + e.message).join(""));
  return body;
}
async function models() {
  const all = (await call("/api/models")).models.map(m => m.model_id).filter(id => id.endsWith("_predict-metadata"));
  $("model").replaceChildren(...all.map(id => new Option(id.replace("_predict-metadata", ""), id)));
}
async function predict(model, counts) {
  const body = JSON.stringify({inputs: counts.map(c => ({counts: c})), seed: 1});
  const {modelQueryId} = await call(`/api/models/${model}/predict`, {method: "POST", body, headers: {"Content-Type": "application/json"}});
  for (;;) {
    const state = await call(`/api/model-queries/${modelQueryId}/status`);
    if (state.status === "failed") throw Error(state.message);
    if (state.status === "ready") return (await call(new URL(state.downloadUrl).pathname)).outputs;
  }
}

// A file as {names, total, genes: {hits, names, name}, labels: Map, place, counts(begin, end)}.
function readTable(text, known) {
  const lines = text.split(/\r?\n/).filter(line => line.trim()), by = (lines[0] || "").includes("\t") ? "\t" : ",";
  const rows = lines.map(line => line.split(by).map(cell => cell.trim().replace(/^"(.*)"$/, "$1")));
  if (rows.length < 2) throw Error("A table has names in its first line and counts below: this one has " + rows.length + " lines.");
  const hits = list => new Set(list.filter(name => known.has(name))).size;
  const down = rows.slice(1).map(row => row[0]), across = rows[0].slice(rows[0].length === rows[1].length ? 1 : 0);
  const tall = hits(down) >= hits(across), names = tall ? across : down, genes = tall ? down : across, columns = columnsOf(genes, known);
  const counts = (begin, end) => names.slice(begin, end).map((_, s) => {
    const out = new Array(known.size).fill(0);
    columns.forEach((at, g) => { if (at >= 0) out[at] = Number((tall ? rows[g + 1][begin + s + 1] : rows[begin + s + 1][g + 1]) || 0); });
    return out;
  });
  return {names, total: names.length, genes: {names: genes, hits: hits(genes)}, labels: new Map(), place: tall ? "genes down" : "genes across", counts};
}
async function read(file, known) {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (start[0] !== 0x89 && !/\.(h5ad|h5|hdf5|loom)$/i.test(file.name)) return readTable(await file.text(), known);
  if (file.size > kMostBytes) throw Error(`${file.name} has ${whole(file.size)} bytes; this page takes up to ${whole(kMostBytes)}.\nOn the command line: cellmill predict-metadata --input ${file.name}`);
  return readH5ad(await file.arrayBuffer(), known, kMostCells);
}
function tell({names, total, genes, place, passed = []}, known, file) {
  const some = names.length < total ? `${whole(names.length)} of ${whole(total)} samples, evenly spaced` : `${whole(total)} samples`;
  $("state").textContent = `${file.name}: ${some} (${place}), ${whole(genes.hits)} of the model's ${whole(known.size)} genes`;
  const notes = passed.map(text => `${text}, no counts: ${place} was taken.`);
  if (genes.name && genes.name !== "var_names") notes.push(`Genes are named by ${genes.name}.`);
  if (genes.hits < known.size / 2) notes.push("Fewer than half of the model's genes are in this file; the others count as 0, and labels may be wrong.");
  if (names.length < total) notes.push(`For all: cellmill predict-metadata --input ${file.name}`);
  $("note").textContent = notes.join("\n");
}
async function take(file) {
  const mine = ++turn, text = (id, words) => { if (mine === turn) $(id).textContent = words; };
  ["error", "note", "answer"].forEach(id => text(id, ""));
  text("state", `Reading ${file.name} …`);
  try {
    const model = $("model").value, {gene_order} = await call(`/api/models/${model}/genes`), known = new Map(gene_order.map((gene, i) => [gene, i]));
    const given = await read(file, known), outputs = [], n = given.names.length;
    if (mine !== turn) return;
    if (!given.genes.hits) throw Error(`No gene name of this file is one of the model's, such as ${gene_order.slice(0, 3).join(", ")}; found ${given.genes.names.slice(0, 3).join(", ")}.`);
    tell(given, known, file);
    for (let i = 0; i < n; i += kAtOnce) {
      $("progress").hidden = n <= kAtOnce;
      $("progress").value = i / n;
      outputs.push(...await predict(model, await given.counts(i, Math.min(n, i + kAtOnce))));
      if (mine !== turn) return;
    }
    show(given.names, outputs, given.labels);
  } catch (problem) {
    text("state", ""); text("note", ""); text("error", `${file.name}: ${problem.message.replace("--input FILE", "--input " + file.name)}`);
  }
  if (mine === turn) $("progress").hidden = true;
}

// What is shown.
function add(parent, name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  parent.append(e);
  return e;
}
function svg(name, attributes, parent, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) e.setAttribute(key, attributes[key]);
  if (text !== undefined) e.textContent = text;
  parent && parent.append(e);
  return e;
}
function bar(parent, rem) { add(parent, "span", "", "bar").style.width = rem + "rem"; }
const percent = p => `${(100 * p).toFixed(0)} %`, likely = (output, field) => Object.entries(output.classifier_probs[field]).reduce((a, b) => b[1] > a[1] ? b : a);
function ranked(list) {
  const many = new Map();
  list.forEach(text => many.set(text, (many.get(text) || 0) + 1));
  return [...many].sort((a, b) => b[1] - a[1]);
}
function show(names, outputs, labels) {
  const fields = Object.keys(outputs[0].classifier_probs);
  $("answer").replaceChildren();
  if (names.length > 1) shares(outputs, fields);
  if (names.length > 2 && outputs[0].latents.biological.length > 1) plot(names, outputs, fields, labels);
  table(names, outputs, fields);
}
function shares(outputs, fields) {
  const box = add($("answer"), "section");
  add(box, "h2", "Most probable labels");
  const grid = add(box, "div", undefined, "fields");
  fields.forEach(field => {
    const one = add(grid, "div"), list = ranked(outputs.map(o => likely(o, field)[0]));
    add(one, "h3", field);
    list.slice(0, 5).forEach(([label, n]) => {
      const line = add(one, "div", undefined, "share");
      add(line, "span", label).title = label;
      bar(add(line, "span"), 6 * n / outputs.length);
      add(line, "span", percent(n / outputs.length));
    });
    if (list.length > 5) add(one, "small", `and ${list.length - 5} more`);
  });
}
function table(names, outputs, fields) {
  const box = add($("answer"), "section"), head = add(box, "div", undefined, "head");
  add(head, "h2", "Each sample");
  const lines = [["sample", ...fields.flatMap(f => [f, f + "_probability"])]], t = add(add(box, "div", undefined, "table"), "table"), body = t.createTBody(), top = t.createTHead().insertRow();
  ["sample", ...fields].forEach(name => add(top, "th", name));
  outputs.forEach((output, i) => {
    const row = body.insertRow(), best = fields.map(f => likely(output, f));
    row.insertCell().textContent = names[i];
    best.forEach(([label, p]) => { const cell = row.insertCell(); bar(cell, 3 * p); cell.append(`${label} ${percent(p)}`); });
    lines.push([names[i], ...best.flatMap(([label, p]) => [label, p.toFixed(4)])]);
  });
  add(head, "button", "Save as CSV").onclick = () => {
    const text = lines.map(line => line.map(cell => /[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell).join(",")).join("\n") + "\n", a = document.createElement("a");
    a.href = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
    a.download = "labels.csv";
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 1000);
  };
}
/// The rows' places along the two directions in which they differ most.
function mainDirections(z) {
  const mean = z[0].map((_, k) => z.reduce((s, row) => s + row[k], 0) / z.length), rows = z.map(row => row.map((v, k) => v - mean[k])), axes = [];
  for (let a = 0; a < 2; ++a) {
    let w = mean.map((_, k) => Math.sin(k + 1 + a));
    for (let i = 0; i < 100; ++i) {
      axes.forEach(u => { const c = u.reduce((s, v, k) => s + v * w[k], 0); w = w.map((v, k) => v - c * u[k]); });
      const next = new Array(w.length).fill(0);
      rows.forEach(row => { const c = row.reduce((s, v, k) => s + v * w[k], 0); row.forEach((v, k) => next[k] += c * v); });
      const length = Math.hypot(...next) || 1;
      w = next.map(v => v / length);
    }
    axes.push(w);
  }
  return rows.map(row => axes.map(w => row.reduce((s, v, k) => s + v * w[k], 0)));
}
const kColours = ["#2b6cb0", "#dd6b20", "#2f855a", "#b83280", "#d69e2e", "#0987a0", "#c53030", "#6b46c1", "#718096", "#7b341e", "#68d391", "#f687b3", "#90cdf4", "#f6ad55", "#9f7aea", "#1a202c"];
function plot(names, outputs, fields, labels) {
  const box = add($("answer"), "section"), head = add(box, "div", undefined, "head"), choice = document.createElement("select");
  add(head, "h2", "Samples by their biological latent");
  add(head, "label", "Colour: ").append(choice);
  choice.id = "colour";
  const group = (label, list, mark) => { const g = add(choice, "optgroup"); g.label = label; list.forEach(name => g.append(new Option(mark === "f:" ? `${name} (in the file)` : name, mark + name))); };
  group("predicted", fields, "p:");
  if (labels.size) group("in the file", [...labels.keys()], "f:");
  const both = add(box, "div", undefined, "plot"), figure = svg("svg", {viewBox: "0 0 560 400", role: "img", "aria-label": "samples by their biological latent"}, both), legend = add(both, "ul");
  const xy = mainDirections(outputs.map(o => o.latents.biological)), most = [0, 1].map(a => Math.max(1e-9, ...xy.map(p => Math.abs(p[a]))));
  choice.onchange = () => {
    const name = choice.value.slice(2), label = choice.value[0] === "p" ? outputs.map(o => likely(o, name)[0]) : labels.get(name);
    const seen = ranked(label), colour = new Map(seen.map(([text], i) => [text, kColours[i % kColours.length]]));
    figure.replaceChildren();
    legend.replaceChildren();
    xy.forEach((p, i) => svg("title", {}, svg("circle", {cx: 280 + 262 * p[0] / most[0], cy: 200 - 184 * p[1] / most[1], r: names.length > 500 ? 2.5 : 5, fill: colour.get(label[i]), "fill-opacity": .75}, figure), `${names[i]}: ${label[i]}`));
    seen.forEach(([text, n]) => { const line = add(legend, "li"); svg("circle", {cx: 5, cy: 5, r: 5, fill: colour.get(text)}, svg("svg", {viewBox: "0 0 10 10"}, line)); line.append(`${text || "(none)"}: ${whole(n)}`); });
  };
  choice.onchange();
}

const say = problem => { $("error").textContent = problem.message; };
$("file").onchange = () => { if ($("file").files[0]) take($("file").files[0]); $("file").value = ""; };
$("drop").ondragover = e => { e.preventDefault(); $("drop").className = "over"; };
$("drop").ondragleave = () => { $("drop").className = ""; };
$("drop").ondrop = e => { e.preventDefault(); $("drop").className = ""; if (e.dataTransfer.files[0]) take(e.dataTransfer.files[0]); };
$("settings").onsubmit = e => e.preventDefault();
$("token").onchange = () => models().then(() => { $("error").textContent = ""; }, say);
models().catch(say);
