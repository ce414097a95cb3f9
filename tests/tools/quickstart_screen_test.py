"""The closing screen says speed, losses first to last, validation, places and commands."""

import json

import quickstart_screen

POINTS = [
    {"step": 10, "epoch": 0, "split": "train", "loss/generator": 9.0, "cells_per_second": 900.0},
    {"step": 20, "epoch": 0, "split": "train", "loss/generator": 7.0, "cells_per_second": 1100.0},
    {"step": 20, "epoch": 1, "split": "epoch", "loss/generator": 8.0, "loss/reconstruction": 6.0, "gradient_norm/generator": 3.0},
    {"step": 20, "epoch": 1, "split": "validation", "accuracy/cell_type": 0.5, "evaluation_seconds": 2.0},
    {"step": 40, "epoch": 2, "split": "epoch", "loss/generator": 4.0, "loss/reconstruction": 3.0},
    {"step": 40, "epoch": 2, "split": "validation", "accuracy/cell_type": 0.9, "evaluation_seconds": 2.0},
]


def test_the_screen(tmp_path, capsys):
    (tmp_path / "checkpoints" / "step-40").mkdir(parents=True)
    (tmp_path / "events.out.tfevents.1.host.2.0").touch()
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, POINTS)))
    quickstart_screen.main(tmp_path, "answer.h5ad")
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["speed", "1,000", "cells/s", "(median", "of", "2", "measurements)"] in words
    assert ["loss/generator", "8", "->", "4"] in words and ["loss/reconstruction", "6", "->", "3"] in words
    assert ["accuracy/cell_type", "0.5", "->", "0.9"] in words
    text = " ".join(word for line in words for word in line)
    assert "40 steps, 2 epochs" in text and f"{tmp_path}/checkpoints: step-40" in text and "tfevents.1.host" in text
    assert "evaluation_seconds" not in text and "gradient_norm" not in text and "answer.h5ad" in text
    assert sum("build/release/cellmill" in " ".join(line) or "tensorboard" in " ".join(line) for line in words) == 3


def test_a_run_without_epochs_or_validation(tmp_path):
    text = quickstart_screen.screen(tmp_path, "a", POINTS[:1])
    assert "loss/generator" in text and "validation" not in text and "checkpoints: none" in text
