"""A folder of its own in which a tiny run is started, broken and read, for the judges of training."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

cellmill, mpirun = map(os.path.abspath, sys.argv[1:3])
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
ENVIRONMENT = {**os.environ, **OPEN_MPI, "OMP_NUM_THREADS": "1"}
GOODPUT = {"goodput_" + part for part in ("compute", "data", "synchronise", "evaluation", "checkpoint", "comparison", "other")}
MEASURED = {"cells_per_second", "data_wait_seconds", "arrival_skew_seconds", "evaluation_seconds", "xxh3", *GOODPUT}
CONFIG = """
data: {format: synthetic, synthetic_cells: 600, synthetic_genes: 40, synthetic_missing: 0.1, chunk_cells: 100}
model:
  cycle_autoencoder:
    latent: 8
    classifier_hidden: [16]
    targets: {keep_probability: 0.5}
train: {epochs: 20, max_steps: 95, global_batch: 50, warmup_steps: 10, device: cpu}
output: {folder: run, log_every_steps: 2}
checkpoint: {every_steps: 7}
"""


class Place:
    """A folder of its own, in which every run is called `run`."""

    def __init__(self, root, name, config=CONFIG):
        self.path = root / name
        self.path.mkdir()
        self.run = self.path / "run"
        (self.path / "run.yaml").write_text(config)

    def command(self, *arguments, ranks=1):
        launcher = [mpirun, "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        return [*launcher, cellmill, "train", "--config", "run.yaml", *map(str, arguments)]

    def start(self, *arguments, ranks=1):
        self.started = time.time_ns()
        return subprocess.Popen(self.command(*arguments, ranks=ranks), cwd=self.path, env=ENVIRONMENT, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def end(self, process, code):
        said = process.communicate(timeout=400)[0]
        assert process.returncode == code, f"{self.path.name}: exit {process.returncode}, expected {code}\n{said}"
        return said

    def train(self, *settings, code=0, resume=False, ranks=1):
        more = [a for s in settings for a in ("--set", s)] + ["--resume"] * resume
        return self.end(self.start(*more, ranks=ranks), code)

    def lines(self):
        return [json.loads(line) for line in (self.run / "metrics.jsonl").read_text().splitlines()]

    def curve(self, name, split="train"):
        return [line[name] for line in self.lines() if line["split"] == split]

    def checkpoints(self):
        return sorted(int(p.name[5:]) for p in (self.run / "checkpoints").glob("step-*"))

    def break_at(self, process, step, how):
        """Sends the signal when this process's curve has reached the step: one killed late may have been there before."""
        deadline = time.monotonic() + 300
        file = self.run / "metrics.jsonl"
        while not (file.exists() and file.stat().st_mtime_ns > self.started
                   and f'"step":{step},' in (text := file.read_text()) and text.endswith("\n")):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.0005)
        process.send_signal(how)


def without_measured(lines):
    return [{k: v for k, v in line.items() if k not in MEASURED} for line in lines]


def content(checkpoint):
    found = {}
    with h5py.File(checkpoint / "state.h5") as file:
        for name, value in file.attrs.items():
            found["@" + name] = value
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def tensors(checkpoint):
    return {name: value for name, value in content(checkpoint).items() if getattr(value, "ndim", 0) > 0 and value.dtype != object}


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and (
        a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes())


def says(place, code, *texts, settings=(), resume=False):
    said = place.train(*settings, code=code, resume=resume)
    for text in texts:
        assert text in said, f"{text!r} is not in:\n{said}"


def judge(parts, chosen):
    """Runs the parts by name, each as part(root), or the chosen ones."""
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen or parts:
            start = time.monotonic()
            parts[name](pathlib.Path(folder))
            print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)
