"""Training end to end: stopped, killed and resumed runs against an unbroken one, early ending, curves, precision.

    judge_train.py CELLMILL MPIRUN PREPROCESS_METADATA [PART...]
"""
import io
import json
import random
import signal
import sys

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training_place import MEASURED, Place, content, judge, same_bits, tensors, without_measured

EPOCH = 11  # steps: some 540 cells to train on


def same_run(broken, whole):
    assert broken.checkpoints()[-1] == whole.checkpoints()[-1]
    last = f"checkpoints/step-{whole.checkpoints()[-1]:09d}"
    a, b = content(broken.run / last), content(whole.run / last)
    assert a.keys() == b.keys() and len(a) > 60, (len(a), a.keys() ^ b.keys())
    assert any(k.endswith("moment2/base.weight") for k in a), list(a)
    different = [name for name in b if not same_bits(a[name], b[name])]
    assert not different, different
    left, right = without_measured(broken.lines()), without_measured(whole.lines())
    for x, y in zip(left, right):
        assert x == y, f"\n{x}\n{y}"
    assert len(left) == len(right)
    places = [(line["split"], line["step"]) for line in left]
    assert len(places) == len(set(places)), "a step stands twice"
    scores, noted = whole.curve("loss/generator", "validation"), json.loads((whole.run / "checkpoints/best.json").read_text())
    assert noted["step"] == whole.curve("step", "validation")[int(np.argmin(scores))], (noted, scores)
    assert noted == json.loads((broken.run / "checkpoints/best.json").read_text())
    assert noted["step"] in whole.checkpoints() and noted["step"] in broken.checkpoints()


def board(place):
    events = EventAccumulator(str(place.run), size_guidance={k: 0 for k in ("scalars", "histograms", "images", "tensors")})
    return events.Reload()


def same_curves(broken, whole):
    a, b = board(broken), board(whole)
    assert a.Tags()["scalars"] and sorted(a.Tags()["scalars"]) == sorted(b.Tags()["scalars"])
    for tag in b.Tags()["scalars"]:
        x, y = [[(e.step, e.value) for e in events.Scalars(tag)] for events in (a, b)]
        if tag.split("/")[-1] in MEASURED:
            x, y = [[step for step, _ in points] for points in (x, y)]
        assert x == y, f"{tag}: {x}\n{y}"
        assert len({p[0] if isinstance(p, tuple) else p for p in x}) == len(x), f"{tag}: a step stands twice"


def judge_resuming(root):
    whole = Place(root, "whole")
    whole.train()
    splits = {s: [line["step"] for line in whole.lines() if line["split"] == s] for s in ("train", "epoch", "validation")}
    assert splits["train"] == list(range(2, 95, 2)), splits
    assert splits["epoch"] == [*range(EPOCH, 95, EPOCH)], splits
    assert splits["validation"] == [*range(EPOCH, 95, EPOCH), 95], splits

    broken = Place(root, "broken")
    draw = random.Random()
    stops = [2 * draw.randint(4, 8), 2 * draw.randint(14, 18), 2 * draw.randint(22, 26)]
    print("stopping after steps", stops, flush=True)
    for k, step in enumerate(stops):
        process = broken.start(*["--resume"] * (k > 0))
        broken.break_at(process, step, signal.SIGTERM)
        said = broken.end(process, 75)
        assert "stopped by a signal: saved at step" in said, said
    process = broken.start("--resume", "auto")
    broken.break_at(process, 66, signal.SIGKILL)
    broken.end(process, -signal.SIGKILL)
    said = broken.train(resume=True)
    assert "resuming from" in said, said
    same_run(broken, whole)
    same_curves(broken, whole)

    before = without_measured(broken.lines())
    broken.train(resume=True)  # nothing is left to do
    assert without_measured(broken.lines()) == before
    same_curves(broken, whole)
    return whole


def judge_epoch_ends(root):
    """Killed when the newest checkpoint is the one of an epoch's end, or stopped there; evaluated last at a step that is saved."""
    settings = ["train.max_steps=44", "checkpoint.every_steps=11", "output.log_every_steps=1"]
    whole, killed = Place(root, "epochs"), Place(root, "epochs_killed")
    whole.train(*settings)
    more = [a for s in settings for a in ("--set", s)]
    for k, (step, how, code) in enumerate([(13, signal.SIGKILL, -9), (22, signal.SIGTERM, 75), (35, signal.SIGKILL, -9)]):
        process = killed.start(*more, *["--resume"] * (k > 0))
        killed.break_at(process, step, how)
        killed.end(process, code)
    killed.train(*settings, resume=True)
    same_run(killed, whole)
    same_curves(killed, whole)


def judge_ranks(root):
    settings = ["train.max_steps=60", "data.synthetic_cells=590"]
    whole, broken = Place(root, "two_ranks"), Place(root, "two_ranks_broken")
    whole.train(*settings, ranks=2)
    process = broken.start(*[a for s in settings for a in ("--set", s)], ranks=2)
    broken.break_at(process, 14, signal.SIGUSR1)  # mpirun passes it on; at SIGTERM it leaves with 1 itself
    broken.end(process, 75)
    assert 14 <= broken.checkpoints()[-1] < 60
    broken.train(*settings, resume=True, ranks=2)
    same_run(broken, whole)
    same_curves(broken, whole)
    one = Place(root, "one_rank")
    one.train(*settings)
    same_losses(whole, one)


