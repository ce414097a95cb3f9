"""The four questions, end to end: train a small model on planted cells, ask it, and judge every answer with anndata and numpy.

    judge_infer.py CELLMILL
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

GENES, TYPES, CONDITIONS = 60, ["alpha", "beta", "delta"], ["control", "treated"]
cellmill = sys.argv[1]


def run(*arguments, code=0):
    done = subprocess.run([cellmill, *map(str, arguments)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{said}"
    return done.stdout, done.stderr


def planted(cells, seed):
    random = np.random.default_rng(seed)
    kind, treated = random.integers(0, 3, cells), random.integers(0, 2, cells)
    rate = np.full((cells, GENES), 0.3)
    rate[:, :30] += 4 * (np.arange(30)[None, :] % 3 == kind[:, None])
    rate[:, 40:50] += 3.0 * treated[:, None]
    rate[:, 50:53] += 3.0 * (treated * (kind == 0))[:, None]
    counts = random.poisson(rate)
    x = np.log1p(1e4 * counts / np.maximum(counts.sum(1, keepdims=True), 1)).astype("f4")
    obs = pd.DataFrame({"cell_type": pd.Categorical(np.array(TYPES)[kind]),
                        "condition": pd.Categorical(np.array(CONDITIONS)[treated])},
                       index=[f"barcode{i}" for i in range(cells)])
    return anndata.AnnData(sp.csr_matrix(x), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(GENES)]))


def dense(matrix):
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


def close(a, b, tolerance=2e-4):
    worst = np.abs(dense(a) - dense(b)).max()
    assert worst < tolerance, f"differ by {worst}"


class Place:
    def __init__(self, folder):
        self.folder = folder
        self.cells = planted(600, 1)
        self.cells.write_h5ad(self / "cells.h5ad")
        (self / "run.yaml").write_text(f"""
