"""judge_rank_encoder.py PROGRAM ROOT: a rank encoder of planted counts: it learns, its checkpoint needs no dictionary file, transformers
loads what `export` writes and computes the same, a run starts from such a folder, and what does not fit is refused."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import anndata
import numpy as np
import pandas
import torch
from safetensors.torch import save_file
from transformers import BertForMaskedLM

program, root = sys.argv[1], pathlib.Path(sys.argv[2])

def run(*words, code=0):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=280)
    assert done.returncode == code, (words, done.returncode, done.stdout + done.stderr)
    return done.stdout + done.stderr


def points(folder, split):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("split") == split]


with tempfile.TemporaryDirectory() as place:
    place = pathlib.Path(place)
    tiny = root / "configs/rank_encoder_tiny.yaml"
    first = place / "first"
    run("train", "--config", tiny, "--set", "train.epochs=4", f"output.folder={first}", "output.log_every_steps=5")
    values = points(first, "validation")[-1]
    print({name: round(value, 3) for name, value in values.items() if isinstance(value, float)})
    assert values["loss/masked_genes"] < values["loss/unigram"], values

    print(run("export", first, place / "folder"))
    genes = json.loads((place / "folder/genes.json").read_text())
    assert genes["tokens"]["<pad>"] == 0 and len(genes["tokens"]) == 202 and len(genes["medians"]) == 200
    model, info = BertForMaskedLM.from_pretrained(place / "folder", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    ids = 2 + torch.stack([torch.randperm(200)[:40] for _ in range(3)])
    with torch.no_grad():
        out = model.eval()(input_ids=ids, output_hidden_states=True)
    case = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "logits": out.logits}
    case |= {f"hidden.{k}": hidden.contiguous() for k, hidden in enumerate(out.hidden_states)}
    save_file(case, place / "folder/case.f32.safetensors")
    assert "1 passed, 0 failed" in run("golden", place / "folder")
    assert "is there already" in run("export", first, place / "folder", code=64)

    dictionary = place / "genes.json"  # a dictionary travels in the checkpoint
    shutil.copy(place / "folder/genes.json", dictionary)
    second = place / "second"
    run("train", "--config", tiny, "--set", "train.max_steps=2", f"model.rank_encoder.dictionary={dictionary}",
        f"model.rank_encoder.start_from={place / 'folder'}", f"output.folder={second}", "output.log_every_steps=1")
    begun = points(second, "train")[0]["loss/masked_genes"]
    assert abs(begun - values["loss/masked_genes"]) < 0.5, (begun, values)
    dictionary.unlink()
    run("export", second, place / "again")
    assert (place / "again/genes.json").read_text() == (place / "folder/genes.json").read_text()
    said = run("train", "--config", tiny, "--set", "model.rank_encoder.layers=3", f"model.rank_encoder.start_from={place / 'folder'}",
               f"output.folder={place / 'third'}", code=78)
    assert "layers: 2 (and not 3)" in said, said
    cells = place / "cells.h5ad"  # fields that nobody names are no fields
    names = [gene for gene, median in genes["medians"].items() if median > 0]
    counts = np.random.default_rng(3).poisson(2, (90, len(names))).astype("f4")
    obs = pandas.DataFrame({"batch": ["one", "two"] * 45, "line": ["a", "b", "c"] * 30}, index=[f"c{i}" for i in range(90)])
    anndata.AnnData(counts, obs=obs, var=pandas.DataFrame(index=names)).write_h5ad(cells)
    shutil.copy(place / "folder/genes.json", dictionary)
    words = ["train", "--config", tiny, "--set", "data.format=auto", f"data.path={cells}", f"model.rank_encoder.dictionary={dictionary}",
             f"output.folder={place / 'fifth'}"]  # fmt: skip
    run(*words, "train.max_steps=2")
    run(*words, "train.max_steps=3", "--resume=auto")
    run("embed", place / "fifth", cells, "--output", place / "fifth.npz")
    with np.load(place / "fifth.npz") as made:
        assert made["embeddings"].shape == (90, 32) and np.isfinite(made["embeddings"]).all()
    dictionary.unlink()
    assert "no such file" in run("train", "--config", tiny, "--set", f"model.rank_encoder.dictionary={dictionary}",
                                 f"output.folder={place / 'fourth'}", code=66).lower()
print("held")
