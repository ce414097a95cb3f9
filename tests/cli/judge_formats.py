"""Today's program reads what earlier ones wrote: label codes, stores, runs, checkpoints.

    judge_formats.py CELLMILL ...
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pandas as pd
import scipy.sparse as sp

CELLMILL = os.path.abspath(sys.argv[1])
FORMATS = pathlib.Path(__file__).resolve().parents[1] / "data/formats"
CHUNKS = ("expression_1.npz", "expression_2.npz")


def run(place, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([CELLMILL, *arguments], cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout


def judge(place):
    assert "every digest holds" in run(place, "inspect", "run", "--verify")
    assert "every digest holds" in run(place, "inspect", "store.cmpack", "--verify")

    run(place, "unpack", "--input", "store.cmpack", "--output", "unpacked", "--file-cells", "12")
    for was, name in zip(CHUNKS, sorted(path.name for path in (place / "unpacked").glob("*.npz"))):
        difference = sp.load_npz(place / "npz" / was) != sp.load_npz(place / "unpacked" / name)
        assert difference.nnz == 0, name

    for cells in ("store.cmpack", "npz"):
        run(place, "classify", "--checkpoint", "run", "--input", cells, "--output", "again.csv")
        answer, again = (pd.read_csv(place / name).drop(columns="cell") for name in ("answer.csv", "again.csv"))
        pd.testing.assert_frame_equal(answer, again, rtol=1e-4)

    before = (place / "run/metrics.jsonl").read_text()
    run(place, "train", "--resume", "--config", "run/config.yaml", "--set", "train.max_steps=6")
    after = (place / "run/metrics.jsonl").read_text()
    assert after.startswith(before) and json.loads(after.splitlines()[-1])["step"] == 6, after
    assert any((place / "run/checkpoints").glob("step-*06"))


def main():
    folders = sorted(path for path in FORMATS.iterdir() if path.is_dir())
    assert folders
    for folder in folders:
        with tempfile.TemporaryDirectory() as name:
            place = pathlib.Path(name) / folder.name
            shutil.copytree(folder, place)
            judge(place)
        print(f"format {folder.name}: read, answered, gone on")


if __name__ == "__main__":
    main()
