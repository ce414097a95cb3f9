"""A good data set in every form that the program reads, to be copied and spoilt; and a case that spoils it."""
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

CELLS, GENES = 12, 8  # of each of two chunks; of their union in the h5ad file
NAMES = [f"gene{g}" for g in range(GENES)]
NONE = ["--set", "data.metadata=none"]
FIELDS = ["--set", "data.fields=[cell_type]"]


@dataclasses.dataclass
class Programs:
    cellmill: str
    preprocess: str


@dataclasses.dataclass
class Ended:
    code: int
    said: str


@dataclasses.dataclass
class Case:
    name: str
    code: int
    says: tuple
    spoil: object  # Place -> command
    needs_run: bool = False
    number: int = 0


def catalogue():
    """(cases, decorator): @case(NAME, CODE, TEXT...) above a function that spoils a Place and returns the command to run."""
    cases = []

    def case(name, code, *says, needs_run=False):
        def add(spoil):
            cases.append(Case(name, code, says, spoil, needs_run))
            return spoil

        return add

    return cases, case


def matrix(seed, cells=CELLS):
    """CSR, log-normalised, with at least two entries in each row."""
    random = np.random.default_rng(seed)
    dense = np.where(random.random((cells, GENES)) < 0.4, random.random((cells, GENES)), 0)
    dense[:, :2] = 1.5
    return sp.csr_matrix(dense.astype(np.float32))


def labels(seed, cells=CELLS):
    return pd.DataFrame({"cell_type": [("alpha", "beta", "delta")[(i + seed) % 3] for i in range(cells)],
                         "sex": [("f", "m")[i % 2] for i in range(cells)]})


class Place:
    """A copy of the good data set: npz/ (expression_1, _2, metadata_1, _2, genes.txt, preproc/), cells.h5ad, store.cmpack, run/."""

    def __init__(self, folder, programs):
        self.folder, self.programs = folder, programs

    def __truediv__(self, name):
        return self.folder / name

    def everything(self):
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}

    def run(self, command):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([*map(str, command)], cwd=self.folder, env=environment, capture_output=True, timeout=120)
        return Ended(done.returncode, (done.stdout + done.stderr).decode(errors="backslashreplace"))

    def cellmill(self, *arguments):
        return [self.programs.cellmill, *arguments]

    def preprocess(self, *arguments):
        return [sys.executable, self.programs.preprocess, "--data-dir", "npz", "--pattern", "metadata_*.csv", "--include",
                "cell_type,sex", *arguments]

    def pack(self, *settings, data="npz"):
        """Reads every value and every label."""
        return self.cellmill("pack", "--input", data, "--output", "out.cmpack", *settings)

    def train(self, *settings, data="npz"):
        small = ["train.max_steps=4", "train.global_batch=8", "train.device=cpu", "model.cycle_autoencoder.latent=2",
                 "model.cycle_autoencoder.classifier_hidden=[4]", "checkpoint.every_steps=2", f"data.path={data}"]
        return self.cellmill("train", *(a for s in small for a in ("--set", s)), "--set", "output.folder=run", *settings)


class Template(Place):
    def __init__(self, folder, programs, with_run):
        super().__init__(folder, programs)
        (folder / "npz").mkdir(parents=True)
        for number in (1, 2):
            sp.save_npz(folder / f"npz/expression_{number}.npz", matrix(number), compressed=number == 2)
            labels(number).to_csv(folder / f"npz/metadata_{number}.csv", index=False)
        (folder / "npz/genes.txt").write_text("\n".join(NAMES) + "\n")
        obs = pd.concat([labels(1), labels(2)], ignore_index=True).astype("category")
        obs.index = obs.index.astype(str)
        cells = anndata.AnnData(sp.vstack([matrix(1), matrix(2)], "csr"), obs, pd.DataFrame(index=NAMES))
        cells.write_h5ad(folder / "cells.h5ad")
        commands = [self.preprocess(), self.cellmill("pack", "--input", "npz", "--output", "store.cmpack")]
        for command in [*commands, self.train()] if with_run else commands:
            done = self.run(command)
            assert done.code == 0, f"{command}: {done.code}\n{done.said}"

    def copy(self, folder):
        shutil.copytree(self.folder, folder)
        return Place(folder, self.programs)


def flip(path, at):
    """Changes one bit of the byte at a place (negative: from the end)."""
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def cut(path, bytes):
    path.write_bytes(path.read_bytes()[:bytes])


def replace(path, old, new):
    text = path.read_bytes()
    assert old in text, (path, old)
    path.write_bytes(text.replace(old, new, 1))


def ending(path, suffix):
    """Where the last bytes `suffix` begin."""
    at = path.read_bytes().rfind(suffix)
    assert at >= 0
    return at


__all__ = ["CELLS", "FIELDS", "GENES", "NAMES", "NONE", "Place", "Programs", "Template", "catalogue", "cut", "ending", "flip", "labels",
           "matrix", "pathlib", "replace"]
