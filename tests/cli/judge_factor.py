"""Predict, complete and generate metadata, end to end: train a small factor model on planted counts, ask it through every format, and
judge the answers with anndata and numpy.

    judge_factor.py CELLMILL
"""
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import anndata
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

GENES = ["XIST", "RPS4Y1", "DDX3Y", *(f"G{i}" for i in range(57))]
TYPES, CONDITIONS = ["CD4 T cell", "CD8 T cell", "B cell"], ["control", "drug"]
cellmill = sys.argv[1]


def run(*arguments, code=0):
    done = subprocess.run([cellmill, *map(str, arguments)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{said}"
    return said


def planted(cells, seed):
    random = np.random.default_rng(seed)
    kind, drug, male = (random.integers(0, n, cells) for n in (3, 2, 2))
    rate = np.full((cells, len(GENES)), 1.0)
    rate[:, 0], rate[:, 1:3] = 8 * (1 - male), 6 * male[:, None]
    rate[:, 5:35] += 6 * (np.arange(30)[None, :] % 3 == kind[:, None])
    rate[:, 40:50] += 6.0 * drug[:, None]
    obs = pd.DataFrame({"cell_type": pd.Categorical(np.array(TYPES)[kind]), "sex": pd.Categorical(np.array(["female", "male"])[male]),
                        "perturbation": pd.Categorical(np.array(CONDITIONS)[drug]),
                        "dose": pd.Categorical(np.array(["1 um", "10 um"])[random.integers(0, 2, cells)])},
                       index=[f"barcode{i}" for i in range(cells)])  # fmt: skip
    return anndata.AnnData(sp.csr_matrix(random.poisson(rate).astype("f4")), obs=obs, var=pd.DataFrame(index=GENES))


class Place:
    def __init__(self, folder):
        self.folder = folder
        self.seen, self.new = planted(900, 1), planted(200, 2)
        self.seen.write_h5ad(self / "seen.h5ad")
        self.new.write_h5ad(self / "new.h5ad")
        (self / "run.yaml").write_text(f"""
data: {{path: {self / "seen.h5ad"}, fields: [cell_type, sex, perturbation, dose], chunk_cells: 200, split: {{validation_fraction: 0.2}}}}
model:
  name: factor_model
  factor_model:
    latents: {{biological: 8, perturbation: 4}}
    network: {{hidden: 32, prior_hidden: 16}}
    loss: {{kl: 1, labels: 100, adversary: 0}}
    optimiser: {{learning_rate: 0.005}}
train: {{epochs: 25, global_batch: 64, device: cpu}}
output: {{folder: {self / "run"}}}
""")
        self.trained = run("train", "--config", self / "run.yaml")

    def __truediv__(self, name):
        return self.folder / name

    def ask(self, command, output, *more, source="new.h5ad", code=0):
        return run(command, "--checkpoint", self / "run", "--input", self / source, "--output", self / output, *more, code=code)

    def table(self, output):
        return pd.read_csv(self / output, index_col=0)


def right(predicted, given):
    return float(np.mean(predicted.astype(str).to_numpy() == given.astype(str).to_numpy()))


def predicts(place):
    place.ask("predict-metadata", "answer.h5ad", "--distribution")
    answer = anndata.read_h5ad(place / "answer.h5ad")
    assert list(answer.obs_names) == list(place.new.obs_names)
    for field in ("cell_type", "sex", "perturbation"):
        assert right(answer.obs[f"predicted_{field}"], place.new.obs[field]) > 0.97, field
        distribution = answer.obsm[f"probability_{field}"]
        assert np.allclose(distribution.sum(1), 1, atol=1e-5)
        assert np.allclose(distribution.max(1), answer.obs[f"predicted_{field}_probability"], atol=1e-6)
    assert answer.obs["predicted_dose"].str.endswith(" um").all()
    assert answer.obsm["X_biological"].shape == (200, 8) and answer.obsm["X_perturbation"].shape == (200, 4)
    assert "X_technical" not in answer.obsm and "probability_sex" in answer.obsm
    place.ask("predict-metadata", "answer.csv")
    table = place.table("answer.csv")
    assert (table["predicted_sex"] == answer.obs["predicted_sex"].astype(str)).all()
    assert np.allclose(table["X_biological:3"], answer.obsm["X_biological"][:, 3], atol=1e-5)
    assert not [column for column in table if column.startswith("probability_")]


def reads_every_format(place):
    place.ask("predict-metadata", "of_h5ad.csv")
    expected = place.table("of_h5ad.csv").filter(regex="^predicted|^X_")
    dense = pd.DataFrame(place.new.X.toarray().astype(int), index=place.new.obs_names, columns=GENES)
    shuffled = dense.sample(frac=1, axis=1, random_state=1)
    shuffled.insert(0, "remark", "some words")
    shuffled.to_csv(place / "samples.csv")
    with gzip.open(place / "genes.tsv.gz", "wt") as file:
        dense.T.to_csv(file, sep="\t")
    folder = place / "tenx"
    folder.mkdir()
    scipy.io.mmwrite(folder / "matrix.mtx", sp.coo_matrix(place.new.X.T.astype(int)))
    (folder / "features.tsv").write_text("".join(f"ENSG{i:011d}\t{name}\tGene Expression\n" for i, name in enumerate(GENES)))
    (folder / "barcodes.tsv").write_text("".join(f"{name}\n" for name in place.new.obs_names))
    sp.save_npz(place / "cells.npz", place.new.X)
    (place / "genes.txt").write_text("\n".join(GENES) + "\n")
    for source, said in {"samples.csv": "genes are the columns", "genes.tsv.gz": "genes are the rows", "tenx": "genes by their symbols",
                         "cells.npz": ""}.items():  # fmt: skip
        text = place.ask("predict-metadata", "other.csv", source=source)
        found = place.table("other.csv").filter(regex="^predicted|^X_")
        assert said in text, (source, text)
        if source != "cells.npz":
            assert list(found.index) == list(place.new.obs_names), source
        for column in expected:
            same = np.allclose(found[column], expected[column], atol=1e-5) if expected[column].dtype.kind == "f" else \
                (found[column].to_numpy() == expected[column].to_numpy()).all()  # fmt: skip
            assert same, (source, column)
    assert "remark" in place.ask("predict-metadata", "other.csv", source="samples.csv")
    dense.iloc[:, :0].to_csv(place / "none.csv")
    place.ask("predict-metadata", "other.csv", source="none.csv", code=65)
    strangers = dense.rename(columns=lambda name: f"mouse_{name}")
    strangers.to_csv(place / "strangers.csv")
    assert "is a row a gene or a sample?" in place.ask("predict-metadata", "other.csv", source="strangers.csv", code=65)


def speaks_the_api(place):
    place.ask("predict-metadata", "answer.json")
    answer = json.loads((place / "answer.json").read_text())
    assert answer["gene_order"] == GENES and answer["model_version"].startswith("factor_model-")
    assert len(answer["outputs"]) == 200
    for output, total in zip(answer["outputs"], np.asarray(place.new.X.sum(1)).ravel()):
        assert set(output) == {"metadata", "classifier_probs", "latents", "decoder_sample"}
        assert set(output["metadata"]) == {"cell_type_ontology_id", "sex", "perturbation_ontology_id", "perturbation_dose"}
        assert set(output["latents"]) == {"biological", "technical", "perturbation"}
        for field, probabilities in output["classifier_probs"].items():
            assert abs(sum(probabilities.values()) - 1) < 1e-9, field
        counts = output["decoder_sample"]["counts"]
        assert len(counts) == len(GENES) and all(isinstance(x, int) for x in counts) and abs(sum(counts) - total) < len(GENES)
    place.ask("predict-metadata", "short.json", "--labels-only")
    short = json.loads((place / "short.json").read_text())
    assert "gene_order" not in short and "decoder_sample" not in short["outputs"][0]


def rolls_up(place):
    (place / "edges.json").write_text(json.dumps({"CD4 T cell": ["T cell"], "CD8 T cell": ["T cell"], "T cell": ["lymphocyte"]}))
    halves = place.new.copy()  # CD4 and CD8 cells merged, half of each
    x = halves.X.toarray()
    x[:, 5:35:3] = x[:, 6:35:3] = (x[:, 5:35:3] + x[:, 6:35:3] + 1) // 2
    anndata.AnnData(sp.csr_matrix(x[(halves.obs["cell_type"] != "B cell").to_numpy()]), var=halves.var).write_h5ad(place / "halves.h5ad")
    said = place.ask("predict-metadata", "rolled.csv", "--ontology", f"cell_type={place / 'edges.json'}", "--threshold", "0.9",
                     source="halves.h5ad")  # fmt: skip
    rolled = place.table("rolled.csv")
    unsure = rolled["predicted_cell_type_probability"] < 0.9
    assert unsure.sum() > 10, rolled["predicted_cell_type_probability"].describe()
    assert (rolled["rolled_up_cell_type"][unsure] == "T cell").mean() > 0.9
    assert (rolled["rolled_up_cell_type"][~unsure] == rolled["predicted_cell_type"][~unsure]).all()
    assert (rolled["rolled_up_cell_type_probability"].dropna() >= 0.9 - 1e-6).all()
    assert "1 of 3 labels of cell_type are not in it" in said and "B cell" in said
    assert "no field 'cel_type'" in place.ask("predict-metadata", "x.csv", "--ontology", f"cel_type={place / 'edges.json'}", code=64)


def reports_sex(place):
    said = place.ask("predict-metadata", "x.csv", "--sex-report", place / "sex.csv")
    report = pd.read_csv(place / "sex.csv", index_col=0)
    assert list(report.columns) == ["predicted", "probability", "label", "XIST", "RPS4Y1", "DDX3Y", "markers_say"]
    assert right(report["predicted"], report["label"]) > 0.97 and right(report["markers_say"], report["label"]) > 0.97
    x = np.asarray(place.new.X.todense())
    assert np.allclose(report["XIST"], 1e6 * x[:, 0] / x.sum(1), atol=0.01)
    assert "tell the sex of 200" in said
    place.new[:, GENES[1:]].copy().write_h5ad(place / "no_xist.h5ad")
    said = place.ask("predict-metadata", "x.csv", "--sex-report", place / "sex.csv", source="no_xist.h5ad")
    report = pd.read_csv(place / "sex.csv", index_col=0)
    assert "marker absent: XIST" in said and (report["XIST"] == "absent").all() and (report["markers_say"] == "marker absent: XIST").all()


def completes(place):
    random = np.random.default_rng(5)
    hidden, wrong = random.random(200) < 0.5, random.choice(200, 12, replace=False)
    hidden[wrong] = False
    labels = place.new.obs[["cell_type", "sex"]].astype(object).copy()
    truth = labels.copy()
    labels.iloc[wrong, 0] = ["B cell" if label != "B cell" else "CD4 T cell" for label in labels.iloc[wrong, 0]]
    labels.loc[hidden, "cell_type"] = np.nan
    anndata.AnnData(place.new.X, obs=labels.astype("category"), var=place.new.var).write_h5ad(place / "partly.h5ad")
    said = place.ask("complete-metadata", "completed.h5ad", "--check-labels", place / "doubtful.csv", source="partly.h5ad")
    done = anndata.read_h5ad(place / "completed.h5ad").obs
    given = done["cell_type_source"] == "given"
    assert (given.to_numpy() == ~hidden).all()
    assert (done["cell_type"][given].astype(str) == labels["cell_type"][given]).all(), "a given label was changed"
    filled = done["cell_type_source"] == "predicted"
    assert filled.sum() > 0.95 * hidden.sum() and right(done["cell_type"][filled], truth["cell_type"][filled]) > 0.97
    assert (done["cell_type_confidence"][filled] >= 0.5).all()
    assert (done["perturbation_source"] == "predicted").any() and right(done["perturbation"], place.new.obs["perturbation"]) > 0.95
    doubtful = pd.read_csv(place / "doubtful.csv")
    first = doubtful[doubtful["field"] == "cell_type"].head(len(wrong))["sample"]
    found = set(first) & {f"barcode{i}" for i in wrong}
    assert len(found) >= len(wrong) - 1, (len(found), doubtful.head(20))
    assert (doubtful["margin"].diff().dropna() <= 1e-9).all()
    assert "agree" in said and "given labels are doubted" in said


def generates(place):
    ask = lambda output, *more, code=0: run("generate", "--checkpoint", place / "run", "--output", place / output, *more, code=code)
    ask("cells.h5ad", "--set", "cell_type=B cell", "sex=male", "perturbation=drug", "--num-samples", "50", "--seed", "3", "--total-count", "1e5")
    cells = anndata.read_h5ad(place / "cells.h5ad")
    assert cells.shape == (50, 60) and (cells.obs["cell_type"] == "B cell").all()
    assert np.allclose(cells.X.sum(1), 1e5, atol=60) and (cells.X == np.rint(cells.X)).all()
    kind, drug, male = (place.seen.obs[f] for f in ("cell_type", "perturbation", "sex"))
    real = np.asarray(place.seen.X[((kind == "B cell") & (drug == "drug") & (male == "male")).to_numpy()].mean(0)).ravel()
    blank = np.asarray(place.seen.X.mean(0)).ravel()
    r = lambda a, b: np.corrcoef(np.log1p(a / a.sum() * 1e4), np.log1p(b / b.sum() * 1e4))[0, 1]
    mean = cells.X.mean(0)
    assert r(mean, real) > 0.9 and r(mean, real) > r(blank, real) + 0.3, (r(mean, real), r(blank, real))
    ask("again.h5ad", "--set", "cell_type=B cell", "sex=male", "perturbation=drug", "--num-samples", "2", "--seed", "3", "--total-count", "1e5")
    assert np.abs(anndata.read_h5ad(place / "again.h5ad").X - cells.X[:2]).max() <= 2, "a seed does not repeat"
    ask("other.h5ad", "--set", "cell_type=B cell", "sex=male", "perturbation=drug", "--num-samples", "2", "--seed", "4", "--total-count", "1e5")
    assert (anndata.read_h5ad(place / "other.h5ad").X != cells.X[:2]).any()
    pd.DataFrame({"cell_type_ontology_id": ["B cell", "CD4 T cell"], "sex": ["", "female"], "num_samples": [1, 2]}).to_csv(place / "recipes.csv", index=False)
    ask("table.json", "--table", place / "recipes.csv", "--deterministic-latents")
    answer = json.loads((place / "table.json").read_text())
    assert answer["gene_order"] == GENES and [o["metadata"] for o in answer["outputs"]] == [
        {"cell_type_ontology_id": "B cell"}, *[{"cell_type_ontology_id": "CD4 T cell", "sex": "female"}] * 2]  # fmt: skip
    assert answer["outputs"][1]["counts"] == answer["outputs"][2]["counts"] != answer["outputs"][0]["counts"]
    place.new[:20].copy().write_h5ad(place / "references.h5ad")
    ask("beside.h5ad", "--reference", place / "references.h5ad", "--set", "perturbation=drug", "--deterministic-latents")
    beside = anndata.read_h5ad(place / "beside.h5ad")
    assert np.allclose(beside.X.sum(1), np.asarray(place.new.X[:20].sum(1)).ravel(), atol=60)
    assert right(beside.obs["input"], pd.Series(place.new.obs_names[:20])) == 1
    place.ask("predict-metadata", "latents.h5ad", source="references.h5ad")
    assert np.allclose(beside.obsm["X_biological"], anndata.read_h5ad(place / "latents.h5ad").obsm["X_biological"], atol=1e-5)
    beside.write_h5ad(place / "beside_again.h5ad")
    place.ask("predict-metadata", "treated.csv", source="beside_again.h5ad")
    assert (place.table("treated.csv")["predicted_perturbation"] == "drug").mean() > 0.9
    for more, code, text in [(["--set", "cell_type=B cel"], 64, "'B cel' is not a value of cell_type"),
                             (["--set", "celltype=B cell"], 64, "no field 'celltype'"),
                             (["--sampling", "sample generation"], 64, "is for bulk models"),
                             (["--reference", place / "references.h5ad", "--set", "sex=male"], 64, "comes from the reference")]:
        assert text in ask("x.h5ad", *more, code=code), text
    assert not (place / "x.h5ad").exists()


def says_what_it_is_given(place):
    logs = place.new.copy()
    logs.X = sp.csr_matrix(np.log1p(logs.X.toarray() / logs.X.sum(1) * 1e4).astype("f4"))
    logs.write_h5ad(place / "logs.h5ad")
    assert "look log-normalised" in place.ask("predict-metadata", "x.csv", source="logs.h5ad")
    assert "look log-normalised" not in place.ask("predict-metadata", "x.csv")
    assert "look like counts" not in place.trained
    refusal = run("train", "--config", place / "run.yaml", "--set", "data.raw_counts=true", f"output.folder={place / 'other'}", code=78)
    assert "factor_model normalises counts itself" in refusal
    assert "loss/factor" in json.loads((place / "run/checkpoints/best.json").read_text())
    config = place / "run/config.yaml"
    config.write_text(config.read_text().replace("score: loss/factor", "score: loss/generator"))  # what older runs had by default
    assert "loss/factor instead of loss/generator" in run("train", "--config", place / "run.yaml", "--resume")
    other = ["train", "--config", place / "run.yaml", "--set", "model.name=cycle_autoencoder", "data.fields=[cell_type]",
             "train.epochs=1", f"output.folder={place / 'cycle'}"]  # fmt: skip
    run(*other)
    refused = run("predict-metadata", "--checkpoint", place / "cycle", "--input", place / "new.h5ad", "--output", place / "x.csv", code=64)
    assert "cannot read or generate metadata" in refused and "models that can: factor_model" in refused


def main():
    with tempfile.TemporaryDirectory(prefix="cellmill-factor-") as folder:
        place = Place(pathlib.Path(folder))
        for judge in (predicts, reads_every_format, speaks_the_api, rolls_up, reports_sex, completes, generates, says_what_it_is_given):
            judge(place)
            print("ok:", judge.__name__.replace("_", " "), flush=True)


main()
