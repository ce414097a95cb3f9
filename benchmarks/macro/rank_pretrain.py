"""Tokens a second of a training step, beside transformers: rank_pretrain.py --cells CELLS.txt --program BUILD/bench_rank_step.

The peer is upstream's step: BertForMaskedLM with logits of all tokens, batches of 12 neighbours in length, padded to the longest, dropout
on, AdamW, gradient clipped at norm 1. Both take the same cells, and turns; a figure is the median of the steps, with the lowest and highest.
CELLS.txt has a line a cell, its tokens in order."""
import argparse
import pathlib
import subprocess
import sys
import time

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

SIZES = {"6l": (6, 256, 4, 512), "12l": (12, 512, 8, 1024)}
TOKENS, BATCH = 25426, 12

parser = argparse.ArgumentParser()
parser.add_argument("--cells", required=True, type=pathlib.Path)
parser.add_argument("--program", required=True)
parser.add_argument("--size", default="6l", choices=SIZES)
parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
parser.add_argument("--dropout", type=float, default=0.02)
parser.add_argument("--place", type=float, default=0.5, help="which batches of the cells sorted by length: 0 the longest, 1 the shortest")
options = parser.parse_args()
layers, hidden, heads, intermediate = SIZES[options.size]
torch.set_num_threads(options.threads)
torch.manual_seed(0)

cells = [np.array(line.split(), np.int64) for line in options.cells.read_text().splitlines()]
cells.sort(key=len, reverse=True)
first = int(options.place * max(0, len(cells) - (options.steps + 1) * BATCH))
cells = cells[first:first + (options.steps + 1) * BATCH]
chosen = options.cells.with_suffix(".chosen")
chosen.write_text("".join(" ".join(map(str, cell)) + "\n" for cell in cells))

config = BertConfig(vocab_size=TOKENS, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=intermediate,
                    max_position_embeddings=2048, hidden_act="relu", layer_norm_eps=1e-12, hidden_dropout_prob=options.dropout,
                    attention_probs_dropout_prob=options.dropout, pad_token_id=0)
peer = BertForMaskedLM(config).train().to(options.device)
optimiser = torch.optim.AdamW(peer.parameters(), lr=1e-3, weight_decay=0.001)


def peer_step(batch):
    length = max(map(len, batch))
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    for row, cell in enumerate(batch):
        ids[row, :len(cell)] = torch.from_numpy(cell)
    begin = time.perf_counter()
    ids = ids.to(options.device)
    real = ids > 0
    hidden_genes = (torch.rand(ids.shape, device=ids.device) < 0.15) & real
    labels = torch.where(hidden_genes, ids, -100)
    how = torch.rand(ids.shape, device=ids.device)
    ids = torch.where(hidden_genes & (how < 0.8), 1, torch.where(hidden_genes & (how >= 0.9), torch.randint_like(ids, 2, TOKENS), ids))
    with torch.autocast(options.device, torch.bfloat16, enabled=options.precision == "bfloat16"):
        loss = peer(input_ids=ids, attention_mask=real.long(), labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    loss.item()  # waits for the device
    return time.perf_counter() - begin


ours = subprocess.Popen([options.program, str(chosen), "--batch", str(BATCH), "--threads", str(options.threads), "--layers", str(layers), "--hidden",
                         str(hidden), "--heads", str(heads), "--intermediate", str(intermediate), "--dropout", str(options.dropout), "--precision",
                         options.precision, "--device", options.device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def our_step():
    ours.stdin.write("step\n")
    ours.stdin.flush()
    return float(ours.stdout.readline().split()[0])


figures = {"transformers": [], "cellmill": []}
for step in range(options.steps + 1):
    batch = cells[step * BATCH:(step + 1) * BATCH]
    tokens = sum(map(len, batch))
    seconds = {"transformers": peer_step(batch), "cellmill": our_step()}
    print(f"step {step}: {tokens} tokens, " + ", ".join(f"{name} {s:.2f} s" for name, s in seconds.items()), file=sys.stderr, flush=True)
    if step > 0:  # the first warms up
        for name in figures:
            figures[name].append(tokens / seconds[name])
ours.stdin.close()
ours.wait()
for name, rates in figures.items():
    print(f"{name}: {np.median(rates):,.0f} tokens/s ({min(rates):,.0f} to {max(rates):,.0f})")
print(f"ratio: {np.median(np.array(figures['cellmill']) / np.array(figures['transformers'])):.2f}")
