"""benchmarks/science/rank_encoder on made cells, with a stand-in for the program: what is made of what, resuming, the table."""
import json
import pickle
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from conftest import ROOT

GENES = 120
STAND_IN = """#!{python}
import json, os, sys
import h5py, numpy as np
print("asked", json.dumps(sys.argv[1:]))
settings = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
if sys.argv[1] == "train":
    os.makedirs(settings["output.folder"])
elif sys.argv[1] == "embed":
    with h5py.File(sys.argv[3]) as file:
        names = file["obs"][file["obs"].attrs["_index"]].asstr()[:].astype("U")
    np.savez(sys.argv[sys.argv.index("--output") + 1], embeddings=np.random.RandomState(0).normal(size=(len(names), 8)).astype("f4"), cells=names)
"""


@pytest.fixture
def bench(tmp_path):
    random = np.random.RandomState(0)
    kind = np.resize(["T", "B", "NK", "unlabelled"], 100)
    level = np.ones((4, GENES)) + 3 * (random.rand(4, GENES) < 0.2)
    counts = sp.csr_matrix(random.poisson(level[np.resize(range(4), 100)]).astype("f4"))
    names = [f"GENE{i}" for i in range(GENES)]
    obs = pd.DataFrame({"cell_type_author": kind}, index=[f"c{i}" for i in range(100)])
    anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=names)).write_h5ad(tmp_path / "pbmc3k.h5ad")
    ids = [f"ENSG{i:011d}" for i in range(GENES + 30)]
    dictionaries = {"token_dictionary": {"<pad>": 0, "<mask>": 1, **{gene: 2 + i for i, gene in enumerate(ids)}},
                    "gene_median_dictionary": {gene: 1.0 + i for i, gene in enumerate(ids)},
                    "gene_name_id_dict": {f"GENE{i}": ids[i] for i in range(GENES - 20)}}  # fmt: skip
    (tmp_path / "geneformer_dicts").mkdir()
    for name, content in dictionaries.items():
        (tmp_path / "geneformer_dicts" / f"{name}.pkl").write_bytes(pickle.dumps(content, protocol=4))
    program = tmp_path / "cellmill"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)

    def run(*arguments, data=tmp_path):
        command = [sys.executable, "-B", ROOT / "benchmarks/science/rank_encoder", "--data", data, "--program", program, "--out", tmp_path / "out",
                   "--sets", "pbmc", *arguments]  # fmt: skip
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)

    run.place = tmp_path / "out" / "pbmc3k" / "seed-0"
    return run


def test_without_data_it_is_skipped(bench, tmp_path):
    done = bench(data=tmp_path / "nowhere")
    assert done.returncode == 77 and done.stderr.startswith("skipped: no data in ")


def test_components_are_judged_and_a_rerun_does_what_is_missing(bench):
    first = bench("--who", "genes")
    assert first.returncode == 0, first.stderr
    assert "### pbmc3k: cell_type_author" in first.stdout and "| variable genes + PCA | 1 | " in first.stdout
    values = np.load(bench.place / "pca-2000.npz")["embeddings"]
    assert values.shape == (100, 50) and np.allclose(values.mean(0), 0, atol=1e-4)
    again = bench("--who", "genes", "--seeds", "0,1")
    assert again.stderr == "variable genes + PCA: pbmc3k, cell_type_author, seed 1\n" and "| variable genes + PCA | 2 | " in again.stdout


@pytest.mark.skipif(not (ROOT / "tools/gene_dictionary").exists(), reason="no tools/gene_dictionary in this checkout yet")
def test_the_encoder_is_trained_on_the_same_cells_with_geneformers_medians(bench):
    done = bench("--who", "pretrained")
    assert done.returncode == 0, done.stderr
    genes = json.loads((bench.place / "genes.json").read_text())
    assert len(genes["tokens"]) == 2 + GENES - 20 and genes["medians"]["ENSG00000000007"] == 8 and genes["names"]["GENE7"] == "ENSG00000000007"
    asked = [json.loads(line[6:]) for line in (bench.place / "log").read_text().splitlines() if line.startswith("asked ")]
    assert [words[0] for words in asked] == ["train", "embed"] and f"model.rank_encoder.dictionary={bench.place / 'genes.json'}" in asked[0]
    assert asked[1][1:3] == [str(bench.place / "pretrained"), str(bench.place.parents[2] / "pbmc3k.h5ad")]
