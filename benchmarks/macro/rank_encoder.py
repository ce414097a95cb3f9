#!/usr/bin/env python3
"""Embedding of cells beside `transformers`, by turns, in one run:   rank_encoder.py BENCH_ENCODE [options]

    ninja -C build/release bench_encode
    PYTHON benchmarks/macro/rank_encoder.py build/release/bench_encode                        # made-up cells, lengths as of pbmc3k
    PYTHON benchmarks/macro/rank_encoder.py build/release/bench_encode --length 2048 --count 6
    PYTHON benchmarks/macro/rank_encoder.py build/release/bench_encode --store cells.h5 --count 30   # of `cellmill tokenize`

PYTHON has torch and transformers. The model has random weights by a seed, in a Hugging Face folder that both read. Cells: --count of them in
blocks of 10 neighbours in length, which is what sorting a whole data set by length gives a batch; so no side computes padding. Rows:

    full        hidden_states[-1] (helical's layer -1); transformers: BertModel, SDPA, 10 cells a batch
    upstream    hidden_states[-2] (upstream's layer -1), of which we do not run the last layer; transformers as `full`
    as written  the same beside BertForMaskedLM with the logits of all tokens and all hidden states, as upstream calls it

in float32 and bfloat16 (transformers: the fastest of weights cast to bfloat16, autocast and float32). Beside them the rate of a float32 matrix product
in the same turns. A line of JSON a row: cells/s (min, median, max over --rounds), the ratio of medians, the lowest cosine between both sides.
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

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

CONFIGURATIONS = {"6l": (6, 256, 4, 512), "12l": (12, 512, 8, 1024)}  # layers, hidden, heads, inner: gf-6L-10M-i2048, gf-12L-40M-i2048
VOCABULARY, LONGEST, BATCH = 25426, 2048, 10
PBMC_LENGTHS = ([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], [196, 402, 632, 748, 870, 1258, 2048])  # quantiles


def made_up(length, count, draw):
    """Blocks of neighbours in length, each at the middle of its share of the cells."""
    blocks = max(1, count // BATCH)
    middles = np.interp((np.arange(blocks) + 0.5) / blocks, *PBMC_LENGTHS)
    lengths = [length] * count if length else [int(m) - k for m in middles[::-1] for k in range(BATCH)][:count]
    return [draw.choice(np.arange(2, VOCABULARY), n, replace=False) for n in lengths]


def neighbours(cells, count):
    order = np.argsort([-len(cell) for cell in cells], kind="stable")
    blocks = max(1, count // BATCH)
    starts = [int((k + 0.5) / blocks * len(order)) for k in range(blocks)]
    return [cells[i] for s in starts for i in order[s : s + BATCH]][:count]


def stored(path):
    import h5py

    with h5py.File(path) as file:
        tokens, offsets = file["tokens"][:], file["offsets"][:]
    return [tokens[a:b] for a, b in zip(offsets[:-1], offsets[1:]) if b > a]


class Ours:
    def __init__(self, program, model, folder, cells, threads, device):
        np.save(folder / "tokens.npy", np.concatenate(cells).astype(np.int32))
        np.save(folder / "offsets.npy", np.cumsum([0] + [len(c) for c in cells]).astype(np.int64))
        self.result, self.shape = folder / "embeddings.bin", (len(cells), -1)
        command = [program, str(model), str(folder), str(threads), device]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, precision, layer, tokens, method="packed"):
        self.process.stdin.write(f"{method} {precision} {layer} {tokens} {self.result}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench_encode ended with {self.process.wait()}")
        return float(line), np.fromfile(self.result, np.float32).reshape(self.shape)


@torch.inference_mode()
def theirs(model, cells, layer, autocast=False, head=False):
    out, start = np.empty((len(cells), model.config.hidden_size), np.float32), time.perf_counter()
    order = np.argsort([-len(c) for c in cells], kind="stable")
    for batch in (order[k : k + BATCH] for k in range(0, len(order), BATCH)):
        lengths = torch.tensor([len(cells[i]) for i in batch])
        ids = torch.zeros(len(batch), int(lengths.max()), dtype=torch.long)
        for row, i in enumerate(batch):
            ids[row, : len(cells[i])] = torch.from_numpy(cells[i])
        ids, lengths = ids.to(model.device), lengths.to(model.device)
        mask = (torch.arange(ids.shape[1], device=ids.device)[None] < lengths[:, None]).long()
        every = head or layer != -1
        with torch.autocast(model.device.type, torch.bfloat16, enabled=autocast):
            done = model(input_ids=ids, attention_mask=mask, output_hidden_states=every)
        hidden = (done.hidden_states[layer] if every else done.last_hidden_state).float()
        out[batch] = ((hidden * mask[..., None]).sum(1) / lengths[:, None]).cpu().numpy()
    return time.perf_counter() - start, out


def product(device):
    a = torch.ones(2048, 2048, device=device)
    start = time.perf_counter()
    (a @ a)[0, 0].item()
    return 2 * 2048**3 / (time.perf_counter() - start) / 1e9


def cosine(a, b):
    return float((np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def row(name, ours, peers, rounds, cells, device):
    """`peers`: by name; the fastest of them counts."""
    times, values = {}, {}
    products = []
    for turn in range(rounds + 1):  # the first warms up
        if turn:
            products.append(product(device))
        for side, run in [("cellmill", ours), *peers.items()]:
            seconds, values[side] = run()
            if turn:
                times.setdefault(side, []).append(len(cells) / seconds)
    median = {side: statistics.median(t) for side, t in times.items()}
    best = max(peers, key=median.get)
    rates = {side: [round(v, 3) for v in (min(t), median[side], max(t))] for side, t in times.items()}
    line = {"benchmark": "rank_encoder", "row": name, "cells": len(cells), "tokens": int(sum(map(len, cells))), "cells_per_s": rates, "peer": best}
    line |= {"ratio": round(median["cellmill"] / median[best], 3), "lowest_cosine": round(cosine(values["cellmill"], values[best]), 7)}
    print(json.dumps(line | {"product_gflops": round(statistics.median(products)), "load": round(os.getloadavg()[0], 1)}), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("--store", help="cells of `cellmill tokenize`; else made up")
    options.add_argument("--length", type=int, default=0, help="of made-up cells; 0: as in pbmc3k")
    options.add_argument("--count", type=int, default=30)
    options.add_argument("--configuration", choices=CONFIGURATIONS, default="6l")
    options.add_argument("--tokens", type=int, default=8192, help="a packed batch")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rows", default="full,upstream,as written")
    options.add_argument("--precisions", default="float32,bfloat16")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    cells = neighbours(stored(chosen.store), chosen.count) if chosen.store else made_up(chosen.length, chosen.count, np.random.default_rng(0))
    cells = [np.asarray(cell, np.int64) for cell in cells]

    layers, hidden, heads, inner = CONFIGURATIONS[chosen.configuration]
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner)
    config.update({"max_position_embeddings": LONGEST, "hidden_act": "relu", "layer_norm_eps": 1e-12, "pad_token_id": 0})
    torch.manual_seed(0)
    model = BertForMaskedLM._from_config(config, attn_implementation="sdpa").eval().to(chosen.device)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model.save_pretrained(folder)
        ours = Ours(chosen.program, folder, folder, cells, chosen.threads, chosen.device)
        cast = BertForMaskedLM.from_pretrained(folder, torch_dtype=torch.bfloat16, attn_implementation="sdpa").eval().to(chosen.device)
        for precision in chosen.precisions.split(","):
            for name in chosen.rows.split(","):
                head, layer = name == "as written", -1 if name == "full" else -2

                def of(network, autocast=False):
                    network = network if head else network.bert
                    return lambda: theirs(network, cells, layer, autocast, head)

                peers = {"transformers float32": of(model)}
                if precision == "bfloat16":
                    peers |= {"transformers bfloat16": of(cast), "transformers autocast": of(model, True)}
                title = f"{chosen.configuration} {name}, {precision}"
                row(title, lambda: ours(precision, layers + 1 + layer, chosen.tokens), peers, chosen.rounds, cells, chosen.device)


if __name__ == "__main__":
    main()
