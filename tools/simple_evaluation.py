#!/usr/bin/env python3
"""Embeds a sample of cells with a rank encoder, in one of four ways, times it and judges what comes out:

    tools/simple_evaluation.py --method mixed_precision --batch_size 32 --num_samples 100
    tools/simple_evaluation.py --method packed --model gf-6L-10M-i2048 --dictionary genes.json --data cells.h5ad --num_samples 1000

--method  baseline          float32, padded batches in the order of the file (10 cells)
          batching          float32, padded batches of cells of like length (32 cells)
          mixed_precision   the same in bfloat16
          packed            without padding, float32: what `cellmill embed` does if not told otherwise

Writes into OUTPUT_DIR/METHOD embeddings.npz and metadata.json (seconds, cells/s) as `cellmill embed` does, and what
tools/evaluate_embeddings writes: evaluation_summary.csv, geometry_metrics.csv, report.html, pictures. Other methods are compared with the
baseline, which is run first where OUTPUT_DIR/baseline is not of these cells, model and settings. Cells are drawn with --seed, as many of
each label as there are; they lie in OUTPUT_DIR/cells.h5ad. Without --data and --model both are made up, which is said.
"""

import in_venv  # noqa: F401, I001  (first: it chooses the Python)

import json
import os
import pathlib
import shlex
import subprocess
import time

import numpy as np

import atomic_files
import failing
import progress
from embedding_evaluation import evaluation, inputs, made_example
from failing import DATA, NO_INPUT, USAGE, Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent
METHODS = ["baseline", "batching", "mixed_precision", "packed"]


def main():
    o = arguments()
    out = pathlib.Path(o.output_dir)
    made = not o.data and not o.model
    if made:
        progress.say(made_example.SAYS)
        o.data, o.model = made_example.make(out / "made", o.seed)
    check(o)
    out.mkdir(parents=True, exist_ok=True)
    o.cells = out / "cells.h5ad"
    o.label, classes = draw_cells(o)
    if o.method != "baseline" and not same_run(out / "baseline", o):
        progress.say("the baseline first, to compare with")
        embed("baseline", 0, out / "baseline", o)
    seconds = embed(o.method, o.batch_size, out / o.method, o)
    evaluate(out, classes, o)
    show(out, seconds, made, o)


