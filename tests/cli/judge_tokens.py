"""judge_tokens.py PROGRAM ROOT: `cellmill tokenize` beside the plain statement of plain_tokenizer.py, id by id, on made-up cells in every
format and on the real ones of ../shared/data where they are; what it refuses; what reads its store."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

import plain_tokenizer

program, root = sys.argv[1], pathlib.Path(sys.argv[2])
seed = random.randrange(10_000)
print("seed", seed)
rng = np.random.default_rng(seed)


def run(*words, code=0):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def store(path):
    """[cell: tokens], label texts by field, names"""
    with h5py.File(path) as file:
        offsets, tokens = file["offsets"][:], file["tokens"][:]
        labels = {name: [categories[code] if code >= 0 else None for code in file["labels"][:, place]]
                  for place, name in enumerate(file["fields"].asstr()[:]) for categories in [file[f"categories/{place}"].asstr()[:]]}
        return [tokens[a:b] for a, b in zip(offsets, offsets[1:])], labels, file["cells"].asstr()[:].tolist() if "cells" in file else None


def same(found, expected):
    assert len(found) == len(expected)
    for cell, (a, b) in enumerate(zip(found, expected)):
        assert np.array_equal(a, b), f"cell {cell}: {a[:20]} is not {b[:20]}"


def made_up(cells=700, columns=260):
    """Counts with ties, empty cells and unknown, versioned, lower-case and doubled genes; a dictionary with names."""
    ids = [f"ENSG{number:011d}" for number in range(220)]
    known = ids[:200]
    tokens = {"<pad>": 0, "<mask>": 1, "<cls>": 2, "<eos>": 3} | {gene: 4 + int(at) for gene, at in zip(known, rng.permutation(200))}
    medians = {gene: float(m) for gene, m in zip(known, np.where(rng.random(200) < 0.3, 2.0, rng.gamma(2, 1, 200) + 0.05))}
    dictionary = {"tokens": tokens, "medians": medians, "names": {f"SYMBOL{at}": ids[at] for at in range(0, 200, 3)}}
    names = ids + [f"{ids[3 * at]}.{at}" for at in range(20)] + [f"Symbol{3 * at}" for at in range(20)]
    names = [name.lower() if at % 17 == 0 else name for at, name in enumerate(names)]
    order = rng.permutation(columns)
    X = rng.poisson(rng.gamma(0.3, 3, (cells, columns)))
    X[:3] = 0
    return sp.csr_matrix(X.astype(np.float32)), [names[at] for at in order], dictionary


with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    X, names, dictionary = made_up()
    genes = scratch / "genes.json"
    genes.write_text(json.dumps(dictionary))
    cells = X.shape[0]
    kept = rng.random(cells) < 0.8
    obs = pd.DataFrame({"cell_type": pd.Categorical(rng.choice(["T", "B", "NK"], cells)), "sex": rng.choice(["F", "M", ""], cells),
                        "filter_pass": kept.astype(int), "depth": rng.random(cells)}, index=[f"cell_{at}" for at in range(cells)])
    anndata.AnnData(X, obs, pd.DataFrame({"ensembl": names}, index=names)).write_h5ad(scratch / "cells.h5ad")
    del obs["filter_pass"]
    anndata.AnnData(X, obs, pd.DataFrame({"ensembl": names}, index=[f"g{at}" for at in range(len(names))])).write_h5ad(scratch / "all.h5ad")

    # h5ad: V1, V2, cut short, any number of threads
    for number, (words, maximum, special) in enumerate([((), 2048, False), (("--special-tokens",), 4096, True), (("--max-length", 40), 40, False),
                                                        (("--special-tokens", "--max-length", 40, "--threads", 7), 40, True)]):
        out = scratch / f"{number}.h5"
        text = run("tokenize", scratch / "cells.h5ad", "--dictionary", genes, "--output", out, *words)
        expected = [cell for cell, keep in zip(plain_tokenizer.tokenize(X, names, dictionary, maximum, special), kept) if keep]
        found, labels, cell_names = store(out)
        same(found, expected)
        full = [cell for cell, keep in zip(plain_tokenizer.tokenize(X, names, dictionary, 10**6, special), kept) if keep]
        cut, empty = sum(len(cell) > maximum for cell in full), sum(len(cell) == 2 * special for cell in full)
        meant = plain_tokenizer.genes_of(names, dictionary)
        several = sum(gene is not None and meant.count(gene) > 1 for gene in meant)
        for words in (f"{sum(gene is not None for gene in meant)} of {len(names)} columns are genes", f"{several} of them summed",
                      f"{kept.sum()} cells, {sum(map(len, expected))} tokens, {np.mean([len(cell) for cell in expected]):.1f} a cell; {cut} cells cut",
                      f"{empty} without a gene", f"{(~kept).sum()} left out by filter_pass"):
            assert words in text, (words, text)
        assert labels == {"cell_type": obs["cell_type"][kept].tolist(), "sex": [sex or None for sex in obs["sex"][kept]]}
        assert cell_names == obs.index[kept].tolist()
    run("tokenize", scratch / "cells.h5ad", "--dictionary", genes, "--output", scratch / "every.h5", "--all-cells")
    same(store(scratch / "every.h5")[0], plain := plain_tokenizer.tokenize(X, names, dictionary))

    # Ids in a column of var; the same cells as npz chunks, store, 10x folder and table
    run("tokenize", scratch / "all.h5ad", "--gene-column", "ensembl", "--fields", "cell_type", "--dictionary", genes, "--output", scratch / "column.h5")
    found, labels, _ = store(scratch / "column.h5")
    same(found, plain)
    assert list(labels) == ["cell_type"]
    text = run("tokenize", scratch / "all.h5ad", "--dictionary", genes, "--output", scratch / "x.h5", "--gene-column", "ensemble", code=65)
    assert "no column 'ensemble'" in text and "ensembl" in text, text

    folder = scratch / "chunks"
    folder.mkdir()
    for number, begin in enumerate(range(0, cells, 300)):
        sp.save_npz(folder / f"counts_{number}.npz", X[begin : begin + 300], compressed=number == 1)
    (folder / "genes.txt").write_text("\n".join(names) + "\n")
    run("pack", "--input", scratch / "all.h5ad", "--output", scratch / "cells.cmpack", "--set", "data.fields=[cell_type]")
    tenx = scratch / "tenx"
    tenx.mkdir()
    scipy.io.mmwrite(tenx / "matrix.mtx", X.T.astype(int))
    (tenx / "genes.tsv").write_text("".join(f"{name}\t{name}\n" for name in names))
    (tenx / "barcodes.tsv").write_text("".join(f"{name}\n" for name in obs.index))
    pd.DataFrame(X.toarray().astype(int), index=obs.index, columns=names).to_csv(scratch / "table.csv")
    for number, (place, words) in enumerate([(folder, ()), (tenx, ()), (scratch / "table.csv", ("--set", "data.orientation=samples_by_genes"))]):
        out = scratch / f"format{number}.h5"
        run("tokenize", place, "--dictionary", genes, "--output", out, *words)
        same(store(out)[0], plain)
    pairs = json.loads(genes.read_text())
    pairs["names"] |= {f"G{at}": gene for at, gene in enumerate(plain_tokenizer.genes_of(names, dictionary)) if gene}
    (scratch / "more.json").write_text(json.dumps(pairs))
    run("tokenize", scratch / "cells.cmpack", "--dictionary", scratch / "more.json", "--output", scratch / "packed.h5")
    found, labels, _ = store(scratch / "packed.h5")
    same(found, plain)
    assert labels == {"cell_type": obs["cell_type"].tolist()}

    # A store again, shorter; what reads it
    run("tokenize", scratch / "every.h5", "--dictionary", genes, "--output", scratch / "again.h5", "--max-length", 9)
    same(store(scratch / "again.h5")[0], [cell[:9] for cell in plain])
    assert "ranks" in run("check", scratch / "every.h5")
    assert f"cells      {cells}" in run("inspect", scratch / "every.h5", "--verify")
    assert json.loads(run("inspect", scratch / "every.h5", "--json"))["tokens"] == sum(map(len, plain))
    refused = run("train", "--set", f"data.path={scratch / 'every.h5'}", "--set", f"output.folder={scratch / 'run'}", code=78)
    assert "cycle_autoencoder takes expression; these data are a token store" in refused, refused
    assert "is a token store, which is not packed" in run("pack", "--input", scratch / "every.h5", "--output", scratch / "y.cmpack", code=64)

    # Refusals leave nothing
    def refused(place, *words, code=65):
        text = run("tokenize", place, "--output", scratch / "no.h5", *(() if "--dictionary" in words else ("--dictionary", genes)), *words, code=code)
        assert not (scratch / "no.h5").exists() and not list(scratch.glob(".unfinished*")), text
        return text

    anndata.AnnData(X, obs, pd.DataFrame(index=[f"mouse{at}" for at in range(len(names))])).write_h5ad(scratch / "other.h5ad")
    assert "no column is a gene of the dictionary" in (text := refused(scratch / "other.h5ad")) and "--gene-column" in text and "'mouse0'" in text, text
    logs = X.copy()
    logs.data = np.log1p(logs.data)
    anndata.AnnData(logs, obs, pd.DataFrame(index=names)).write_h5ad(scratch / "logs.h5ad")
    assert "the values are no counts" in (text := refused(scratch / "logs.h5ad")) and "--allow-fractions" in text and "cell 3" in text, text
    run("tokenize", scratch / "logs.h5ad", "--dictionary", genes, "--output", scratch / "logs.h5", "--allow-fractions")
    found = store(scratch / "logs.h5")[0]
    assert [len(cell) for cell in found] == [len(cell) for cell in plain]
    one = {**dictionary, "tokens": {k: v for k, v in dictionary["tokens"].items() if k not in ("<cls>", "<eos>")}}
    (scratch / "v1.json").write_text(json.dumps(one))
    assert "has no <cls> and <eos>" in refused(scratch / "all.h5ad", "--gene-column", "ensembl", "--special-tokens", "--dictionary", scratch / "v1.json", code=64)
    assert "a gene without a median" in refused(scratch / "all.h5ad", "--dictionary", (lambda p: (p.write_text(json.dumps({**dictionary, "medians": {}})), p)[1])(scratch / "bad.json"))
    assert "is there already" in run("tokenize", scratch / "all.h5ad", "--dictionary", genes, "--output", scratch / "every.h5", code=64)
    assert "is no name for a token store" in run("tokenize", scratch / "all.h5ad", "--dictionary", genes, "--output", scratch / "x.tokens", code=64)

    # Damage is found, with file and place
    whole = (scratch / "every.h5").read_bytes()
    for at in rng.integers(0, len(whole), 12).tolist():
        broken = scratch / "broken.h5"
        broken.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        text = run("inspect", "--verify", broken, code=65)
        assert "broken.h5: bytes " in text and "damaged" in text, text
        broken.write_bytes(whole[:at])
        assert "is cut short or damaged at its end" in run("inspect", broken, code=65)

    # Hugging Face `datasets`
    tool = root / "tools/token_dataset"
    done = subprocess.run([sys.executable, tool, scratch / "0.h5", "-o", scratch / "0.dataset"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    import datasets
    loaded = datasets.load_from_disk(str(scratch / "0.dataset"))
    found, labels, cell_names = store(scratch / "0.h5")
    same([np.array(ids) for ids in loaded["input_ids"]], found)
    assert list(loaded["length"]) == [len(cell) for cell in found] and list(loaded["cell"]) == cell_names
    assert {name: list(loaded[name]) for name in labels} == labels and loaded.column_names == ["input_ids", "length", "cell_type", "sex", "cell"]
    assert sorted(path.name for path in scratch.glob(".*")) == []
    done = subprocess.run([sys.executable, tool, scratch / "broken.h5", "-o", scratch / "1.dataset"], capture_output=True, text=True)
    assert done.returncode == 65 and "broken.h5" in done.stderr and not (scratch / "1.dataset").exists(), done.stderr
    print("made-up cells: every id is the plain statement's")

    # Real cells and Geneformer's own dictionary
    data = root.parent / "shared/data"
    if not (data / "geneformer_dicts").is_dir():
        print(f"{data} is not there: real cells were not compared")
    else:
        real = scratch / "real.json"
        subprocess.run([sys.executable, root / "tools/gene_dictionary", data / "geneformer_dicts", "-o", real], check=True, capture_output=True)
        dictionary = json.loads(real.read_text())
        for place in sorted(data.glob("*.h5ad")):
            a = anndata.read_h5ad(place)
            X = sp.csr_matrix(a.X)
            whole = not np.any(X.data != np.trunc(X.data))
            out = scratch / f"{place.stem}.h5"
            text = run("tokenize", place, "--dictionary", real, "--output", out, *(() if whole else ("--allow-fractions",)))
            rows = np.sort(rng.choice(X.shape[0], min(X.shape[0], 3000), replace=False))
            expected = plain_tokenizer.tokenize(X[rows], list(a.var_names), dictionary)
            found = store(out)[0]
            same([found[row] for row in rows], expected)
            print(f"{place.name}: {len(rows)} of {X.shape[0]} cells compared, all equal; {text.strip().splitlines()[-1]}")
