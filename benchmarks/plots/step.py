#!/usr/bin/env python3
"""cells/s of a training step against its batch, both ways to compute it, with the machine's limits drawn in.

    step.py --peers PYTHON [--build build/release] [--size real] [--batches 128,256,512,1024,2048,4096,8192] [--lock FILE]

Writes step.png and step.jsonl beside itself (the figure can be drawn again from it: --draw). Wants matplotlib: .venv has it.
"""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True
from harness import running  # noqa: E402

FORMS = {"dense": "#3b6ea5", "factored": "#c2571a"}


def measure(o):
    lines = []
    for batch in map(int, o.batches.split(",")):
        limits = [o.peers, str(HERE.parent / "peers/cae/limits.py"), "--sizes", o.size, "--batches", str(batch)]
        line = running.run(limits, {}, o.lock, 300)[0]
        for form in FORMS:
            command = [o.build + "/bench_step", "--size", o.size, "--batch", str(batch), "--cells", str(max(batch, 2048)),
                       "--warm-up", "1", "--steps", o.steps, "--compute", form]  # fmt: skip
            try:
                line[form] = running.run(command, {"OMP_NUM_THREADS": "2"}, o.lock, 300)[0]["cells_per_second"]
            except running.Unavailable as why:
                print(f"batch {batch}, {form}: {why}", file=sys.stderr)
        lines.append({**line, **running.facts(str(HERE))})
        print(json.dumps(lines[-1]), flush=True)
    return lines


def draw(lines, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.8))
    for form, colour in FORMS.items():
        there = [line for line in lines if form in line]
        x, y = [line["batch"] for line in there], [line[form] for line in there]
        low, high = ([abs(v[end] - v["median"]) for v in y] for end in ("min", "max"))
        axes.errorbar(x, [v["median"] for v in y], yerr=[low, high], color=colour, marker="o", capsize=3, label=f"{form}, measured")
        limits = [line[form + "_float32"] for line in lines]
        axes.plot([line["batch"] for line in lines], limits, color=colour, linestyle="--", label=f"{form}, limit of this machine")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks([line["batch"] for line in lines], [f"{line['batch']:,}" for line in lines])
    axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.set_xlabel("cells a step")
    axes.set_ylabel("cells/s")
    first = lines[0]
    axes.set_title(f"training step, {first['size']}, float32: {first['cpu']}, {first['cores']} cores", fontsize=11)
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=140)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--peers", default="python3", metavar="PYTHON")
    options.add_argument("--build", default="build/release")
    options.add_argument("--size", default="real")
    options.add_argument("--batches", default="128,256,512,1024,2048,4096,8192")
    options.add_argument("--steps", default="3")
    options.add_argument("--lock")
    options.add_argument("--draw", action="store_true", help="from step.jsonl, measuring nothing")
    o = options.parse_args()
    data = HERE / "step.jsonl"
    if not o.draw:
        data.write_text("".join(json.dumps(line) + "\n" for line in measure(o)))
    draw([json.loads(line) for line in data.read_text().splitlines()], HERE / "step.png")


if __name__ == "__main__":
    main()
