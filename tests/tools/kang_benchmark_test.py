"""benchmarks/science/kang on planted cells, with a stand-in for the program: splits, measures, baselines, resuming, bars."""
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from conftest import ROOT

SCIENCE = ROOT / "benchmarks" / "science"
sys.path.insert(0, str(SCIENCE))

import baselines  # noqa: E402
import cells as kang_cells  # noqa: E402
import measures  # noqa: E402

GENES = 150
STAND_IN = """#!{python}
import os, sys, shutil, h5py
verb, arguments = sys.argv[1], sys.argv[2:]
value = lambda key: arguments[arguments.index(key) + 1]
if verb == "train":
    print("settings", arguments)
    if "fail=yes" in arguments: sys.exit("no such setting: fail")
    os.makedirs(next(a[14:] for a in arguments if a.startswith("output.folder=")))
else:
    shutil.copy(value("--input"), value("--output"))
    with h5py.File(value("--output"), "r+") as file:
        file["X/data"][:] += 1 if value("--read-out") == "delta" else 2
"""


@pytest.fixture(scope="module")
def chunks(tmp_path_factory):
    """Four types and a few erythrocytes, 100 cells of each (type, condition); stimulation multiplies 30 genes by 4."""
    folder, random = tmp_path_factory.mktemp("kang"), np.random.RandomState(0)
    labels = [(t, c) for t in ["B", "CD14 Mono", "NK", "T"] for c in ["CTRL", "STIM"]] * 100 + [("Eryth", "CTRL")] * 5
    obs = pd.DataFrame(labels, columns=["cell_type_author", "condition"])
    level = {t: random.gamma(1.0, 2.0, GENES) for t in sorted(set(obs.cell_type_author))}
    mean = np.stack([level[t] * np.where((np.arange(GENES) < 30) & (c == "STIM"), 4, 1) for t, c in labels])
    sp.save_npz(folder / "chunk_000.npz", sp.csr_matrix(random.poisson(mean).astype("f4")))
    obs.to_pickle(folder / "chunk_000.pkl")
    (folder / "genes.txt").write_text("".join(f"G{i}\tname\n" for i in range(GENES)))
    return folder


@pytest.fixture
def kang(chunks, tmp_path):
    program = tmp_path / "cellmill"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    for name in ["cae_default.yaml", "cae_matched.yaml"]:
        (tmp_path / name).write_text("model: {}\n")

    def run(*arguments, data=chunks):
        command = [sys.executable, SCIENCE / "kang", "--data", data, "--program", program, "--configs", tmp_path,
                   "--out", tmp_path / "out", *arguments]
        return subprocess.run([str(a) for a in command], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

    return run


def test_split_leaves_out_a_stimulated_type_and_erythrocytes(chunks):
    cells = kang_cells.load_kang(chunks)
    split = kang_cells.split(cells, 2)
    assert len(cells.x) == 800 and cells.types[split.held] == "NK"
    assert len(split.test) == 320 and len(split.train) == 480 - 60
    assert not np.any(cells.stimulated[split.train] & (cells.type[split.train] == split.held))
    assert np.allclose(np.expm1(cells.x).sum(1), 1e4, rtol=1e-4)


def test_measures_know_perfect_and_useless_answers(chunks):
    cells = kang_cells.load_kang(chunks)
    judge = measures.Judge(cells, kang_cells.split(cells, 0))
    truth = {id(rows): real for _, rows, real, _ in judge.groups}
    perfect = judge.score(lambda rows: cells.x[truth[id(rows)]])
    useless = judge.score(lambda rows: cells.x[rows])
    assert set(perfect) == {"all", "type", "held"}
    for group in perfect:
        assert perfect[group]["err"] == pytest.approx(0, abs=1e-9) and perfect[group]["cor"] == pytest.approx(1)
        assert abs(perfect[group]["E"]) < 0.15
        assert useless[group]["err"] == pytest.approx(1) and useless[group]["E"] == pytest.approx(1) and useless[group]["cor"] == 0
    assert judge.score(lambda rows: None) == {}


def test_baselines_find_a_planted_shift(chunks):
    cells = kang_cells.load_kang(chunks)
    split = kang_cells.split(cells, 1)
    judge = measures.Judge(cells, split)
    score = {name: judge.score(predict) for name, predict in baselines.make(cells, split).items()}
    assert score["ridge shift"]["held"]["err"] < 0.3 and score["additive shift, adjusted"]["held"]["err"] < 0.3
    assert score["type x condition mean"]["type"]["err"] < 0.2 and "held" not in score["type x condition mean"]


def test_without_data_it_is_skipped(kang, tmp_path):
    done = kang(data=tmp_path / "nowhere")
    assert done.returncode == 77 and done.stderr == f"skipped: no Kang chunks in {tmp_path}/nowhere (--data names the folder)\n"


def test_a_rerun_does_only_what_is_missing(kang, tmp_path):
    results, baseline_lines = tmp_path / "out" / "results.jsonl", 8
    first = kang("--splits", "0", "--seeds", "0")
    assert first.returncode == 1, first.stderr  # the stand-in misses the bars
    assert "| with matching | direct | all | err | ≤ 0.08 |" in first.stdout and "MISS" in first.stdout
    assert len(results.read_text().splitlines()) == baseline_lines + 2 * 2  # variants, read-outs
    again = kang("--splits", "0", "--seeds", "0,1", "--variants", "with matching")
    assert again.stderr == "training: with matching, split 0, seed 1\n"
    assert len(results.read_text().splitlines()) == baseline_lines + 2 * 2 + 2
    assert (tmp_path / "out" / "table.md").read_text() in again.stdout
    other = kang("--set", "epochs=3", "--splits", "0", "--seeds", "0", "--variants", "with matching")
    assert other.stderr == "training: with matching, split 0, seed 0\n"


def test_a_failing_program_is_reported_with_its_last_lines(kang):
    done = kang("--set", "fail=yes", "--splits", "0", "--seeds", "0")
    assert done.returncode == 1 and "no such setting: fail" in done.stderr and "Traceback" not in done.stderr