def same_losses(a, b):
    a, b = a.curve("loss/generator"), b.curve("loss/generator")
    assert np.allclose(a, b, rtol=1e-4), np.abs(np.array(a) / b - 1).max()


def judge_sharding(root):
    """Moments cut over ranks train to the same bits; a run goes on with them or without, on any number of ranks."""
    settings = ["train.max_steps=60", "data.synthetic_cells=590"]
    whole, sharded, mixed = (Place(root, name) for name in ("unsharded", "sharded", "sharded_at_times"))
    whole.train(*settings, ranks=2)
    sharded.train(*settings, "optimizer.shard=true", ranks=2)
    same_losses(sharded, whole)
    a, b = (tensors(place.run / "checkpoints/step-000000060") for place in (sharded, whole))
    assert a.keys() == b.keys() and any("moment1/" in name for name in a), a.keys() ^ b.keys()
    assert not [name for name in b if not same_bits(a[name], b[name])]
    for k, (step, ranks, shard) in enumerate([(14, 3, True), (30, 2, False), (44, 2, True)]):
        more = [x for s in [*settings, f"optimizer.shard={shard}".lower()] for x in ("--set", s)]
        process = mixed.start(*more, *["--resume"] * (k > 0), ranks=ranks)
        mixed.break_at(process, step, signal.SIGUSR1)
        mixed.end(process, 75)
    said = mixed.train(*settings, resume=True)
    assert "resuming with optimizer.shard: false instead of true" in said, said
    same_losses(mixed, whole)


def judge_board(place):
    events = board(place)
    tags = events.Tags()
    for tag in ("train/loss/generator", "train/learning_rate_factor", "train/cells_per_second", "epoch/loss/classifier",
                "train/gradient_norm/generator/mean", "validation/loss/generator", "validation/r2/context_mean"):
        assert tag in tags["scalars"], (tag, tags["scalars"])
    heads = [t for t in tags["histograms"] if t.startswith("influence/")]
    assert len(heads) == 3 and all(events.Histograms(t)[-1].histogram_value.num > 0 for t in heads), tags["histograms"]
    assert tags["images"] == ["metadata/head_influence_l2"], tags["images"]
    for event in events.Images("metadata/head_influence_l2"):
        pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
        assert pixels.shape[:2] == (event.height, event.width) and pixels.std() > 0
    config = [t for t in tags["tensors"] if t.startswith("config")]
    assert config and b"synthetic_genes: 40" in events.Tensors(config[0])[0].tensor_proto.string_val[0], tags["tensors"]
    assert "hparams" in events.summary_metadata["_hparams_/experiment"].plugin_data.plugin_name
    assert "_hparams_/session_start_info" in events.summary_metadata


def judge_schedules(root, whole):
    steps = np.arange(95)
    cosine = np.where(steps < 10, (steps + 1) / 10, 0.5 * (1 + np.cos(np.pi * (steps - 10) / 85)))
    assert np.allclose(whole.curve("learning_rate_factor"), cosine[:94].reshape(-1, 2).mean(1), rtol=1e-12)
    constant = Place(root, "constant")
    constant.train("train.schedule=constant", "train.max_steps=20")
    assert np.allclose(constant.curve("learning_rate_factor"), [0.15, 0.35, 0.55, 0.75, 0.95] + [1] * 5)

    chunks = Place(root, "chunk_order")
    chunks.train("data.loader.order=chunk", "train.max_steps=50")
    losses = chunks.curve("loss/classifier")
    assert losses[-1] < losses[0], losses
    assert losses != whole.curve("loss/classifier")[:25]
    half, full = Place(root, "bfloat16"), Place(root, "float32")
    for place, precision in ((half, "bfloat16"), (full, "float32")):
        place.train(f"train.precision={precision}", "train.max_steps=50")
    a, b = half.curve("loss/generator"), full.curve("loss/generator")
    assert a != b and abs(a[-1] / b[-1] - 1) < 0.02, (a[-1], b[-1])


def judge_early_ending(root):
    place = Place(root, "early")
    settings = ["evaluation.every_steps=2", "evaluation.patience=3", "model.cycle_autoencoder.optimiser.learning_rate=0.5",
                "train.schedule=constant", "train.warmup_steps=0", "checkpoint.keep_last=1"]
    said = place.train(*settings)
    scores = place.curve("loss/generator", "validation")
    steps = place.curve("step", "validation")
    best = int(np.argmin(scores))
    assert steps[-1] < 95 and len(scores) == best + 4, (steps, scores)
    assert f"no gain in 3 evaluations: ending at step {steps[-1]}" in said, said
    noted = json.loads((place.run / "checkpoints/best.json").read_text())
    assert noted["step"] == steps[best] and np.isclose(noted["loss/generator"], scores[best]), (noted, steps, scores)
    assert place.checkpoints() == [steps[best], steps[-1]], place.checkpoints()
    place.train(*settings, resume=True)
    assert place.curve("step", "validation") == steps, "an ended run went on"


whole = None
judge({"resuming": lambda root: globals().update(whole=judge_resuming(root)), "epoch_ends": judge_epoch_ends, "ranks": judge_ranks,
       "sharding": judge_sharding, "board": lambda root: judge_board(whole), "schedules": lambda root: judge_schedules(root, whole),
       "early": judge_early_ending}, sys.argv[4:])
