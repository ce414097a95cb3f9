#include "serve/page.h"

namespace cellmill::serve {

std::string page() {
  return R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>cellmill: what are these samples?</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}
#drop{border:2px dashed #8aa0b4;border-radius:8px;padding:2rem;text-align:center}
#drop.over{background:#eef5fb}
table{border-collapse:collapse;margin-top:1rem;display:block;max-height:24rem;overflow:auto}
td,th{padding:.2rem .7rem;border-bottom:1px solid #dde4ea;text-align:left;white-space:nowrap}th{position:sticky;top:0;background:#fff}
.bar{display:inline-block;height:.7em;background:#2b6cb0;border-radius:2px;vertical-align:middle;margin-right:.4rem}
#error{color:#a3231b;white-space:pre-wrap}label{margin-right:1rem}
</style></head><body>
<h1>What are these samples?</h1>
<p>Drop a CSV of counts: genes down and samples across, or samples down and genes across. It is matched to the model by gene name.</p>
<p><label>Model <select id="model"></select></label>
<label>Token <input id="token" type="password" autocomplete="off" size="20"></label></p>
<div id="drop"><input id="file" type="file" accept=".csv,.tsv,.txt" aria-label="CSV of counts"></div>
<p id="state" role="status"></p><p id="error" role="alert"></p><div id="answer"></div>
<script>
const $ = id => document.getElementById(id), most = 64;
async function call(path, options = {}) {
  const headers = {Accept: "application/json", ...(options.headers || {})};
  if ($("token").value) headers.Authorization = "Bearer " + $("token").value;
  const reply = await fetch(path, {...options, headers}), body = await reply.json();
  if (!reply.ok) throw Error(body.error + (body.errors || []).map(e => "\n" + (e.path || "(request)") + ": " + e.message).join(""));
  return body;
}
async function models() {
  const all = (await call("/api/models")).models.map(m => m.model_id).filter(id => id.endsWith("_predict-metadata"));
  $("model").replaceChildren(...all.map(id => new Option(id)));
}
function table(text) {
  const rows = text.split(/\r?\n/).filter(line => line.trim());
  const by = rows[0].includes("\t") ? "\t" : ",";
  return rows.map(line => line.split(by).map(cell => cell.trim().replace(/^"(.*)"$/, "$1")));
}
function samples(rows, genes) {
  const place = new Map(genes.map((gene, i) => [gene, i])), hits = list => list.filter(name => place.has(name)).length;
  const down = rows.slice(1).map(row => row[0]), across = rows[0].slice(rows[0].length === rows[1].length ? 1 : 0);
  const tall = hits(down) >= hits(across), names = tall ? across : down, known = tall ? down : across;
  if (!hits(known)) throw Error("No gene name of this table is one of the model's, such as " + genes.slice(0, 3).join(", "));
  const counts = names.map(() => new Array(genes.length).fill(0));
  known.forEach((gene, g) => { if (place.has(gene)) names.forEach((_, s) => {
    const cell = tall ? rows[g + 1][s + 1] : rows[s + 1][g + 1];
    counts[s][place.get(gene)] = cell === "" ? 0 : Number(cell);
  }); });
  return {names, counts, matched: hits(known), tall};
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
function cell(row, text, bar) {
  const td = row.insertCell();
  if (bar !== undefined) { const b = td.appendChild(document.createElement("span")); b.className = "bar"; b.style.width = 3 * bar + "rem"; }
  td.append(text);
}
function show(names, outputs) {
  const t = document.createElement("table"), fields = Object.keys(outputs[0].classifier_probs), head = t.createTHead().insertRow();
  ["sample", ...fields].forEach(name => { const th = document.createElement("th"); th.textContent = name; head.append(th); });
  const body = t.createTBody();
  outputs.forEach((output, i) => {
    const row = body.insertRow(); cell(row, names[i]);
    fields.forEach(f => { const [label, p] = Object.entries(output.classifier_probs[f]).reduce((a, b) => b[1] > a[1] ? b : a); cell(row, `${label} ${(100 * p).toFixed(0)} %`, p); });
  });
  $("answer").replaceChildren(t, ...plot(names, outputs, fields));
}
const colours = ["#2b6cb0", "#c05621", "#2f855a", "#97266d", "#b7791f", "#4a5568", "#0987a0", "#9b2c2c"];
function svg(name, attributes, parent, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) e.setAttribute(key, attributes[key]);
  if (text !== undefined) e.textContent = text;
  parent && parent.append(e);
  return e;
}
// Samples by the two directions of the biological latent in which they differ most, coloured by one field's label.
function plot(names, outputs, fields) {
  const z = outputs.map(o => o.latents.biological), d = z[0].length;
  if (z.length < 3 || d < 2) return [];
  const mean = z[0].map((_, k) => z.reduce((s, row) => s + row[k], 0) / z.length), rows = z.map(row => row.map((v, k) => v - mean[k]));
  const axes = [];
  for (let a = 0; a < 2; ++a) {
    let w = mean.map((_, k) => Math.sin(k + 1 + a));
    for (let i = 0; i < 100; ++i) {
      axes.forEach(u => { const c = u.reduce((s, v, k) => s + v * w[k], 0); w = w.map((v, k) => v - c * u[k]); });
      const next = new Array(d).fill(0);
      rows.forEach(row => { const c = row.reduce((s, v, k) => s + v * w[k], 0); row.forEach((v, k) => next[k] += c * v); });
      const length = Math.hypot(...next) || 1;
      w = next.map(v => v / length);
    }
    axes.push(w);
  }
  const xy = rows.map(row => axes.map(w => row.reduce((s, v, k) => s + v * w[k], 0)));
  const most = [0, 1].map(a => Math.max(1e-9, ...xy.map(p => Math.abs(p[a])))), place = p => [200 + 170 * p[0] / most[0], 140 - 115 * p[1] / most[1]];
  const figure = svg("svg", {viewBox: "0 0 620 280", width: 620, role: "img", "aria-label": "samples by their biological latent"});
  const choice = document.createElement("select"), line = document.createElement("p");
  choice.id = "colour";
  choice.replaceChildren(...fields.map(f => new Option(f)));
  line.append("Samples by their biological latent (its two main directions), coloured by ", choice);
  choice.onchange = () => {
    figure.replaceChildren();
    svg("rect", {x: 10, y: 10, width: 380, height: 260, fill: "none", stroke: "#dde4ea"}, figure);
    const label = o => Object.entries(o.classifier_probs[choice.value]).reduce((a, b) => b[1] > a[1] ? b : a)[0];
    const seen = [...new Set(outputs.map(label))];
    outputs.forEach((o, i) => { const [cx, cy] = place(xy[i]); svg("title", {}, svg("circle", {cx, cy, r: 5, fill: colours[seen.indexOf(label(o)) % colours.length], "fill-opacity": .8}, figure), names[i]); });
    seen.slice(0, 11).forEach((text, i) => { svg("circle", {cx: 410, cy: 24 + 22 * i, r: 5, fill: colours[i % colours.length]}, figure); svg("text", {x: 422, y: 29 + 22 * i, "font-size": 14}, figure, text); });
  };
  choice.onchange();
  return [line, figure];
}
async function take(file) {
  $("error").textContent = ""; $("answer").replaceChildren();
  try {
    if (/\.(h5ad|h5|loom)$/i.test(file.name)) throw Error("This page reads CSV. For " + file.name + ": cellmill predict-metadata --input " + file.name);
    const model = $("model").value, {gene_order} = await call(`/api/models/${model}/genes`);
    const {names, counts, matched, tall} = samples(table(await file.text()), gene_order);
    const told = `${names.length} samples (${tall ? "genes down" : "genes across"}), ${matched} of the model's ${gene_order.length} genes`;
    const outputs = [];
    for (let i = 0; i < names.length; i += most) { $("state").textContent = `${told}; ${i} done`; outputs.push(...await predict(model, counts.slice(i, i + most))); }
    $("state").textContent = told; show(names, outputs);
  } catch (problem) { $("state").textContent = ""; $("error").textContent = problem.message; }
}
$("file").onchange = () => $("file").files[0] && take($("file").files[0]);
$("drop").ondragover = e => { e.preventDefault(); $("drop").className = "over"; };
$("drop").ondragleave = () => $("drop").className = "";
$("drop").ondrop = e => { e.preventDefault(); $("drop").className = ""; take(e.dataTransfer.files[0]); };
$("token").onchange = () => models().catch(e => $("error").textContent = e.message);
models().catch(e => $("error").textContent = e.message);
</script></body></html>
)html";
}

}  // namespace cellmill::serve
