"""The embeddings that benchmarks/science/rank_encoder sets side by side, and the table of what they are worth."""
import csv
import json
import os
import sys

import anndata
import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

import factor_cells as source
import program
from report import table

# set -> label -> the class that others are perturbations of
SETS = {"perturb_crispr": {"perturbation": "control", "cell_line": ""}, "kang_ifnb": {"cell_type_author": "", "condition": "CTRL"},
        "pbmc3k": {"cell_type_author": ""}, "sc_mixology": {"cell_line": "", "batch": ""}}
NONE = "unlabelled,unknown,nan"
COMPONENTS, VARIABLE, FACTOR_GENES = 50, 2000, 2000
SHAPE = {"layers": 3, "hidden": 128, "heads": 4, "intermediate": 256, "max_length": 1024}
EPOCHS = 10
COLUMNS = {"zero_shot_accuracy": "accuracy", "zero_shot_f1_score": "F1", "silhouette_score": "silhouette", "separation_ratio": "separation",
           "knn_label_consistency": "neighbours alike", "adjusted_rand_index": "ARI", "normalized_mutual_info": "NMI",
           "control_separation_ratio": "control"}  # fmt: skip


class Place:
    """A data set, a seed, and the folder of what is made for them."""

    def __init__(self, o, name, seed):
        self.o, self.seed, self.data = o, seed, os.path.join(o.data, f"{name}.h5ad")
        self.folder = os.path.join(o.out, name, f"seed-{seed}")
        self.log = os.path.join(self.folder, "log")
        os.makedirs(self.folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def save(self, name, values, cells):
        np.savez(self.path(name), embeddings=np.asarray(values, "f4"), cells=np.array(cells, dtype="U"))
        return self.path(name)


def judge(place, embeddings, label, control):
    out = embeddings.removesuffix(".npz") + "." + label
    program.call([sys.executable, os.path.join(program.ROOT, "tools", "evaluate_embeddings"), embeddings, "--labels", place.data, "--label", label,
                  "--no-label", NONE, "--output-dir", out, "--no-plots", *(["--control", control] if control else [])], place.log)
    with open(os.path.join(out, "evaluation_summary.csv"), newline="") as file:
        return {row["metric"]: float(row["value"]) for row in csv.DictReader(file) if row["value"]}


def components(place, _, count=0):
    """Principal components of log1p of counts per 10,000: of all genes, or of the `count` of largest variance."""
    path = place.path(f"pca-{count}.npz")
    if os.path.exists(path):
        return path
    data = anndata.read_h5ad(place.data)
    y = source.log_expression(sp.csr_matrix(data.X)).astype("f8")
    if count:
        variance = np.asarray(y.multiply(y).mean(0)).ravel() - np.asarray(y.mean(0)).ravel() ** 2
        y = y[:, np.sort(np.argsort(-variance, kind="stable")[: min(count, y.shape[1] // 2)])]
    pca = PCA(COMPONENTS, svd_solver="arpack", random_state=place.seed)
    return place.save(os.path.basename(path), pca.fit_transform(y.tocsr()), data.obs_names)


def dictionary(place):
    """Geneformer's own, cut to the genes of this data set: its medians are of 27 million cells."""
    path = place.path("genes.json")
    if os.path.exists(path):
        return path
    whole = os.path.join(place.o.out, "genes.json")
    if not os.path.exists(whole):
        program.call([sys.executable, os.path.join(program.ROOT, "tools", "gene_dictionary"), os.path.join(place.o.data, "geneformer_dicts"),
                      "--output", whole], place.log)
    with open(whole) as file:
        known = json.load(file)
    columns = {name.upper().split(".")[0] if name.startswith("ENSG") else name.upper() for name in anndata.read_h5ad(place.data, backed="r").var_names}
    genes = [gene for gene in known["medians"] if gene in columns]
    names = {name: gene for name, gene in known["names"].items() if name in columns}
    genes = sorted({*genes, *names.values()})
    with open(path, "w") as out:
        json.dump({"tokens": {token: at for at, token in enumerate(["<pad>", "<mask>", *genes])},
                   "medians": {gene: known["medians"][gene] for gene in genes}, "names": names}, out)
    return path


def embed(place, model, name, *options):
    path = place.path(name)
    program.call([place.o.program, "embed", model, place.data, "--output", path, *options], place.log)
    return path


def pretrained(place, _):
    """Masked genes of the same cells, no label; the last layer but one, as upstream reads it."""
    run = place.path("pretrained")
    if not os.path.exists(run + ".npz"):
        settings = {f"model.rank_encoder.{key}": value for key, value in SHAPE.items()}
        settings |= {"model.rank_encoder.dictionary": dictionary(place), "data.path": place.data, "train.seed": place.seed, "train.epochs": EPOCHS,
                     "train.global_batch": 32, "train.warmup_steps": 50, "output.folder": run, "checkpoint.every_steps": 1_000_000,
                     "checkpoint.every_minutes": 0, "checkpoint.keep_last": 1}  # fmt: skip
        program.train(place.o.program, [os.path.join(place.o.configs, "rank_encoder_6l.yaml")], settings, run, place.log)
        embed(place, run, "pretrained.npz")
    return run + ".npz"


def untrained(place, _):
    """The same shape with its first values."""
    import torch
    import transformers

    folder = place.path("untrained")
    if not os.path.exists(folder + ".npz"):
        with open(dictionary(place)) as file:
            tokens = len(json.load(file)["tokens"])
        torch.manual_seed(place.seed)
        config = transformers.BertConfig(
            vocab_size=tokens, hidden_size=SHAPE["hidden"], num_hidden_layers=SHAPE["layers"], num_attention_heads=SHAPE["heads"],
            intermediate_size=SHAPE["intermediate"], max_position_embeddings=SHAPE["max_length"], hidden_act="relu", layer_norm_eps=1e-12)  # fmt: skip
        transformers.BertForMaskedLM(config).save_pretrained(folder)
        embed(place, folder, "untrained.npz", "--dictionary", dictionary(place))
    return folder + ".npz"


def biological(place, label):
    """The factor model's biological latent; it sees this label in four fifths of the cells, those on which the classifier is fitted."""
    path = place.path(f"biological-{label}.npz")
    if os.path.exists(path):
        return path
    cells = source.load(place.data, {"label": label})
    names = anndata.read_h5ad(place.data, backed="r").obs_names
    known = np.where(cells.labels["label"] != "")[0]
    kinds = cells.labels["label"][known].astype(str)
    fit, held = train_test_split(known, test_size=0.2, random_state=42, stratify=kinds)
    chosen = cells.most_variable(fit, min(FACTOR_GENES, cells.counts.shape[1]))
    chosen.labels["label"][held] = ""
    source.write(chosen, place.path("factor.train.h5ad"))
    run = place.path(f"factor-{label}")
    program.train(place.o.program, [os.path.join(place.o.configs, "factor_latents.yaml")],
                  {"data.path": place.path("factor.train.h5ad"), "data.fields": ["label"], "model.factor_model.fields.biological": ["label"],
                   "train.seed": place.seed, "train.threads": 1, "output.folder": run, "checkpoint.every_steps": 1_000_000,
                   "checkpoint.every_minutes": 0, "evaluation.every_steps": 1_000_000}, run, place.log)  # fmt: skip
    asked, answer = place.path("factor.asked.h5ad"), place.path("factor.answer.h5ad")
    source.write(source.Cells(chosen.counts, chosen.genes, {}), asked)
    program.call([place.o.program, "predict-metadata", "--checkpoint", run, "--input", asked, "--output", answer], place.log)
    return place.save(os.path.basename(path), anndata.read_h5ad(answer).obsm["X_biological"], names)


EMBEDDINGS = {"rank encoder, pretrained": pretrained, "rank encoder, untrained": untrained, "PCA": components,
              "variable genes + PCA": lambda place, label: components(place, label, VARIABLE),
              "factor model, biological (sees labels)": biological}  # fmt: skip


def markdown(lines):
    text = ""
    for name, labels in SETS.items():
        for label in labels:
            rows = []
            for who in dict.fromkeys([*EMBEDDINGS, *(line["who"] for line in lines)]):
                of = [line for line in lines if (line["set"], line["label"], line["who"]) == (name, label, who)]
                if of:
                    rows.append([who, str(len(of)), *(figure([line[metric] for line in of if metric in line]) for metric in COLUMNS)])
            if rows:
                text += f"### {name}: {label}\n\n" + table(["embedding", "seeds", *COLUMNS.values()], rows)
    return text


def figure(values):
    if not values:
        return ""
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"
