#!/usr/bin/env python3
"""How soon the program is there:   start_up.py CELLMILL [--repeats 5] [--guard]

`cellmill --help`, the first training step of the tiny run file, and the files opened until then and in the whole run of one step
(strace; successful opens, repeats counted). One JSON line. --guard: exit 1 if a figure is far beyond its target, after three tries.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TINY = pathlib.Path(__file__).resolve().parents[2] / "configs" / "cae_tiny.yaml"
BOUNDS = {"help_ms": 120, "first_step_s": 6, "files_to_first_step": 60}  # the targets are 30, 1.5 and 60: a loaded machine is slower


def help_ms(program):
    start = time.perf_counter()
    subprocess.run([program, "--help"], check=True, stdout=subprocess.DEVNULL)
    return 1e3 * (time.perf_counter() - start)


def one_step(program, *before):
    with tempfile.TemporaryDirectory() as folder:
        command = [*before, program, "train", "--config", str(TINY), "--set", "train.max_steps=1", "train.device=cpu"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    return done.stderr


def first_step_s(program):
    return float(re.search(r"first step done ([\d.]+) s after", one_step(program)).group(1))


def files(program):
    """Opened until the first step, and in all; None without strace."""
    strace = shutil.which("strace")
    if not strace:
        return None, None
    with tempfile.NamedTemporaryFile("r") as trace:
        one_step(program, strace, "-f", "-s", "200", "-e", "trace=openat,open,write", "-o", trace.name)
        lines = trace.read().splitlines()
    opened = [k for k, line in enumerate(lines) if re.search(r"\bopen(at)?\(.* = \d+$", line)]
    step = next(k for k, line in enumerate(lines) if "first step done" in line)
    return sum(k < step for k in opened), len(opened)


def measure(program, repeats):
    help_ms(program), first_step_s(program)  # to warm up
    helps = sorted(help_ms(program) for _ in range(4 * repeats))
    steps = sorted(first_step_s(program) for _ in range(repeats))
    until, whole = files(program)
    line = {"benchmark": "start_up", "files_to_first_step": until, "files_of_the_run": whole}
    for name, values in (("help_ms", helps), ("first_step_s", steps)):
        line[name] = {"min": values[0], "median": statistics.median(values), "max": values[-1]}
    return line


def beyond(line):
    found = {name: value["min"] if isinstance(value, dict) else value for name, value in line.items() if name in BOUNDS}
    return [f"{name}: {found[name]:.4g}, at most {bound}" for name, bound in BOUNDS.items() if (found[name] or 0) > bound]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--guard", action="store_true")
    chosen = options.parse_args()
    program = os.path.abspath(chosen.program)
    for attempt in range(3 if chosen.guard else 1):
        line = measure(program, chosen.repeats)
        print(json.dumps(line), flush=True)
        complaints = beyond(line)
        if not complaints:
            break
    if chosen.guard and complaints:
        sys.exit("too slow, three times: " + "; ".join(complaints))


if __name__ == "__main__":
    main()
