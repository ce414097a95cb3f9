"""Runs that change their number of ranks on the way: the same cells in the same steps, the same losses, and across_world_sizes the same bits.

    judge_elastic.py CELLMILL MPIRUN PREPROCESS_METADATA [PART...]
"""
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import scipy.sparse as sp

from training_place import ENVIRONMENT, Place, cellmill, content, judge, same_bits, without_measured

preprocess = os.path.abspath(sys.argv[3])
RUN = ["data.synthetic_cells=590", "train.max_steps=60"]
FIXED = [*RUN, "train.deterministic=across_world_sizes", "model.cycle_autoencoder.loss.labels_over=known",
         "model.cycle_autoencoder.loss.match=0.1", "model.cycle_autoencoder.loss.match_fields=[cell_type]",
         "model.cycle_autoencoder.optimiser.clip_norm=1"]
LEGS = [(10, 1), (20, 3), (30, 2), (40, 4), (None, 1)]  # stopped when the curve has this step, ranks; 11 steps are an epoch


def last(place):
    return content(place.run / f"checkpoints/step-{place.checkpoints()[-1]:09d}")


def walk(place, settings, more=lambda ranks: []):
    for k, (step, ranks) in enumerate(LEGS):
        arguments = [x for s in [*settings, *more(ranks)] for x in ("--set", s)] + ["--resume"] * (k > 0)
        process = place.start(*arguments, ranks=ranks)
        if step:
            place.break_at(process, step, signal.SIGUSR1)
        place.end(process, 75 if step else 0)
    return place


def largest_distance(a, b):
    worst = 0
    for name in ("loss/generator", "loss/classifier", "loss/reconstruction"):
        x, y = np.array(a.curve(name)), np.array(b.curve(name))
        assert len(x) == len(y) == 30
        worst = max(worst, np.abs(x / y - 1).max())
    return worst


def judge_walk(root):
    """Over 1, 3, 2, 4 and 1 ranks, some of them with their share in pieces: every step has one rank's cells and losses."""
    for precision, allowed in (("float64", 1e-12), ("float32", 1e-6)):
        settings = [*RUN, f"train.precision={precision}"]
        straight = Place(root, f"straight_{precision}")
        straight.train(*settings)
        for name, more in (("walk", lambda ranks: []), ("pieces", lambda ranks: [f"train.cells_at_once={4 + ranks}"])):
            walked = walk(Place(root, f"{name}_{precision}"), settings, more)
            assert last(walked)["numbers/cell_order"] == last(straight)["numbers/cell_order"]
            distance = largest_distance(walked, straight)
            print(f"   {precision}, {name}: losses differ by {distance:.1e} at most")
            assert distance <= allowed, distance
    other = Place(root, "other_seed")
    other.train(*RUN, "train.seed=1")
    assert last(other)["numbers/cell_order"] != last(straight)["numbers/cell_order"]
    shown = subprocess.run([cellmill, "inspect", str(straight.run), "--json"], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    order = int(last(straight)["numbers/cell_order"].item()) % 2**64
    assert json.loads(shown.stdout)["cell_order"] == f"{order:016x}", shown.stdout
    shown = subprocess.run([cellmill, "inspect", str(straight.run)], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert f"cells        order of all that were seen: digest {order:016x}\n" in shown.stdout, shown.stdout


def judge_bits(root):
    """across_world_sizes: checkpoints and curves of 1, 2, 3, 4 ranks, of a walk, of other machines' threads, bit for bit."""
    one = Place(root, "bits_1")
    one.train(*FIXED)
    expected = last(one)
    assert len(expected) > 60
    places = []
    for ranks in (2, 3, 4):
        places.append(Place(root, f"bits_{ranks}"))
        places[-1].train(*FIXED, ranks=ranks)
    places.append(walk(Place(root, "bits_walk"), FIXED))
    for place in places:
        found = last(place)
        assert found.keys() == expected.keys()
        assert not (different := [name for name in expected if not same_bits(found[name], expected[name])]), (place.path.name, different)
        left, right = without_measured(place.lines()), without_measured(one.lines())
        assert left == right, next((x, y) for x, y in zip(left, right) if x != y)
    plain = Place(root, "bits_plain")
    plain.train(*[s for s in FIXED if "deterministic" not in s])
    assert plain.curve("loss/generator") != one.curve("loss/generator")
    assert np.allclose(plain.curve("loss/generator"), one.curve("loss/generator"), rtol=1e-3)


def judge_refusals(root):
    for k, (setting, ranks, text) in enumerate([
            ("optimizer.shard=true", 1, "across_world_sizes does not go with optimizer.shard"),
            ("optimizer.overlap=on", 1, "across_world_sizes does not go with optimizer.overlap: on"),
            ("train.cells_at_once=9", 1, "raise train.micro_shards instead"),
            ("train.micro_shards=2", 3, "train.micro_shards: 2 of them cannot be dealt to 3 ranks")]):
        said = Place(root, f"refused_{k}").train(*FIXED, setting, ranks=ranks, code=78)
        assert text in said, said
    place = Place(root, "micro_shards")
    place.train(*FIXED, "train.max_steps=3")
    said = place.train(*FIXED, "train.max_steps=6", "train.micro_shards=13", resume=True, code=64)
    assert "train.micro_shards: there 12, here 13" in said, said


def judge_uneven(root):
    """Chunk files of prime, one and zero cells, more ranks than chunks that have any."""
    cells = root / "cells"
    (cells / "preproc").mkdir(parents=True)
    for k, rows in enumerate((31, 0, 1, 0, 47), start=1):
        sp.save_npz(cells / f"human_counts_{k}.npz", sp.random(rows, 20, 0.3, format="csr", dtype="f4", random_state=k))
        pd.DataFrame({"kind": ["a", "b"] * rows}).iloc[:rows].to_csv(cells / f"human_metadata_{k}.csv", index=False)
    (cells / "genes.txt").write_text("".join(f"G{i}\n" for i in range(20)))
    subprocess.run([sys.executable, preprocess, "--data-dir", cells, "--pattern", "human_metadata_*.csv", "--include", "kind"],
                   env=ENVIRONMENT, check=True, capture_output=True)
    config = f"""
data: {{path: {cells}, fields: [kind], split: {{validation_fraction: 0.1}}}}
model: {{cycle_autoencoder: {{latent: 4, classifier_hidden: [8]}}}}
train: {{epochs: 3, global_batch: 16, device: cpu, schedule: constant}}
output: {{folder: run, log_every_steps: 1}}
"""
    expected = None
    for ranks in (1, 2, 3, 4):
        place = Place(root, f"uneven_{ranks}", config)
        place.train(ranks=ranks)
        found = last(place)["numbers/cell_order"], place.curve("step")
        expected = expected or (found, place)
        assert found == expected[0], (ranks, found, expected)
        assert np.allclose(place.curve("loss/generator"), expected[1].curve("loss/generator"), rtol=1e-5)


judge({"walk": judge_walk, "bits": judge_bits, "refusals": judge_refusals, "uneven": judge_uneven}, sys.argv[4:])
