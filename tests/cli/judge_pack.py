"""Packing end to end, judged by scipy, anndata and h5py: what is unpacked is what was packed, bit for bit.

    judge_pack.py CELLMILL PREPROCESS_METADATA
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

cellmill, preprocess = map(os.path.abspath, sys.argv[1:3])
FIELDS = ["cell_type", "sex"]
GENES = [f"gene{g}" for g in range(700)]


def make_cells(random, cells):
    counts = sp.random(cells, len(GENES), 0.1, "csr", dtype=np.float32, rng=random)
    counts.data = np.log1p(random.integers(1, 40, counts.nnz)).astype(np.float32)
    counts.data[::97] = random.random(len(counts.data[::97]), dtype=np.float32)
    counts.sort_indices()
    labels = pd.DataFrame({"cell_type": random.choice(["α", "b,c", 'd"e'], cells), "sex": random.choice(["f", "m"], cells)})
    labels.loc[random.random(cells) < 0.1, "sex"] = None
    return counts, labels


def write_inputs(folder):
    random = np.random.default_rng(4)
    (folder / "npz").mkdir()
    parts = [make_cells(random, cells) for cells in (500, 901)]
    for number, (counts, labels) in enumerate(parts):
        sp.save_npz(folder / f"npz/expression_{number}.npz", counts, compressed=number == 1)
        labels.to_csv(folder / f"npz/metadata_{number}.csv", index=False)
    (folder / "npz/genes.txt").write_text("\n".join(GENES))
    run(sys.executable, preprocess, "--data-dir", folder / "npz", "--pattern", "metadata_*.csv", "--include", ",".join(FIELDS))
    X, obs = sp.vstack([p[0] for p in parts], "csr"), pd.concat([p[1] for p in parts], ignore_index=True)
    cells = anndata.AnnData(X, obs.astype("category").set_index(obs.index.astype(str)), pd.DataFrame(index=GENES))
    cells.write_h5ad(folder / "cells.h5ad")
    return X, obs


def run(*command, code=0):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def same(found, expected):
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.data.view(np.uint32), expected.data.view(np.uint32))


def judge_h5ad(path, X, obs):
    cells = anndata.read_h5ad(path)
    same(cells.X, X)
    assert cells.var_names.tolist() == GENES and list(cells.obs.columns) == FIELDS
    for field in FIELDS:
        assert cells.obs[field].astype(object).where(cells.obs[field].notna(), None).tolist() == obs[field].tolist(), field
    return cells.obs_names.astype(int).to_numpy()


def judge_npz(folder, X, obs):
    files = sorted(folder.glob("expression_*.npz"))
    assert len(files) == -(-X.shape[0] // 600)
    same(sp.vstack([sp.load_npz(f) for f in files], "csr"), X)
    tables = [pd.read_csv(f, keep_default_na=False) for f in sorted(folder.glob("metadata_*.csv"))]
    table = pd.concat(tables, ignore_index=True)
    for field in FIELDS:
        assert table[field].tolist() == obs[field].fillna("").tolist(), field
    assert (folder / "genes.txt").read_text().split() == GENES
    return table["cell"].to_numpy()


def judge_orders(folder, source, X, obs):
    """Packed plainly and shuffled in shards; unpacked both ways, in both orders."""
    run(cellmill, "pack", *source, "--output", folder / "plain.cmpack")
    said = run(cellmill, "pack", *source, "--output", folder / "shards", "--shuffle", "--seed", 3, "--shard-cells", 500)
    assert f"{X.shape[0]} cells in 3 files: " in said and "times smaller" in said, said
    everyone = np.arange(X.shape[0])
    for store, options, name in (("plain.cmpack", [], "p"), ("shards", ["--original-order"], "o"), ("shards", [], "s")):
        run(cellmill, "unpack", "--input", folder / store, "--output", folder / f"{name}.h5ad", *options)
        run(cellmill, "unpack", "--input", folder / store, "--output", folder / name, "--file-cells", 600, *options)
        with h5py.File(folder / f"{name}.h5ad") as file:
            numbers = file["obs/_index"].asstr()[()].astype(int)
        order = numbers if name == "s" else everyone
        assert (judge_h5ad(folder / f"{name}.h5ad", X[order], obs.iloc[order]) == order).all()
        assert (judge_npz(folder / name, X[order], obs.iloc[order]) == order).all()
    assert (np.sort(order) == everyone).all() and abs(np.corrcoef(order, everyone)[0, 1]) < 0.1
    assert not list(folder.glob(".*")), "nothing unfinished stays"


def judge_inspection(folder, X):
    store = json.loads(run(cellmill, "inspect", folder / "shards", "--json", "--verify"))
    assert (store["cells"], store["entries"], store["shards"], store["verified"]) == (X.shape[0], X.nnz, 3, True)
    assert list(store["fields"]) == FIELDS and store["genes"] == GENES and store["shuffled"] and store["seed"] == 3
    size = sum(f.stat().st_size for f in (folder / "shards").iterdir())
    assert store["bytes"] == size
    with h5py.File(folder / "plain.cmpack") as file:  # plain HDF5 behind a user block
        assert file.attrs["format"] == "cellmill-pack-1" and file.userblock_size == 512
        assert file["blocks"].chunks is None and file["blocks"].dtype == np.uint8
        assert file["genes"].asstr()[()].tolist() == GENES
    file = folder / "shards/shard-00001.cmpack"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1000] + bytes([whole[-1000] ^ 1]) + whole[-999:])
    said = run(cellmill, "inspect", folder / "shards", "--verify", code=65)
    assert "shard-00001.cmpack: block " in said and "is damaged: its digest differs" in said, said
    file.write_bytes(whole)


def judge_killed(folder, source):
    """kill -9, again and again: the same command ends with the same bytes."""
    command = [cellmill, "pack", *source, "--output", folder / "killed", "--shuffle", "--seed", "3", "--shard-cells", "500"]
    wait = 0.05
    for _ in range(60):
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert process.wait(wait) in (0, 64), "not whole at its end"  # 64: it was whole when the last was killed
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        wait *= 1.1
    for file in sorted((folder / "shards").iterdir()):
        assert file.read_bytes() == (folder / "killed" / file.name).read_bytes(), file


def judge_training(folder):
    """A model trains on a store, and answers questions about its cells."""
    settings = [f"data.path={folder / 'shards'}", f"output.folder={folder / 'run'}", "train.max_steps=4", "train.device=cpu",
                "model.cycle_autoencoder.latent=8"]
    run(cellmill, "train", *(a for s in settings for a in ("--set", s)))
    table = folder / "classes.csv"
    run(cellmill, "classify", "--checkpoint", folder / "run", "--input", folder / "plain.cmpack", "--output", table)
    assert len(pd.read_csv(table)) == 1401


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        X, obs = write_inputs(folder)
        npz = ["--input", folder / "npz"]
        for kind, source in (("h5ad", ["--input", folder / "cells.h5ad", "--set", "data.fields=[cell_type,sex]"]), ("npz", npz)):
            place = folder / f"from_{kind}"
            place.mkdir()
            judge_orders(place, source, X, obs)
            judge_inspection(place, X)
        judge_killed(place, npz)
        judge_training(place)
        said = run(cellmill, "pack", *npz, "--output", place / "plain.cmpack", code=64)
        assert "plain.cmpack exists already" in said, said
    print("all equal")


if __name__ == "__main__":
    main()
