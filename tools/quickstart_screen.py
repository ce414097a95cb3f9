"""The closing screen of tools/quickstart, from a run's metrics.jsonl.

Each line of it is {"step": 40, "epoch": 2, "split": "train" | "epoch" | "validation", name: value, ...}.
"""

import json
import pathlib
import statistics
import sys
ASK = "--input example/data/human_counts_1.npz --metadata example/data/preproc"


def main(run, answer):
    run = pathlib.Path(run)
    points = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    print(screen(run, answer, points))


def screen(run, answer, points):
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
                f"build/release/cellmill contributions --checkpoint {run} {ASK} --output runs/contributions.csv":
                "what each field adds to each cell"}
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
