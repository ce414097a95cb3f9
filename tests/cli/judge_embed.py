"""`cellmill embed`, end to end: transformers' own hidden states, numpy and anndata are the judges.

    judge_embed.py CELLMILL MPIRUN
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from transformers import BertConfig, BertForMaskedLM

cellmill, mpirun = map(os.path.abspath, sys.argv[1:3])
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
ENVIRONMENT = {**os.environ, **OPEN_MPI, "OMP_NUM_THREADS": "1"}
GENES, CELLS, LAYERS = 150, 120, 3
METHODS = ("packed", "baseline", "batching", "mixed_precision")
root = pathlib.Path(tempfile.mkdtemp(prefix="cellmill-embed-"))


def run(*arguments, ranks=1, code=0):
    words = [cellmill, *map(str, arguments)]
    if ranks > 1:
        words = [mpirun, "-n", str(ranks), "--oversubscribe", *words]
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, cwd=root)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{arguments}: exit {done.returncode}, expected {code}\n{said}"
    return said


def says(code, *wanted, arguments, ranks=1):
    said = run("embed", *arguments, ranks=ranks, code=code)
    for text in wanted:
        assert text in said, f"no {text!r} in\n{said}"


def gene(i):
    return f"ENSG{i:011d}"


class Model:
    """A random BERT in a Hugging Face folder with its genes.json, and the same cells' tokens by the plain algorithm."""

    def __init__(self, name, special, max_length, seed):
        random = np.random.default_rng(seed)
        words = ["<pad>", "<mask>"] + (["<cls>", "<eos>"] if special else [])
        self.special, self.max_length, self.path = special, max_length, root / name
        self.token = {word: i for i, word in enumerate(words)} | {gene(i): len(words) + i for i in range(GENES)}
        self.median = {gene(i): float(random.gamma(2, 1) + 0.1) for i in range(GENES)}
        torch.manual_seed(seed)
        config = BertConfig(vocab_size=len(self.token), hidden_size=32, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=64,
                            max_position_embeddings=max_length, hidden_act="relu", layer_norm_eps=1e-12, initializer_range=0.2, pad_token_id=0)
        self.bert = BertForMaskedLM(config).eval()
        self.bert.save_pretrained(self.path, safe_serialization=True)
        self.genes = self.path / "genes.json"
        self.genes.write_text(json.dumps({"tokens": self.token, "medians": self.median, "names": {"TP53": gene(3)}}))

    def tokens(self, counts, names):
        cells = []
        for row in counts:
            value = {}
            for c in np.flatnonzero(row):
                if names[c] in self.token:
                    value[c] = float(row[c]) / row.sum(dtype=float) * 10_000 / self.median[names[c]]
            order = sorted(value, key=lambda c: (-value[c], c))[:self.max_length - 2 * self.special]
            ids = [self.token[names[c]] for c in order]
            cells.append([2, *ids, 3] if self.special else ids)
        return cells

    def hidden(self, tokens):
        """One cell at a time: no padding, no mask. [layers + 1][length, width]"""
        with torch.no_grad():
            return [h[0].numpy() for h in self.bert.bert(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states]


def made_cells(seed=0):
    random = np.random.default_rng(seed)
    counts = random.poisson(random.gamma(0.5, 2, (CELLS, GENES + 20)) * random.uniform(0.05, 3, (CELLS, 1))).astype("f4")
    counts[7] = 0
    counts[11, :GENES] = 0
    counts[11, GENES] = 4  # of genes that the dictionary does not know
    counts[:, GENES] += 1
    kind = random.integers(0, 3, CELLS)
    obs = pd.DataFrame({"kind": pd.Categorical(np.array(["a", "b", "c"])[kind]), "plate": pd.Categorical(["p1"] * CELLS)},
                       index=[f"barcode{i}" for i in range(CELLS)])
    obs.iloc[5, 0] = np.nan
    order = random.permutation(GENES + 20)
    names = np.array([gene(i) for i in range(GENES + 20)])[order]
    return anndata.AnnData(sp.csr_matrix(counts[:, order]), obs=obs, var=pd.DataFrame(index=names))


def same(found, wanted, tolerance=2e-5):
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    assert (np.isnan(found) == np.isnan(wanted)).all()
    worst = np.nanmax(np.abs(found - wanted))
    assert worst < tolerance, f"differ by {worst}"


def embedded(model, *more, data="cells.h5ad", out="embeddings.npz", **how):
    said = run("embed", model.path, data, "--output", out, *more, **how)
    return (np.load(root / out) if out.endswith(".npz") else anndata.read_h5ad(root / out)), said


def cosines(a, b):
    known = ~np.isnan(a[:, 0])
    a, b = a[known].astype("f8"), b[known].astype("f8")
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def judge_hidden_states(models, cells):
    """Both conventions, V1 and V2, against transformers' hidden states of one cell at a time."""
    counts, names = cells.X.toarray(), list(cells.var_names)
    nothing = np.full(32, np.nan, "f4")
    for model in models:
        tokens = model.tokens(counts, names)
        lengths = sorted(map(len, tokens))
        assert lengths[-1] == model.max_length and lengths[2] < model.max_length // 2, f"cells of many lengths: {lengths}"
        hidden = [model.hidden(t) if t else None for t in tokens]
        genes = slice(1, -1) if model.special else slice(None)
        mean = lambda h, layer: h[layer][genes].mean(0) if h is not None and len(h[layer][genes]) else nothing
        for convention, emb_layer, place in (("upstream", -1, LAYERS - 1), ("upstream", 0, LAYERS), ("helical", -1, LAYERS), ("helical", 0, 0)):
            wanted = np.stack([mean(h, place) for h in hidden])
            found, said = embedded(model, "--layer-convention", convention, "--emb-layer", emb_layer)
            same(found["embeddings"], wanted)
            assert "2 cells have no gene of the dictionary" in said, said
            facts = json.loads((root / "metadata.json").read_text())
            assert (facts["hidden_state"], facts["layer_convention"], facts["emb_layer"]) == (place, convention, emb_layer), facts
        if model.special:
            wanted = np.stack([h[LAYERS][0] for h in hidden])
            same(embedded(model, "--mode", "cls", "--emb-layer", 0)[0]["embeddings"], wanted)
        judge_genes(model, tokens, hidden, genes)


def judge_genes(model, tokens, hidden, genes):
    word = {i: w for w, i in model.token.items()}
    held = [(t[genes], h[LAYERS - 1][genes]) for t, h in zip(tokens, hidden) if h is not None]
    mean = {}
    for ids, vectors in held:
        for i, v in zip(ids, vectors):
            mean.setdefault(i, []).append(v.astype("f8"))
    found, _ = embedded(model, "--mode", "gene", out="genes.npz")
    assert list(found["genes"]) == [word[i] for i in sorted(mean)]
    same(found["embeddings"], np.stack([np.mean(mean[i], 0) for i in sorted(mean)]).astype("f4"))
    assert list(found["obs/n_cells"]) == [len(mean[i]) for i in sorted(mean)]
    answer, _ = embedded(model, "--mode", "gene", out="genes.h5ad")
    assert list(answer.obs_names) == list(found["genes"]) and (answer.obsm["X_rank_encoder"] == found["embeddings"]).all()

    found, _ = embedded(model, "--mode", "gene", "--per-cell", out="all_genes.npz")
    lengths = [len(t[genes]) for t in tokens]
    assert list(found["offsets"]) == [0, *np.cumsum(lengths)]
    assert list(found["gene"]) == [i for t in tokens for i in t[genes]]
    assert [found["gene_names"][i] for i in found["gene"][:5]] == [word[i] for i in tokens[0][genes][:5]]
    same(found["embeddings"], np.concatenate([v for _, v in held]))


def judge_methods(model):
    """Four ways to the same embeddings."""
    reference = embedded(model, "--method", "baseline", out="embeddings_baseline.npz")[0]["embeddings"]
    facts = json.loads((root / "metadata_baseline.json").read_text())
    assert (facts["method"], facts["batch_size"], facts["precision"], facts["cells"], facts["width"]) == ("baseline", 10, "float32", CELLS, 32)
    assert facts["seconds"] > 0 and facts["cells_per_second"] > 0 and "cellmill" in facts["version"], facts
    for words, limit in ((("--method", "packed"), 0.9999), (("--method", "packed", "--batch-tokens", 1), 0.9999),
                         (("--method", "batching"), 0.9999), (("--method", "batching", "--batch-size", 7), 0.9999),
                         (("--method", "mixed_precision"), 0.999), (("--precision", "bfloat16"), 0.999)):
        found = embedded(model, *words)[0]["embeddings"]
        assert cosines(found, reference).min() > limit, (words, cosines(found, reference).min())


def judge_files(model, cells):
    """Names, labels and facts as numpy and anndata read them."""
    plain, _ = embedded(model)
    assert plain["embeddings"].dtype == np.float32
    assert list(plain["cells"]) == list(cells.obs_names)
    kind = cells.obs["kind"].astype(object).where(cells.obs["kind"].notna(), "")
    assert list(plain["obs/kind"]) == list(kind) and "obs/plate" in plain.files
    answer, _ = embedded(model, "--columns", "kind", out="answer.h5ad")
    assert list(answer.obs_names) == list(cells.obs_names) and list(answer.obs.columns) == ["kind"]
    assert (answer.obs["kind"].astype(object).where(answer.obs["kind"].notna(), "") == kind).all()
    np.testing.assert_array_equal(answer.obsm["X_rank_encoder"], plain["embeddings"])
    assert answer.uns["cellmill_layer_convention"] == "upstream" and answer.uns["cellmill_hidden_state"] == "2"
    assert (root / "answer.metadata.json").is_file()


def judge_ranks(model):
    """1, 2 and 3 ranks: the same bits, in the order of the file."""
    for words in ((), ("--method", "batching", "--batch-size", 5), ("--batch-tokens", 200), ("--mode", "gene"), ("--mode", "gene", "--per-cell")):
        alone = embedded(model, *words)[0]
        for ranks in (2, 3):
            shared = embedded(model, *words, out=f"shared{ranks}.npz", ranks=ranks)[0]
            assert shared.files == alone.files
            for name in (n for n in alone.files if not n.startswith("uns/")):
                assert shared[name].tobytes() == alone[name].tobytes(), (words, ranks, name)


def judge_sources(model, cells):
    """The same cells from another file, and with names instead of ids."""
    wanted = embedded(model)[0]["embeddings"]
    table = pd.DataFrame(cells.X.toarray().astype(int), index=cells.obs_names, columns=cells.var_names)
    table.to_csv(root / "cells.csv")
    np.testing.assert_array_equal(embedded(model, data="cells.csv")[0]["embeddings"], wanted)
    run("pack", "--input", "cells.h5ad", "--output", "cells.cmpack", "--set", "data.fields=[kind]", "--set", "data.raw_counts=false")
    packed = embedded(model, data="cells.cmpack")[0]
    np.testing.assert_array_equal(packed["embeddings"], wanted)
    assert "obs/kind" in packed.files
    named = cells.copy()
    named.var_names = ["tp53" if name == gene(3) else name.lower() + ".7" for name in cells.var_names]
    named.write_h5ad(root / "named.h5ad")
    np.testing.assert_array_equal(embedded(model, data="named.h5ad")[0]["embeddings"], wanted)
    run("embed", model.path, "cells.h5ad", "--output", "moved.npz", "--dictionary", model.genes)


def judge_refusals(v1, v2, cells):
    out = ("--output", "refused.npz")
    says(64, "mode cls: the model's cells have no <cls> token (V1)", arguments=(v1.path, "cells.h5ad", *out, "--mode", "cls"))
    says(64, "no layer 1: in the convention upstream a model of 3 layers has -3 to 0", arguments=(v1.path, "cells.h5ad", *out, "--emb-layer", 1))
    says(64, "in the convention helical a model of 3 layers has -4 to 3",
         arguments=(v1.path, "cells.h5ad", *out, "--emb-layer", -5, "--layer-convention", "helical"))
    says(64, "mixed_precision computes in bfloat16", arguments=(v1.path, "cells.h5ad", *out, "--method", "batching", "--precision", "bfloat16"))
    says(64, "--batch-tokens", arguments=(v1.path, "cells.h5ad", *out, "--batch-size", 4))
    says(64, "--per-cell is for --mode gene", arguments=(v1.path, "cells.h5ad", *out, "--per-cell"))
    says(64, "known: .npz, .h5ad", arguments=(v1.path, "cells.h5ad", "--output", "refused.csv"))
    says(64, "would overwrite the cells", arguments=(v1.path, "cells.h5ad", "--output", "cells.h5ad"))
    says(66, "no/refused.npz", arguments=(v1.path, "cells.h5ad", "--output", "no/refused.npz"))
    says(65, "no such column", "did you mean kind?", arguments=(v1.path, "cells.h5ad", *out, "--columns", "kinds"))

    logs = cells.copy()
    logs.X = logs.X.log1p()
    logs.write_h5ad(root / "logs.h5ad")
    for ranks in (1, 2):
        says(65, "logs.h5ad", "the values are no counts", "a count", "--allow-fractions", arguments=(v1.path, "logs.h5ad", *out), ranks=ranks)
    run("embed", v1.path, "logs.h5ad", "--output", "fractions.npz", "--allow-fractions")
    strange = cells.copy()
    strange.var_names = [f"gene{i}" for i in range(strange.n_vars)]
    strange.write_h5ad(root / "strange.h5ad")
    says(65, "strange.h5ad", "no column is a gene of the dictionary", arguments=(v1.path, "strange.h5ad", *out))
    strange.var_names = ["nan", *cells.var_names[1:]]
    strange.write_h5ad(root / "null.h5ad")
    says(65, "null.h5ad: gene 0", "a gene has no name", arguments=(v1.path, "null.h5ad", *out))
    (root / "bare").mkdir()
    for name in ("config.json", "model.safetensors"):
        (root / "bare" / name).write_bytes((v1.path / name).read_bytes())
    says(66, "names no genes", arguments=(root / "bare", "cells.h5ad", *out))
    says(66, "nowhere", arguments=("nowhere", "cells.h5ad", *out))
    assert not (root / "refused.npz").exists() and not list(root.glob(".refused*"))


def main():
    cells = made_cells()
    cells.write_h5ad(root / "cells.h5ad")
    v1, v2 = Model("v1", special=False, max_length=64, seed=1), Model("v2", special=True, max_length=70, seed=2)
    judge_hidden_states((v1, v2), cells)
    judge_methods(v1)
    judge_methods(v2)
    judge_files(v1, cells)
    judge_ranks(v2)
    judge_sources(v1, cells)
    judge_refusals(v1, v2, cells)
    print("embeddings are those of transformers")


if __name__ == "__main__":
    try:
        main()
    finally:
        import shutil
        shutil.rmtree(root)
