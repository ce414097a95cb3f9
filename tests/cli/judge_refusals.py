"""Training that is refused or cannot save: folders, failed saves, data, settings.

    judge_refusals.py CELLMILL MPIRUN PREPROCESS_METADATA
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import scipy.sparse as sp

from training_place import ENVIRONMENT, Place, cellmill, judge, says

preprocess = os.path.abspath(sys.argv[3])


def judge_refused_folders(root):
    place = Place(root, "taken")
    place.train("train.max_steps=8")
    before = sorted((p, p.stat().st_mtime_ns) for p in place.run.rglob("*") if p.is_file())
    says(place, 64, "run already holds a run\n", "--resume continues it; or name another output.folder")
    says(place, 64, "belongs to another configuration:", "model.cycle_autoencoder.latent: there 8, here 9",
         settings=["model.cycle_autoencoder.latent=9", "train.max_steps=8"], resume=True)
    config = (place.run / "config.yaml").read_text()
    (place.run / "config.yaml").write_text(config.replace("synthetic_genes: 40", "synthetic_genes: 41"))
    says(place, 65, "step-000000008", "41", "40", settings=["data.synthetic_genes=41", "train.max_steps=8"], resume=True)
    (place.run / "config.yaml").write_text(config)
    after = sorted((p, p.stat().st_mtime_ns) for p in place.run.rglob("*") if p.is_file())
    names = lambda files: [p for p, _ in files if p.name not in ("lock", "failure.json", "rank-0.log")]
    assert names(before) == names(after), set(names(before)) ^ set(names(after))

    stranger = Place(root, "stranger")
    stranger.run.mkdir()
    (stranger.run / "thesis.txt").write_text("dear")
    says(stranger, 64, "run is not empty and holds no run")
    assert [p.name for p in stranger.run.iterdir()] == ["thesis.txt"]

    busy = Place(root, "busy")
    first = busy.start("--set", "train.max_steps=0", "--set", "train.epochs=100000")
    busy.break_at(first, 2, signal.SIGCONT)
    says(busy, 64, "run is in use by another process", settings=["train.max_steps=0", "train.epochs=100000"], resume=True)
    first.send_signal(signal.SIGTERM)
    busy.end(first, 75)


def judge_failed_saves(root):
    """Written behind the loop's back, a checkpoint that fails is loud, and tried again while the run goes on."""
    for ranks in (1, 2):
        place = Place(root, f"failing_{ranks}")
        process = place.start("--set", "train.max_steps=0", "--set", "train.epochs=100000",
                              "--set", "evaluation.every_steps=300", ranks=ranks)
        place.break_at(process, 2, signal.SIGCONT)
        obstacle, log = place.run / "checkpoints/best.json", place.run / "log/rank-0.log"
        obstacle.mkdir()
        while "trying again in 1 s" not in (said := log.read_text()):
            assert process.poll() is None, said
            time.sleep(0.01)
        assert "checkpoints/best.json: cannot" in said, said
        obstacle.rmdir()
        process.send_signal(signal.SIGUSR1)
        assert "error:" not in place.end(process, 75)
        assert json.loads(obstacle.read_text())["step"] in place.checkpoints()


def make_npz(folder):
    random_cells = np.random.default_rng(3)
    folder.mkdir()
    for k in (1, 2):
        x = sp.random(60, 20, 0.3, format="csr", dtype="f4", random_state=k)
        sp.save_npz(folder / f"human_counts_{k}.npz", x)
        pd.DataFrame({"kind": random_cells.choice(["a", "b"], 60)}).to_pickle(folder / f"human_metadata_{k}.pkl")
    (folder / "genes.txt").write_text("".join(f"G{i}\n" for i in range(20)))


def judge_refused_data(root):
    place = Place(root, "refused", """
data: {path: cells, fields: [kind]}
model: {cycle_autoencoder: {latent: 4, classifier_hidden: [8]}}
train: {epochs: 1, global_batch: 32, device: cpu}
output: {folder: run}
""")
    cells = place.path / "cells"
    (place.path / "typo.yaml").write_text("data: {path: cells}\ntrain:\n  globl_batch: 3\n")
    done = subprocess.run([cellmill, "train", "--config", "typo.yaml"], cwd=place.path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 78 and "typo.yaml:3:3" in done.stderr and "globl_batch" in done.stderr, done
    assert "did you mean train.global_batch?" in done.stderr, done.stderr
    done = subprocess.run([cellmill, "train", "--config", "no.yaml"], cwd=place.path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 66 and "no.yaml" in done.stderr, done
    says(place, 66, "cells")

    make_npz(cells)
    command = "tools/preprocess_metadata --data-dir cells --pattern 'human_metadata_*.pkl' --include kind"
    says(place, 65, "human_metadata_1.pkl: a pickle, which this program never opens", command,
         settings=["data.path=cells/human_metadata_1.pkl"])
    says(place, 65, "human_metadata_2.pkl: a pickle, which this program never opens", command,
         settings=["data.metadata=cells/human_metadata_2.pkl"])
    says(place, 65, "cells/preproc: no label codes", command)
    subprocess.run([sys.executable, preprocess, *command.split()[1:4], "human_metadata_*.pkl", *command.split()[5:]],
                   cwd=place.path, env=ENVIRONMENT, check=True, capture_output=True)
    place.train()
    shutil.rmtree(place.run)

    good = (cells / "human_counts_2.npz").read_bytes()
    (cells / "human_counts_2.npz").write_bytes(good[:len(good) // 2])
    says(place, 65, "human_counts_2.npz")
    x = sp.random(50, 20, 0.3, format="csr", dtype="f4", random_state=2)
    sp.save_npz(cells / "human_counts_2.npz", x)
    says(place, 65, "chunk 2: expression and metadata differ in length",
         "expected 50 rows, as cells/human_counts_2.npz; found 60 rows, from human_metadata_2.pkl")
    x = sp.random(60, 20, 0.3, format="csr", dtype="f4", random_state=2)
    x.data[x.indptr[7] + 1] = np.nan
    sp.save_npz(cells / "human_counts_2.npz", x)
    says(place, 65, "human_counts_2.npz: row 7", f"column {x.indices[x.indptr[7] + 1]}", "nan")
    failure = json.loads((place.run / "failure.json").read_text())
    assert failure["code"] == 65 and "row 7" in failure["message"], failure


judge({"folders": judge_refused_folders, "failed_saves": judge_failed_saves, "data": judge_refused_data}, sys.argv[4:])
