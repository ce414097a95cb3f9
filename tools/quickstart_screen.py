"""The closing screen of tools/quickstart, from a run's metrics.jsonl.

Each line of it is {"step": 40, "epoch": 2, "split": "train" | "epoch" | "validation", name: value, ...}.
"""

import json
import pathlib
import statistics
import sys

CELLMILL = "build/release/cellmill"
ASK = {
    "cycle": {f"{CELLMILL} contributions --checkpoint {{run}} --input example/data/human_counts_1.npz --metadata example/data/preproc "
              "--output runs/contributions.csv": "what each field adds to each cell"},
    "factor": {f"{CELLMILL} predict-metadata --checkpoint {{run}} --input YOUR.csv --output labels.csv":
               "the metadata of samples of your own: counts, genes x samples or samples x genes",
               f"{CELLMILL} complete-metadata --checkpoint {{run}} --input example/counts/held_out.csv --output runs/completed.csv "
               "--check-labels runs/doubtful.csv": "missing labels filled in, given ones that the model doubts",
               f"{CELLMILL} generate --checkpoint {{run}} --set cell_type=beta assay=inDrop --num-samples 100 "
               "--output runs/beta_cells.h5ad": "cells of these metadata"},
}


def main(run, answer, kind="cycle"):
    run = pathlib.Path(run)
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    print(screen(run, answer, points, kind))


def screen(run, answer, points, kind="cycle"):
    of = {split: [point for point in points if point["split"] == split] for split in ("train", "epoch", "validation")}
    lines = ["", f"== {run}: {points[-1]['step']} steps, {points[-1]['epoch']} epochs"]
    rates = [point["cells_per_second"] for point in of["train"] if "cells_per_second" in point]
    if rates:
        lines.append(f"speed        {statistics.median(rates):,.0f} cells/s (median of {len(rates)} measurements)")
    lines += changes("losses", of["epoch"] or of["train"], lambda name: name.startswith("loss/") and name.count("/") == 1)
    lines += changes("validation", of["validation"], lambda name: name.count("/") == 1)
    checkpoints = sorted((run / "checkpoints").glob("step-*"))
    events = sorted(run.glob("events.out.tfevents.*"))
    lines += ["", f"checkpoints  {run}/checkpoints: {', '.join(path.name for path in checkpoints) or 'none'}",
              f"event files  {', '.join(map(str, events)) or 'none'}", f"answer       {answer}", "", "next:"]
    commands = {f".venv/bin/tensorboard --logdir {run.parent}": "the curves",
                f"build/release/cellmill inspect {run}": "what the model knows",
                **{command.format(run=run): what for command, what in ASK[kind].items()}}
    lines += [f"  {command}\n      {what}" for command, what in commands.items()]
    return "\n".join(lines)


def changes(title, points, wanted):
    """One line a figure, its first value and its last; the parts of a loss (loss/target/assay) are left to the curves."""
    if not points:
        return []
    names = [name for name in points[-1] if wanted(name) and isinstance(points[-1][name], (int, float))]
    lines = ["", f"{title:12} {'first':>10} {'last':>10}   (epochs {points[0]['epoch']} and {points[-1]['epoch']})"]
    for name in sorted(names):
        lines.append(f"  {name:28} {points[0].get(name, float('nan')):>10.4g} -> {points[-1][name]:<10.4g}")
    return lines


if __name__ == "__main__":
    main(*sys.argv[1:])
