#!/usr/bin/env python3
"""Cells/s of whole training, loader included:   fed.py CELLMILL [--source synthetic|pack] [--device cuda|cpu] [--precision P] [--quick]

Trains the size `real` of bench_step on made cells that are drawn as they are asked for, or on a store of them that is packed first, and reads the
rate of the run's own curves, the first point left out. One JSON line.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

CELLS = ["data.format=synthetic", "data.synthetic_genes=20000", "data.synthetic_categories=[20,300,3,60]", "data.synthetic_density=0.067"]
MODEL = ["model.cycle_autoencoder.latent=128", "model.cycle_autoencoder.classifier_hidden=[256]"]


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command[:2])}: exit {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("--source", default="pack", choices=("synthetic", "pack"))
    options.add_argument("--device", default="cuda")
    options.add_argument("--precision", default="float32")
    options.add_argument("--batch", type=int, default=4096)
    options.add_argument("--cells", type=int, default=32768)
    options.add_argument("--threads", type=int, default=max(1, len(os.sched_getaffinity(0)) - 1))
    options.add_argument("--quick", action="store_true")
    o = options.parse_args()
    if o.quick:
        o.batch, o.cells = 64, 512
    steps = 12 if o.quick else 60
    program = os.path.abspath(o.program)
    with tempfile.TemporaryDirectory() as folder:
        cells = [*CELLS, f"data.synthetic_cells={o.cells}"]
        if o.source == "pack":
            store = f"{folder}/cells.cmpack"
            call(program, "pack", "--set", *cells, "--output", store, "--shuffle")
            cells = [f"data.path={store}"]
        settings = [*cells, *MODEL, f"train.device={o.device}", f"train.precision={o.precision}", f"train.global_batch={o.batch}"]
        settings += [f"train.max_steps={steps}", "train.epochs=1000", "data.split.validation_fraction=0", f"data.loader.threads={o.threads}"]
        settings += [f"output.folder={folder}/run", "output.log_every_steps=5", "evaluation.every_steps=1000000"]
        settings += ["checkpoint.every_steps=1000000", "checkpoint.every_minutes=0"]
        call(program, "train", "--set", *settings)
        points = [json.loads(line) for line in pathlib.Path(folder, "run", "metrics.jsonl").read_text().splitlines()]
    points = [p for p in points if p["split"] == "train" and "cells_per_second" in p]
    rates = [p["cells_per_second"] for p in points][1:]
    seconds = sum(o.batch * 5 / rate for rate in rates)
    waited = points[-1]["data_wait_seconds"] - points[0]["data_wait_seconds"]
    print(json.dumps({"benchmark": "fed", "source": o.source, "device": o.device, "precision": o.precision, "batch": o.batch,
                      "cells_per_second": {"min": min(rates), "median": statistics.median(rates), "max": max(rates)},
                      "data_wait_share": waited / seconds}))  # fmt: skip


if __name__ == "__main__":
    main()
