"""The seed's command line, end to end: made cells and a made model, `cellmill embed` and tools/evaluate_embeddings.

    judge_simple_evaluation.py CELLMILL
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

cellmill = os.path.abspath(sys.argv[1])
TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/simple_evaluation.py"


def run(folder, *arguments):
    words = [sys.executable, TOOL, "--program", cellmill, "--device", "cpu", "--no_plots", *arguments]
    done = subprocess.run(list(map(str, words)), cwd=folder, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def scores(folder, group):
    table = pd.read_csv(folder / "evaluation_summary.csv", keep_default_na=False)
    table = table[(table.group == group) & (table.embedding == "embedding")]
    return {name: float(value) for name, value in zip(table.metric, table.value) if value != ""}


def main(folder):
    said = run(folder, "--method", "mixed_precision", "--batch_size", "32", "--num_samples", "100")
    assert "MADE cells" in said and "x the baseline's" in said, said
    results = folder / "results"
    drawn = anndata.read_h5ad(results / "cells.h5ad")
    assert drawn.n_obs == 100 and set(drawn.obs.perturbation.value_counts()) == {20}
    for method, precision in (("baseline", "float32"), ("mixed_precision", "bfloat16")):
        facts = json.loads((results / method / "metadata.json").read_text())
        assert (facts["method"], facts["precision"], facts["cells"]) == (method, precision, 100) and facts["cells_per_second"] > 0
        with np.load(results / method / "embeddings.npz") as file:
            assert list(file["cells"]) == list(drawn.obs_names) and file["embeddings"].shape == (100, 64)
    assert scores(results / "mixed_precision", "consistency")["mean_cosine_similarity"] > 0.999
    for method in ("batching", "packed"):
        said = run(folder, "--method", method, "--num_samples", "100")
        assert "the baseline first" not in said, said
        found = scores(results / method, "consistency")
        assert found["min_cosine_similarity"] > 0.9999 and found["distance_matrix_pearson"] > 0.9999 and found["acceptable"] == 1, found
    assert 0 <= scores(results / "packed", "quality")["zero_shot_accuracy"] <= 1
    print("the seed's command line works")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cellmill-simple-") as folder:
        main(pathlib.Path(folder))