data: {{path: {self / "cells.h5ad"}, fields: [cell_type, condition], chunk_cells: 200}}
model: {{cycle_autoencoder: {{latent: 8, classifier_hidden: [16], targets: {{keep_probability: 0.5}}}}}}
train: {{epochs: 6, global_batch: 64, device: cpu}}
output: {{folder: {self / "run"}}}
""")
        run("train", "--config", self / "run.yaml")

    def __truediv__(self, name):
        return self.folder / name

    def ask(self, question, output, *more, source="cells.h5ad", code=0):
        said = run(question, "--checkpoint", self / "run", "--input", self / source, "--output", self / output, *more, code=code)
        return (anndata.read_h5ad(self / output), *said) if code == 0 and output.endswith(".h5ad") else said


def splitmix(x):
    mask = (1 << 64) - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def learns(file, cell):
    """base/random.h: the keyed hash (use 6, file, cell) that parts cells that teach from cells that judge."""
    h = splitmix(6)
    for word in (file, cell):
        h = splitmix(h ^ splitmix(word))
    return h & 1


def scores(p, c, t, top):
    m, d, e = p - c, t - c, p - t
    return [np.corrcoef(m, d)[0, 1] if m.any() else 0, e @ e / (d @ d), e[top] @ e[top] / (d[top] @ d[top])]


def expected_scores(x, generated, kind, wanted):
    """Every row of the comparison for all cells, straight from its definition."""
    learn = np.array([learns(0, i) for i in range(len(x))], bool)
    ids = np.unique(kind)
    s0, s1, l0, l1 = ~learn & ~wanted, ~learn & wanted, learn & ~wanted, learn & wanted
    c, t = x[s0].mean(0), x[s1].mean(0)
    a, b = x[~wanted], x[wanted]
    welch = np.abs(b.mean(0) - a.mean(0)) / np.sqrt(a.var(0, ddof=1) / len(a) + b.var(0, ddof=1) / len(b) + 1e-4)
    top = np.argsort(-welch)[:100]
    shift = {k: x[l1 & (kind == k)].mean(0) - x[l0 & (kind == k)].mean(0) for k in ids}
    weight = {k: 1 / (1 / (l0 & (kind == k)).sum() + 1 / (l1 & (kind == k)).sum()) for k in ids}
    adjusted = sum(shift[k] * weight[k] for k in ids) / sum(weight.values())
    onehot = (kind[:, None] == ids[None, :]).astype(float)
    design = np.hstack([onehot, wanted[:, None], onehot * wanted[:, None]])[learn]
    penalty = np.diag([1e-3] * (len(ids) + 1) + [10.0] * len(ids))
    beta = np.linalg.solve(design.T @ design + penalty, design.T @ x[learn])
    n = len(ids)
    mix = lambda of: sum(of(i, k) * (kind[s0] == k).mean() for i, k in enumerate(ids))
    rows = {"no change": c, "additive shift": c + x[l1].mean(0) - x[l0].mean(0), "additive shift, adjusted": c + adjusted,
            "per-type shift": c + mix(lambda i, k: shift[k]), "ridge shift": c + mix(lambda i, k: beta[n] + beta[n + 1 + i]),
            "mean of real cells": mix(lambda i, k: x[l1 & (kind == k)].mean(0)), "model, read-out delta": generated[s0].mean(0)}
    return {name: scores(p, c, t, top) for name, p in rows.items()}


def judge_contributions(place):
    answer, said, _ = place.ask("contributions", "parts.h5ad", "--logits")
    heads = list(answer.uns["head_norms_names"])
    assert heads == list(answer.layers) or sorted(heads) == sorted(answer.layers), heads
    assert len(heads) == 3 and answer.shape == (600, GENES)
    close(answer.X, sum(answer.layers[h] for h in heads))
    for k, head in enumerate(heads):
        norms = np.linalg.norm(answer.layers[head], axis=1)
        close(answer.obsm["head_norms"][:, k], norms)
        close(answer.obs["norm_" + head].values, norms)
        assert head in said
    assert list(answer.obs_names[:2]) == ["barcode0", "barcode1"]
    assert list(answer.obs["cell_type"]) == list(place.cells.obs["cell_type"])
    place.ask("contributions", "norms.csv")
    table = pd.read_csv(place / "norms.csv", index_col="cell")
    close(table["norm_" + heads[0]].values, answer.obs["norm_" + heads[0]].values)
    return answer


def judge_counterfactual(place, reconstruction):
    x, condition = dense(place.cells.X), place.cells.obs["condition"].values
    treated = condition == "treated"
    direct, _, _ = place.ask("counterfactual", "direct.h5ad", "--set-context", "condition=treated", "--read-out", "direct")
    delta, said, _ = place.ask("counterfactual", "delta.h5ad", "--set-context", "condition=treated", "--report", place / "report.json")
    close(direct.X[treated], reconstruction.X[treated])
    close(delta.X[treated], x[treated])
    close(delta.X, x + direct.X - reconstruction.X)
    assert np.abs(direct.X[~treated] - reconstruction.X[~treated]).max() > 1e-3
    assert set(delta.obs["condition"]) == {"treated"}
    assert list(delta.obs["source_condition"]) == list(condition)
    assert list(delta.obs["changed"]) == list(~treated)
    assert delta.uns["cellmill_request"] == "condition=treated" and delta.uns["cellmill_read_out"] == "delta"
    assert f"600 cells, {(~treated).sum()} changed, {treated.sum()} of that context already" in said, said
    assert f"{(~treated).sum()} were condition=control" in said, said
    report = json.loads((place / "report.json").read_text())
    kind = place.cells.obs["cell_type"].values.astype(str)
    expected = expected_scores(x.astype("f8"), delta.X.astype("f8"), kind, treated)
    found = {row["name"]: [row["cor"], row["err"], row["err100"]] for row in report["groups"][0]["rows"]}
    assert [g["name"] for g in report["groups"]][:2] == ["all", "mean over types"] and len(report["groups"]) == 5
    for name, row in expected.items():
        assert np.allclose(found[name], row, atol=2e-4), (name, found[name], row)
        assert name in said
    assert "sampling noise of the truth" in found
    both, said, _ = place.ask("counterfactual", "both.h5ad", "--set-context", "condition=treated", "cell_type=beta")
    assert set(both.obs["cell_type"]) == {"beta"} and "condition=treated, cell_type=beta" in said
    only, said, _ = place.ask("counterfactual", "only.h5ad", "--set-context", "condition=treated", source="control.h5ad")
    assert "no comparison with real cells" in said, said
    _, said, _ = place.ask("counterfactual", "only.h5ad", "--set-context", "condition=treated", "--reference", place / "cells.h5ad",
                           source="control.h5ad")
    assert f"all: {(~treated).sum()} generated" in said, said
    return delta


def judge_genes(place, delta):
    order = np.random.default_rng(3).permutation(GENES)
    place.cells[:, order].copy().write_h5ad(place / "permuted.h5ad")
    again, _, _ = place.ask("counterfactual", "again.h5ad", "--set-context", "condition=treated", source="permuted.h5ad")
    assert list(again.var_names) == list(place.cells.var_names)
    close(again.X, delta.X, 1e-6)
    kept = [g for g in place.cells.var_names if g not in ("G3", "G41")]
    extra = anndata.AnnData(sp.csr_matrix(np.ones((600, 1), "f4")), obs=place.cells.obs, var=pd.DataFrame(index=["OTHER"]))
    anndata.concat([place.cells[:, kept], extra], axis=1, merge="first").write_h5ad(place / "dropped.h5ad")
    zeroed = place.cells.copy()
    zeroed.X = sp.csr_matrix(dense(zeroed.X) * ~np.isin(zeroed.var_names, ["G3", "G41"]))
    zeroed.write_h5ad(place / "zeroed.h5ad")
    dropped, _, said = place.ask("counterfactual", "d.h5ad", "--set-context", "condition=treated", source="dropped.h5ad")
    assert "58 of the model's 60 genes found; missing, counted as 0: G3, G41; 1 columns that the model does not know left out" in said, said
    assert list(dropped.var.index[~dropped.var["in_input"]]) == ["G3", "G41"]
    close(dropped.X, place.ask("counterfactual", "z.h5ad", "--set-context", "condition=treated", source="zeroed.h5ad")[0].X, 1e-6)
    place.cells[:, :20].copy().write_h5ad(place / "few.h5ad")
    _, said = place.ask("classify", "few.csv", source="few.h5ad", code=65)
    assert "too few genes in common with the model" in said and "found 20 of them (33.3 %)" in said, said
    place.ask("classify", "few.csv", "--min-overlap", "0.3", source="few.h5ad")


def judge_classify(place):
    answer, said, _ = place.ask("classify", "classes.h5ad")
    for field, names in (("cell_type", TYPES), ("condition", CONDITIONS)):
        p = answer.obsm["probability_" + field]
        assert list(answer.uns[f"probability_{field}_names"]) == names and p.shape == (600, len(names))
        close(p.sum(1), np.ones(600), 1e-5)
        assert list(answer.obs["predicted_" + field]) == [names[i] for i in p.argmax(1)]
        close(answer.obs[f"predicted_{field}_probability"].values, p.max(1), 1e-6)
        agree = 100 * np.mean(answer.obs["predicted_" + field].astype(str) == answer.obs[field].astype(str))
        assert f"{agree:.1f} %" in said, said
    place.ask("classify", "classes.npz")
    arrays = np.load(place / "classes.npz")
    close(arrays["obsm/probability_condition"], answer.obsm["probability_condition"], 1e-6)
    assert list(arrays["cells"][:2]) == ["barcode0", "barcode1"]


def judge_labels(place):
    odd = place.cells.copy()
    odd.obs = pd.DataFrame({"kind": odd.obs["cell_type"].astype(str).replace("delta", "gamma").values}, index=odd.obs_names)
    odd.write_h5ad(place / "odd.h5ad")
    answer, _, said = place.ask("contributions", "odd_parts.h5ad", "--logits", "--column", "cell_type=kind", source="odd.h5ad")
    gamma = (place.cells.obs["cell_type"] == "delta").values
    assert f"cell_type: {gamma.sum()} cells have a category that the model does not know, taken as missing: 'gamma' ({gamma.sum()})" in said, said
    assert "no labels for the field 'condition': missing for all cells" in said, said
    assert not answer.layers["condition"].any() and not answer.layers["cell_type"][gamma].any()
    assert answer.layers["cell_type"][~gamma].any(1).all()
    _, said = place.ask("contributions", "no.h5ad", "--column", "cell_type=kynd", source="odd.h5ad", code=65)
    assert "expected a column 'kynd' of categories" in said and "did you mean kind?" in said, said


def judge_npz(place, reconstruction):
    (place / "chunks").mkdir()
    sp.save_npz(place / "chunks" / "mycells.npz", sp.csr_matrix(place.cells.X))
    (place / "chunks" / "genes.txt").write_text("\n".join(place.cells.var_names) + "\n")
    answer, _, said = place.ask("contributions", "npz.h5ad", "--logits", source="chunks/mycells.npz")
    close(answer.layers["base"], reconstruction.layers["base"])
    assert list(answer.obs_names[:2]) == ["cell0", "cell1"] and not answer.layers["cell_type"].any()
    assert "no labels for the field 'cell_type': missing for all cells" in said, said


def judge_inspect(place):
    said, _ = run("inspect", place / "run", "--verify")
    assert "field        cell_type, 3 categories: alpha, beta, delta" in said and "every digest holds" in said, said
    assert "genes        60: G0, G1, G2, G3, G4, ... (55 more)" in said, said
    facts = json.loads(run("inspect", place / "run", "--json")[0])
    assert facts["fields"] == {"cell_type": TYPES, "condition": CONDITIONS} and len(facts["genes"]) == GENES
    assert facts["parameters"] == sum(int(np.prod(s)) for s in facts["shapes"].values()) > 0
    assert facts["figures"], facts
    names, _ = run("inspect", place / "run", "--verbose")
    assert "G59" in names and "parameter" in names
    checkpoint = pathlib.Path(facts["checkpoint"])
    assert run("inspect", checkpoint)[0].startswith("checkpoint   " + str(checkpoint))
    broken = place / "broken" / "checkpoints"
    shutil.copytree(checkpoint.parent, broken)
    state = broken / checkpoint.name / "state.h5"
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    said = "".join(run("inspect", broken / checkpoint.name, code=65))
    assert "state.h5" in said, said


def judge_refusals(place):
    out = ["--output", place / "x.h5ad", "--input", place / "cells.h5ad"]
    asked = ["counterfactual", "--checkpoint", place / "run", *out]
    for arguments, code, texts in [
        ([*asked, "--set-context", "condition=treted"], 64, ["the model knows no condition 'treted' among its 2", "did you mean treated?"]),
        ([*asked, "--set-context", "conditon=treated"], 64, ["no field 'conditon'", "did you mean condition?"]),
        ([*asked, "--set-context", "condition=treated", "--read-out", "both"], 64, ["--read-out"]),
        (asked, 64, ["--set-context is missing"]),
        (["classify", "--checkpoint", place / "nowhere", *out], 66, ["no such checkpoint or run"]),
        (["classify", "--checkpoint", place.folder, *out], 66, ["holds no valid checkpoint"]),
        (["classify", "--checkpoint", place / "run", "--input", place / "no.h5ad", "--output", place / "x.csv"], 66, ["no such file"]),
        (["classify", "--checkpoint", place / "run", "--input", place / "cells.h5ad", "--output", place / "x.txt"], 64, ["known: .h5ad, .npz, .csv"]),
        (["classify", "--checkpoint", place / "run", "--input", place / "cells.h5ad", "--output", place / "cells.h5ad"], 64, ["would overwrite the input"]),
    ]:
        said = "".join(run(*arguments, code=code))
        for text in texts:
            assert text in said, (arguments, said)
    assert not (place / "x.h5ad").exists() and not list(place.folder.glob(".*")), "something was left behind"


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = Place(pathlib.Path(folder))
        place.cells[place.cells.obs["condition"] == "control"].copy().write_h5ad(place / "control.h5ad")
        reconstruction = judge_contributions(place)
        delta = judge_counterfactual(place, reconstruction)
        judge_genes(place, delta)
        judge_classify(place)
        judge_labels(place)
        judge_npz(place, reconstruction)
        judge_inspect(place)
        judge_refusals(place)
    print("every answer is as it should be")


if __name__ == "__main__":
    main()
