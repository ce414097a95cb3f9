#!/usr/bin/env python3
"""Does `cellmill plan` foretell what `bench_step` measures?   plan_check.py [--build build/release] [--size real] [--batch 512] [--ranks 1,2,4]

For each number of ranks and each form the machine is measured by as many ranks (cellmill plan --machine this), then the step is; a table in Markdown.
"""
import argparse
import json
import os
import subprocess
import sys

SIZES = {  # as bench_step has them: genes, latent, classifier, categories, density
    "small": (2000, 64, 128, "[5,20,3]", 0.1),
    "real": (20000, 128, 256, "[20,300,3,60]", 0.067),
    "full": (60664, 512, 256, "[20,300,3,60]", 0.031),
}


def answer(ranks, command):
    launcher = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
    threads = str(max(1, len(os.sched_getaffinity(0)) // ranks))
    done = subprocess.run([*launcher, *command], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": threads})
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command[:2])}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout[done.stdout.index("{") :])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", default="build/release")
    options.add_argument("--size", default="real", choices=SIZES)
    options.add_argument("--batch", type=int, default=512, help="cells a step and rank")
    options.add_argument("--ranks", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4])
    options.add_argument("--steps", type=int, default=7)
    o = options.parse_args()
    genes, latent, classifier, categories, density = SIZES[o.size]
    run = ["data.format=synthetic", f"data.synthetic_genes={genes}", f"data.synthetic_categories={categories}"]
    run += [f"data.synthetic_density={density}", f"model.cycle_autoencoder.latent={latent}"]
    run += [f"model.cycle_autoencoder.classifier_hidden=[{classifier}]", "train.device=cpu"]
    print("| ranks | form | foretold, cells/s | measured | foretold / measured | all-reduce: foretold, measured ms |\n|---|---|---|---|---|---|")
    for ranks in o.ranks:
        for form in ("dense", "factored"):
            plan = [f"{o.build}/cellmill", "plan", "--set", *run, f"model.cycle_autoencoder.compute={form}", "--batch", str(o.batch)]
            row = answer(ranks, [*plan, "--ranks", str(ranks), "--json"])["ranks"][-1]
            step = [f"{o.build}/bench_step", "--size", o.size, "--batch", str(o.batch), "--compute", form, "--cells", str(o.batch * ranks)]
            found = answer(ranks, [*step, "--steps", str(o.steps), "--warm-up", "2"])
            rate = found["cells_per_second"]["median"]
            sync = f"{1e3 * row['all_reduce_seconds']:.0f}, {found['milliseconds']['synchronise']['median']:.0f}"
            told = row["cells_per_second"]
            print(f"| {ranks} | {form} | {told:,.0f} | {rate:,.0f} | {told / rate:.2f} | {sync} |", flush=True)


if __name__ == "__main__":
    main()
