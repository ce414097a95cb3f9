"""tools/simple_evaluation.py with a stand-in for the program: which cells, which commands, what is compared with what."""
import json
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

STAND_IN = """#!{python}
import json, os, sys
import h5py, numpy as np, scipy.sparse as sp
print("asked", json.dumps(sys.argv[1:]))
if "fail" in sys.argv[2]: sys.exit(65)
value = lambda key: sys.argv[sys.argv.index(key) + 1]
out, method = value("--output"), value("--method")
with h5py.File(sys.argv[3]) as file:
    names = file["obs"][file["obs"].attrs["_index"]].asstr()[:].astype("U")
    counts = sp.csr_matrix(tuple(file["X"][part][:] for part in ("data", "indices", "indptr")), shape=file["X"].attrs["shape"]).toarray()
places = np.log1p(counts) + {{"baseline": 0, "batching": 1e-4}}.get(method, 1e-2) * np.random.RandomState(0).normal(size=counts.shape)
np.savez(out, embeddings=places.astype("f4"), cells=names)
facts = {{"cells": len(names), "method": method, "seconds": 2.0, "cells_per_second": {{"baseline": 10.0}}.get(method, 40.0)}}
json.dump(facts, open(os.path.join(os.path.dirname(out), "metadata.json"), "w"))
"""


@pytest.fixture
def simple(tool, tmp_path, capfd):
    program = tmp_path / "cellmill"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    random = np.random.RandomState(1)
    kinds = np.repeat(["control", "A", "B"], [100, 40, 5])
    counts = sp.csr_matrix(random.poisson(1 + 2 * (kinds[:, None] == "A") * (np.arange(12) < 4), (145, 12)).astype("f4"))
    anndata.AnnData(counts, obs=pd.DataFrame({"perturbation": kinds}, index=[f"c{i}" for i in range(145)])).write_h5ad(tmp_path / "all.h5ad")
    (tmp_path / "model").mkdir()

    def run(*arguments, data=("--data", tmp_path / "all.h5ad", "--model", tmp_path / "model")):
        capfd.readouterr()
        done = tool("simple_evaluation.py", *data, "--program", program, "--output_dir", tmp_path / "results", "--no_plots", *arguments)
        children = capfd.readouterr()
        asked = [json.loads(line[6:]) for line in children.out.splitlines() if line.startswith("asked ")]
        done.stderr += children.err
        return done, asked

    run.folder = tmp_path / "results"
    return run


def drawn(folder):
    return anndata.read_h5ad(folder / "cells.h5ad")


def test_the_seeds_command_line(simple):
    done, asked = simple("--method", "mixed_precision", "--batch_size", "32", "--num_samples", "60")
    assert done.returncode == 0, done.stderr
    assert [command[command.index("--method") + 1] for command in asked] == ["baseline", "mixed_precision"]
    assert "--batch-size" not in asked[0] and asked[1][asked[1].index("--batch-size") + 1] == "32"
    assert "mixed_precision: 60 cells in 2.00 s, 40.0 cells/s" in done.stdout and "4.00 x the baseline's 10.0 cells/s" in done.stdout
    cells = drawn(simple.folder)
    assert cells.obs.perturbation.value_counts().to_dict() == {"A": 28, "control": 27, "B": 5}
    assert [int(name[1:]) for name in cells.obs_names] == sorted(int(name[1:]) for name in cells.obs_names)
    summary = pd.read_csv(simple.folder / "mixed_precision" / "evaluation_summary.csv").set_index(["embedding", "metric"]).value
    assert 0.99 < summary["embedding", "mean_cosine_similarity"] < 1 and summary["baseline", "zero_shot_accuracy"] > 0
    assert (simple.folder / "mixed_precision" / "report.html").is_file() and not (simple.folder / "baseline" / "report.html").exists()


def test_the_baseline_is_run_again_only_if_it_is_another(simple):
    simple("--num_samples", "50")
    assert (simple.folder / "baseline" / "evaluation_summary.csv").is_file()
    first = list(drawn(simple.folder).obs_names)
    done, asked = simple("--method", "packed", "--batch_size", "32", "--num_samples", "50")
    assert len(asked) == 1 and "--batch-size" not in asked[0] and "--batch_size 32 is not used" in done.stderr
    assert list(drawn(simple.folder).obs_names) == first
    _, asked = simple("--method", "batching", "--num_samples", "50", "--seed", "7")
    assert len(asked) == 2 and list(drawn(simple.folder).obs_names) != first
    _, asked = simple("--method", "batching", "--num_samples", "50", "--seed", "7", "--emb_layer", "0")
    assert len(asked) == 2
    _, asked = simple("--method", "batching", "--num-samples", "50", "--seed", "7", "--emb-layer", "0")
    assert len(asked) == 1


def test_refusals(simple, tmp_path):
    done, _ = simple(data=("--data", tmp_path / "all.h5ad"))
    assert done.returncode == 64 and "--model is needed, too" in done.stderr
    done, _ = simple(data=("--model", tmp_path / "model"))
    assert done.returncode == 64 and "--data is needed, too" in done.stderr
    done, _ = simple(data=("--data", tmp_path / "none.h5ad", "--model", tmp_path / "model"))
    assert done.returncode == 66 and "none.h5ad: no such file" in done.stderr
    done, _ = simple("--program", tmp_path / "nothing")
    assert done.returncode == 66 and "tools/setup builds it" in done.stderr
    done, _ = simple("--label", "dose")
    assert done.returncode == 64 and "--label dose: there is no such column" in done.stderr and "found perturbation" in done.stderr
    done, _ = simple("--method", "quick")
    assert done.returncode == 64 and "invalid choice" in done.stderr
    (tmp_path / "failing").mkdir()
    done, _ = simple(data=("--data", tmp_path / "all.h5ad", "--model", tmp_path / "failing"))
    assert done.returncode == 65 and "`cellmill embed` ended with 65" in done.stderr
    done, _ = simple("--num_samples", "1000")
    assert done.returncode == 0 and "there are only 145 cells" in done.stderr


def test_without_data_and_model_both_are_made_and_that_is_said(simple):
    done, asked = simple("--num_samples", "40", data=())
    assert done.returncode == 0, done.stderr
    assert "MADE cells" in done.stderr and "RANDOM weights" in done.stderr and "Remember: made cells" in done.stderr
    model = simple.folder / "made" / "model"
    assert asked[0][1] == str(model) and drawn(simple.folder).obs.perturbation.value_counts().tolist() == [8] * 5
    genes = json.loads((model / "genes.json").read_text())
    assert genes["tokens"]["<pad>"] == 0 and genes["tokens"]["<mask>"] == 1 and len(genes["medians"]) == len(genes["tokens"]) - 2
    assert all(value > 0 for value in genes["medians"].values())
    config = json.loads((model / "config.json").read_text())
    assert config["vocab_size"] == len(genes["tokens"]) and (model / "model.safetensors").is_file()
    before = (model / "model.safetensors").stat().st_mtime_ns
    simple("--num_samples", "40", data=())
    assert (model / "model.safetensors").stat().st_mtime_ns == before
