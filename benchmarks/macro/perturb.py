#!/usr/bin/env python3
"""In-silico deletion: `cellmill perturb` beside Geneformer's loop and beside an encoder-only loop in transformers.

    benchmarks/macro/perturb.py CELLMILL [--rounds 5] [--deletions 30] [--threads 2] [--harness FOLDER --data FOLDER]

One cell of 749 genes, as the median cell of pbmc3k (with --harness and --data that cell itself), gf-6L-10M-i2048 with random
weights, float32, second-to-last layer. In every round each takes its turn on the same deletions; the loops' batches are 10, as
upstream's. Seconds of cellmill are those that it says for its perturbations (the original's embedding among them, as in the
loops; not its start). The cosines of all three are compared.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
import transformers

TOKENS = 25_426


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cellmill")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deletions", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"], help="bfloat16: the loops under autocast")
    parser.add_argument("--batch-tokens", type=int, default=None)
    parser.add_argument("--harness", help="folder of ranklib.py, which reads pbmc3k")
    parser.add_argument("--data", help="folder of pbmc3k.h5ad and the dictionaries")
    return parser.parse_args()


def make_cell(options):
    if not options.harness:
        return np.random.default_rng(0).permutation(np.arange(2, TOKENS))[:749]
    sys.path.insert(0, options.harness)
    import ranklib
    cells, _ = ranklib.cells(options.data, "pbmc3k")
    lengths = np.array([len(cell) for cell in cells])
    return cells[np.argsort(lengths)[len(lengths) // 2]]


def make_model():
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=TOKENS, hidden_size=256, num_hidden_layers=6, num_attention_heads=4, intermediate_size=512,
                                     max_position_embeddings=2048, hidden_act="relu", layer_norm_eps=1e-12, hidden_dropout_prob=0.02,
                                     attention_probs_dropout_prob=0.02)
    config._attn_implementation = "sdpa"
    return transformers.BertForMaskedLM(config).eval()


def write_inputs(folder, model, cell):
    """The model's folder, and counts whose ranks are the cell's tokens."""
    model.save_pretrained(f"{folder}/model")
    names = {f"T{t}": t for t in range(2, TOKENS)}
    with open(f"{folder}/model/genes.json", "w") as file:
        json.dump({"tokens": {"<pad>": 0, "<mask>": 1, **names}, "medians": dict.fromkeys(names, 1)}, file)
    counts = sp.csr_matrix(np.arange(len(cell), 0, -1, dtype="f4")[None])
    anndata.AnnData(counts, var=pd.DataFrame(index=[f"T{t}" for t in cell])).write_h5ad(f"{folder}/cell.h5ad")


@torch.inference_mode()
def loop(model, cell, places, amp):
    cell, cosines = torch.from_numpy(cell.astype(np.int64)), []
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=amp):
        def hidden(x):
            return model(input_ids=x, attention_mask=torch.ones_like(x), output_hidden_states=True).hidden_states[-2].float()
        before = hidden(cell[None])[0]
        for first in range(0, len(places), 10):
            some = places[first:first + 10]
            after = hidden(torch.stack([torch.cat([cell[:p], cell[p + 1:]]) for p in some]))
            kept = torch.stack([torch.cat([before[:p], before[p + 1:]]) for p in some])
            cosines.append(torch.nn.functional.cosine_similarity(after.mean(1), kept.mean(1), dim=1))
    return time.perf_counter() - start, torch.cat(cosines).numpy()


def cellmill(options, folder, cell, places):
    out = f"{folder}/answer.h5ad"
    if os.path.exists(out):
        os.remove(out)
    more = [] if options.batch_tokens is None else ["--batch-tokens", str(options.batch_tokens)]
    said = subprocess.run([options.cellmill, "perturb", f"{folder}/model", f"{folder}/cell.h5ad", "--output", out, "--device", "cpu", "--genes",
                           ",".join(f"T{cell[p]}" for p in places), "--precision", options.precision, *more], capture_output=True, text=True,
                          check=True, env={**os.environ, "OMP_NUM_THREADS": str(options.threads)}).stderr
    rate = float(re.search(r"perturbing: \d+ perturbations in .*\(([0-9.]+) perturbations/s\)", said)[1])
    answer = anndata.read_h5ad(out)
    column = {name: i for i, name in enumerate(answer.var_names)}
    return len(places) / rate, answer.X[0, [column[f"T{cell[p]}"] for p in places]]


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    cell, model, amp = make_cell(options), make_model(), options.precision == "bfloat16"
    places = np.linspace(0, len(cell) - 1, options.deletions).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        write_inputs(folder, model, cell)
        ways = {"upstream": lambda: loop(model, cell, places, amp), "encoder only": lambda: loop(model.bert, cell, places, amp),
                "cellmill": lambda: cellmill(options, folder, cell, places)}
        seconds, cosines = {way: [] for way in ways}, {}
        loop(model.bert, cell, places[:10], amp)
        for _ in range(options.rounds):
            for way, go in ways.items():
                taken, cosines[way] = go()
                seconds[way].append(taken)
    apart = max(np.abs(cosines["cellmill"] - cosines[way]).max() for way in ("upstream", "encoder only"))
    rates = {way: options.deletions / np.sort(taken)[::-1] for way, taken in seconds.items()}
    for way, rate in rates.items():
        ratio = np.median(np.array(seconds[way]) / np.array(seconds["cellmill"]))
        print(f"{way:14} {rate.min():7.2f} / {np.median(rate):7.2f} / {rate.max():7.2f} deletions/s   cellmill is {ratio:.2f} x")
    print(json.dumps({"benchmark": "perturb", "tokens": len(cell), "deletions": options.deletions, "precision": options.precision,
                      "threads": options.threads, "load": os.getloadavg()[0], "cosines_apart": float(apart),
                      "deletions_per_second": {way: list(np.round(rate, 3)) for way, rate in rates.items()}}))


if __name__ == "__main__":
    main()
