"""Tokenizers beside each other, one core, in turns: Geneformer's steps in numpy (tests/cli/plain_tokenizer.py), the same with
`datasets` (Dataset.map, save_to_disk) as its tokenizer ends, and ours (bench_tokenize) alone and with its store written.

    ninja -C build/release bench_tokenize
    python tokenize_peer.py build/release/bench_tokenize GENES.json CELLS.h5ad ... [--rounds 3]

Prints a table in Markdown: cells a second, median of the rounds (lowest to highest), and ratios of the medians.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/cli"))

import anndata
import datasets
import numpy as np
import scipy.sparse as sp

import plain_tokenizer

datasets.disable_progress_bars()


def numpy_steps(X, names, dictionary, max_length=2048):
    """As upstream, in its order: chunks of 512 cells, the columns that are genes, x / n_counts * 10,000 / median, an unstable argsort of
    each cell's values, the cut. Columns of one gene are not summed: the first one counts."""
    keep, tokens, medians, _ = plain_tokenizer.columns_of(names, dictionary)
    totals = np.asarray(X.sum(1)).ravel()
    made = []
    for begin in range(0, X.shape[0], 512):
        values = sp.csr_matrix(X[begin : begin + 512][:, keep] / totals[begin : begin + 512, None] * 10_000 / medians)
        for cell in range(values.shape[0]):
            row = values[cell]
            made.append(tokens[row.indices[np.argsort(-row.data)]][:max_length])
    return made


def with_dataset(X, names, dictionary, scratch):
    made = datasets.Dataset.from_dict({"input_ids": numpy_steps(X, names, dictionary, 10**9)})

    def cut(cell):
        cell["input_ids"] = cell["input_ids"][:2048]
        cell["length"] = len(cell["input_ids"])
        return cell

    made.map(cut).save_to_disk(f"{scratch}/cells.dataset")


def rate(cells, act):
    began = time.perf_counter()
    act()
    return cells / (time.perf_counter() - began)


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("dictionary")
parser.add_argument("sets", nargs="+")
parser.add_argument("--rounds", type=int, default=3)
options = parser.parse_args()
dictionary = json.loads(pathlib.Path(options.dictionary).read_text())
print("| set | numpy, upstream's steps | the same, Dataset.map, saved | cellmill | cellmill, store written | ratio to numpy | ratio, saved |\n|---|---|---|---|---|---|---|")
for path in options.sets:
    a = anndata.read_h5ad(path)
    X, names = sp.csr_matrix(a.X), list(a.var_names)
    rates = {kind: [] for kind in ("numpy", "dataset", "alone", "stored")}
    for _ in range(options.rounds):
        rates["numpy"].append(rate(X.shape[0], lambda: numpy_steps(X, names, dictionary)))
        with tempfile.TemporaryDirectory() as scratch:
            ours = json.loads(subprocess.run([options.program, path, options.dictionary, scratch, "5"], check=True, capture_output=True, text=True).stdout)
            rates["alone"].append(ours["alone"]["median"])
            rates["stored"].append(ours["stored"]["median"])
            rates["dataset"].append(rate(X.shape[0], lambda: with_dataset(X, names, dictionary, scratch)))
    cells = [f"**{statistics.median(r):,.0f}** ({min(r):,.0f} to {max(r):,.0f})" for r in rates.values()]
    median = {kind: statistics.median(r) for kind, r in rates.items()}
    print(f"| {pathlib.Path(path).stem} | {' | '.join(cells)} | {median['alone'] / median['numpy']:.1f} × | {median['stored'] / median['dataset']:.1f} × |", flush=True)