def arguments():
    parser = failing.Arguments(prog="tools/simple_evaluation.py", description=__doc__, formatter_class=failing.RawHelp)

    def option(name, **how):
        parser.add_argument(*dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"]), **how)

    option("method", choices=METHODS, default="baseline", help="default: %(default)s")
    option("batch_size", type=int, default=0, metavar="CELLS", help="of a padded batch (default: the method's own; packed has none)")
    option("num_samples", type=int, default=100, metavar="CELLS", help="cells drawn (default: %(default)s)")
    option("data", default="", metavar="FILE", help=".h5ad of raw counts")
    option("model", default="", metavar="MODEL", help="a run, a checkpoint or a Hugging Face folder")
    option("dictionary", default="", metavar="FILE", help="the model's genes, where it has no genes.json (tools/gene_dictionary)")
    option("emb_layer", type=int, default=-1, help="as layer_convention counts (default: %(default)s)")
    option("layer_convention", choices=["upstream", "helical"], default="upstream", help="upstream: -1 is the last but one; helical: the last")
    option("label", default="", metavar="COLUMN", help="of obs (default: perturbation, else perturbation_type)")
    option("control", default="", metavar="CLASS", help="the label that others are perturbations of (default: control, if there)")
    option("device", choices=["auto", "cpu", "cuda"], default="auto", help="default: %(default)s")
    option("output_dir", default="results", metavar="DIR", help="default: %(default)s")
    option("seed", type=int, default=42, help="of the cells drawn (default: %(default)s)")
    option("program", default=str(ROOT / "build/release/cellmill"), metavar="FILE", help="default: the checkout's")
    option("no_plots", dest="plots", action="store_false", help="draw no pictures")
    o = parser.parse_args()
    if o.num_samples < 2 or o.batch_size < 0 or o.seed < 0:
        raise Failure(USAGE, "--num_samples is at least 2, --batch_size and --seed at least 0", found=f"{o.num_samples}, {o.batch_size}, {o.seed}")
    if o.method == "packed" and o.batch_size:
        progress.say(f"packed batches go by tokens: --batch_size {o.batch_size} is not used")
        o.batch_size = 0
    if bool(o.data) != bool(o.model):
        missing, what = ("--model", "a Hugging Face folder or a run") if o.data else ("--data", "an .h5ad of raw counts")
        raise Failure(USAGE, f"{missing} is needed, too", expected=what, hint="without both, cells and a tiny random model are made up")
    return o


def check(o):
    for path in (o.data, o.model, o.dictionary):
        if path and not pathlib.Path(path).exists():
            raise Failure(NO_INPUT, "no such file", file=path)
    if not os.access(o.program, os.X_OK):
        raise Failure(NO_INPUT, "no such program", file=o.program, hint="tools/setup builds it; --program names another")
    if pathlib.Path(o.data).suffix != ".h5ad":
        raise Failure(DATA, "not an .h5ad", file=o.data, hint="`cellmill embed` and tools/evaluate_embeddings take other formats")


def draw_cells(o):
    """Writes the drawn cells, in their order, into o.cells. -> (column of labels or "", its classes)."""
    import anndata

    cells = anndata.read_h5ad(o.data, backed="r")
    column = o.label or next((name for name in inputs.LABELS_IF_NONE_NAMED if name in cells.obs), "")
    if o.label and o.label not in cells.obs:
        raise Failure(USAGE, f"--label {o.label}: there is no such column", file=o.data, found=", ".join(cells.obs.columns) or "none")
    labels = np.array(cells.obs[column].astype(str) if column else ["cell"] * cells.n_obs)
    rows = evenly(labels, o.num_samples, np.random.default_rng(o.seed))
    if len(rows) < o.num_samples:
        progress.say(f"there are only {len(rows)} cells, all of which are taken")
    with atomic_files.replacing(o.cells) as temporary:
        cells[rows].to_memory().write_h5ad(temporary)
    cells.file.close()
    return column, sorted(set(labels[rows])) if column else []


def evenly(labels, count, random):
    """Rows, sorted: as many of each label as there are, `count` in all, or all rows."""
    waiting = [list(random.permutation(np.flatnonzero(labels == label))) for label in sorted(set(labels))]
    rows = []
    while len(rows) < count and any(waiting):
        for of_label in waiting:
            if of_label and len(rows) < count:
                rows.append(of_label.pop())
    return np.sort(rows)


def same_run(folder, o):
    record = folder / "run.json"
    return record.is_file() and (folder / "embeddings.npz").is_file() and json.loads(record.read_text()) == identity(o)


def identity(o):
    """What two runs must share to be compared."""
    data = pathlib.Path(o.data)
    return {"data": str(data.resolve()), "data_changed": data.stat().st_mtime_ns, "num_samples": o.num_samples, "label": o.label, "seed": o.seed,
            "model": str(pathlib.Path(o.model).resolve()), "dictionary": str(o.dictionary), "emb_layer": o.emb_layer,
            "layer_convention": o.layer_convention}  # fmt: skip


def embed(method, batch_size, folder, o):
    """Runs `cellmill embed`. -> seconds, starting and reading included."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").unlink(missing_ok=True)
    command = [o.program, "embed", o.model, o.cells, "--output", folder / "embeddings.npz", "--method", method, "--device", o.device,
               "--emb-layer", o.emb_layer, "--layer-convention", o.layer_convention]  # fmt: skip
    command += ["--batch-size", batch_size] if batch_size else []
    command += ["--dictionary", o.dictionary] if o.dictionary else []
    command = list(map(str, command))
    progress.say(f"$ {shlex.join(command)}")
    start = time.perf_counter()
    code = subprocess.run(command).returncode
    if code:
        raise Failure.retold(code if code > 0 else failing.IO, f"`cellmill embed` ended with {code}; its message is above")
    took = time.perf_counter() - start
    atomic_files.write_text(folder / "run.json", json.dumps(identity(o), indent=1))
    return took


def evaluate(out, classes, o):
    if len(classes) < 2 and o.method == "baseline":
        progress.say("no labels to judge the baseline by: --label names a column of obs")
        return
    evaluation.run(evaluation.Request(out / o.method, out / o.method, baseline="" if o.method == "baseline" else out / "baseline",
                                      label=o.label, labels=o.cells, control=o.control, plots=o.plots))  # fmt: skip


def show(out, seconds, made, o):
    facts = json.loads((out / o.method / "metadata.json").read_text())
    line = f"{o.method}: {facts['cells']} cells in {facts['seconds']:.2f} s, {facts['cells_per_second']:.1f} cells/s; with starting and reading {seconds:.1f} s"
    if o.method != "baseline":
        other = json.loads((out / "baseline" / "metadata.json").read_text())
        line += f"; {facts['cells_per_second'] / other['cells_per_second']:.2f} x the baseline's {other['cells_per_second']:.1f} cells/s"
    print(line)
    progress.say(f"wrote {out / o.method}")
    if made:
        progress.say("Remember: made cells, random weights.")


if __name__ == "__main__":
    failing.run(main)
