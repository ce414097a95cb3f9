"""cellmill perturb, end to end: a tiny BERT and planted counts, every perturbation made and run one at a time in transformers.

    judge_perturb.py CELLMILL MPIRUN - [PART...]
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
import transformers
from safetensors.numpy import load_file

cellmill, mpirun = map(os.path.abspath, sys.argv[1:3])
ROOT = pathlib.Path(__file__).resolve().parents[2]
GENES, LONGEST = 40, 24
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMPI_MCA_mpi_yield_when_idle": "1", "OMP_NUM_THREADS": "1"}


def run(*words, code=0, ranks=1):
    launcher = [mpirun, "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, cellmill, *map(str, words)], capture_output=True, text=True, env=ENVIRONMENT)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{words}: exit {done.returncode}, expected {code}\n{said}"
    return said


def write_dictionary(path, specials, genes=GENES, flat=False):
    tokens = {"<pad>": 0, "<mask>": 1} | ({"<cls>": 2, "<eos>": 3} if specials else {})
    ids = [f"ENSG{i:011d}" for i in range(genes)]
    tokens |= {gene: 4 + i for i, gene in enumerate(ids)}
    medians = {gene: 1 if flat else 2 ** (i % 3) for i, gene in enumerate(ids)}
    names = {f"GENE{i}": gene for i, gene in enumerate(ids)}
    path.write_text(json.dumps({"tokens": tokens, "medians": medians, "names": names}))


class Place:
    def __init__(self, folder, specials):
        self.folder, self.specials = folder, specials
        folder.mkdir()
        torch.manual_seed(3)
        config = transformers.BertConfig(vocab_size=4 + GENES, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                                         intermediate_size=48, max_position_embeddings=LONGEST, hidden_act="relu",
                                         layer_norm_eps=1e-12, initializer_range=0.4)
        self.model = transformers.BertForMaskedLM(config).eval()
        self.model.save_pretrained(folder / "model")
        write_dictionary(folder / "model" / "genes.json", specials)
        random = np.random.default_rng(5)
        counts = random.poisson(random.gamma(0.7, 3, (14, GENES))) * (random.random((14, GENES)) < 0.55)
        counts[:5] += random.poisson(2, (5, GENES))  # cells that are cut
        obs = pd.DataFrame({"state": pd.Categorical(["ill", "well", "odd"] * 4 + ["ill", None])},
                           index=[f"cell{i}" for i in range(14)])
        self.counts = counts
        anndata.AnnData(sp.csr_matrix(counts.astype("f4")), obs=obs,
                        var=pd.DataFrame(index=[f"GENE{i}" for i in range(GENES)])).write_h5ad(folder / "cells.h5ad")

    def sequence(self, cell):
        value = self.counts[cell] / 2.0 ** (np.arange(GENES) % 3)
        order = [g for g in np.argsort(-value, kind="stable") if value[g] > 0][:LONGEST - 2 * self.specials]
        return [2] * self.specials + [4 + int(g) for g in order] + [3] * self.specials

    def hidden(self, tokens, layer):
        with torch.no_grad():
            return self.model.double().bert(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states[layer][0].numpy()

    def perturb(self, *words, out="a.h5ad", ranks=1, code=0, data="cells.h5ad"):
        (self.folder / out).unlink(missing_ok=True)
        said = run("perturb", self.folder / "model", self.folder / data, "--output", self.folder / out, *words, ranks=ranks, code=code)
        return anndata.read_h5ad(self.folder / out) if code == 0 else said


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def moved(place, tokens, genes, kind, shift):
    """(original, perturbed) without special tokens, or None. Written from the description, a list operation a line."""
    body = tokens[1:-1] if place.specials else tokens[:]
    longest = LONGEST - 2 * place.specials
    if kind != "overexpress" and not set(genes) <= set(body):
        return None
    others = [t for t in body if t not in genes]
    if kind == "delete":
        return body, others
    if kind == "overexpress":
        cut = max(0, len(others) + len(genes) - longest)
        lost = others[len(others) - cut:]
        return [t for t in body if t not in lost], genes + others[:len(others) - cut]
    (gene,), n = genes, len(body)
    quarter = body.index(gene) * 4 // n
    goal = quarter - shift if kind == "activate" else quarter + shift
    to = 0 if goal < 0 else n - 1 if goal > 3 else (2 * goal + 1) * n // 8
    others.insert(to, gene)
    return body, others


def expected(place, cell, genes, kind, shift, layer, states=(), cls=False):
    """cosine, mean cosine of genes, shifts; and the genes' cosines by token."""
    pair = moved(place, place.sequence(cell), genes, kind, shift)
    if pair is None:
        return None
    before, after = ([2] * place.specials + body + [3] * place.specials for body in pair)
    h, k = place.hidden(before, layer), place.hidden(after, layer)
    common = [t for t in pair[0] if t not in genes]
    a, b = (np.stack([x[tokens.index(t)] for t in common]) for x, tokens in ((h, before), (k, after)))
    each = {t: cosine(x, y) for t, x, y in zip(common, a, b)}
    whole = [x[0] if cls else x[1:-1].mean(0) if place.specials else x.mean(0) for x in (h, k)]
    return [cosine(h[0], k[0]) if cls else cosine(a.mean(0), b.mean(0)), np.mean(list(each.values())),
            *(cosine(whole[1], s) - cosine(whole[0], s) for s in states)], each


def check(place, answer, sets, kind, shift=1, layer=2, states=(), cls=False):
    names = ["shift_to_" + s for s in ("ill", "well", "odd")][:len(states)]
    assert sorted(answer.obs["length"], reverse=True) == list(answer.obs["length"])
    compared = 0
    for row, name in enumerate(answer.obs_names):
        for column, genes in enumerate(sets):
            found = [answer.X[row, column], *(answer.layers[x][row, column] for x in ["mean_gene_cosine", *names])]
            wanted = expected(place, int(name[4:]), genes, kind, shift, layer, states, cls)
            if wanted is None:
                assert np.isnan(found).all(), (name, genes, found)
            else:
                assert np.abs(np.array(found) - wanted[0]).max() < 3e-6, (name, genes, found, wanted[0])
                compared += 1
    assert compared > len(answer.obs_names) // 2
    assert answer.var["n_detections"].sum() == compared


def means_of_states(place, layer, cls=False):
    means = []
    for state in range(3):
        cells = [c for c in range(13) if (c % 3 if c < 12 else 0) == state]
        hidden = [place.hidden(place.sequence(c), layer) for c in cells]
        means.append(np.mean([h[0] if cls else h[1:-1].mean(0) if place.specials else h.mean(0) for h in hidden], axis=0))
    return means


def tokens_of(answer):
    return [[int(t) for t in text.split("+")] for text in answer.var["token"]]


def kinds(root):
    for specials in (0, 1):
        place = Place(root / f"kinds{specials}", specials)
        for kind, shift in (("delete", 1), ("overexpress", 1), ("inhibit", 2), ("activate", 1), ("activate", 3)):
            more = ["--shift", shift] if kind in ("inhibit", "activate") else []
            answer = place.perturb("--genes", "GENE1,GENE7", "ENSG00000000020", "--kind", kind, *more, "--batch-tokens", 100)
            sets = tokens_of(answer)
            assert sets == [[5], [11], [24]] and list(answer.var["gene_name"]) == ["GENE1", "GENE7", "GENE20"]
            check(place, answer, sets, kind, shift)
        answer = place.perturb("--genes", "all", "--layer-convention", "helical", "--max-cells", 4)
        assert answer.n_obs == 4
        check(place, answer, tokens_of(answer), "delete", layer=3)
        last = place.perturb("--genes", "all", "--emb-layer", 0, "--max-cells", 4)
        assert np.array_equal(last.X, answer.X, equal_nan=True)
        lone = place.perturb("--genes", "all", "--kind", "overexpress", "--max-cells", 2)
        for row, name in enumerate(lone.obs_names):
            genes = [t for t in place.sequence(int(name[4:])) if t > 3]
            assert set(np.flatnonzero(~np.isnan(lone.X[row]))) == {tokens_of(lone).index([t]) for t in genes[1:]}


def groups(root):
    for specials in (0, 1):
        place = Place(root / f"groups{specials}", specials)
        group = place.perturb("--genes", "GENE3,GENE1", "--group")
        assert tokens_of(group) == [[7, 5]] and list(group.var_names) == ["ENSG00000000003+ENSG00000000001"]
        check(place, group, [[7, 5]], "delete")
        check(place, place.perturb("--genes", "GENE3,GENE1", "--group", "--kind", "overexpress"), [[7, 5]], "overexpress")
        anchored = place.perturb("--genes", "GENE3,GENE1", "--anchor", "GENE2")
        assert tokens_of(anchored) == [[6], [7], [6, 7], [5], [6, 5]]
        check(place, anchored, tokens_of(anchored), "delete")
        assert (~np.isnan(anchored.X[:, 0])).all()


def states(root):
    for specials in (0, 1):
        place = Place(root / f"states{specials}", specials)
        words = ["--state", "state", "--start", "ill", "--goal", "well", "--alternatives", "odd", "--genes", "GENE1,GENE2"]
        for mode in ["cell"] + ["cls"] * specials:
            answer = place.perturb(*words, "--mode", mode)
            assert set(answer.obs["state"]) == {"ill"}
            check(place, answer, tokens_of(answer), "delete", states=means_of_states(place, 2, mode == "cls"), cls=mode == "cls")
            assert answer.uns["goal_state"] == "well" and answer.uns["alternative_states"] == "odd"
        table = place.folder / "table.csv"
        subprocess.run([sys.executable, ROOT / "tools/perturbation_statistics", place.folder / "a.h5ad", "goal_state_shift",
                        "--output", table], check=True, stdout=subprocess.DEVNULL)
        made = pd.read_csv(table).set_index("Ensembl_ID")
        assert np.allclose(made.loc[answer.var_names, "Shift_to_goal_end"], np.nanmean(answer.layers["shift_to_well"], 0), atol=1e-7)


def genes(root):
    for specials in (0, 1):
        place = Place(root / f"genes{specials}", specials)
        for kind in ("delete", "overexpress"):
            answer = place.perturb("--genes", "GENE1,GENE7", "--kind", kind, "--mode", "gene", "--block-tokens", 150)
            seen = {}
            for cell in range(14):
                for row, gene in enumerate((5, 11)):
                    wanted = expected(place, cell, [gene], kind, 1, 2)
                    for token, value in (wanted[1] if wanted else {}).items():
                        seen.setdefault((row, token), []).append(value)
            column = {int(t): i for i, t in enumerate(answer.var["token"])}
            assert (answer.layers["n_detections"] > 0).sum() == len(seen)
            for (row, token), values in seen.items():
                place_of = row, column[token]
                assert answer.layers["n_detections"][place_of] == len(values)
                assert abs(answer.X[place_of] - np.mean(values)) < 3e-6
                assert abs(answer.layers["stdev"][place_of] - np.std(values)) < 3e-6


def golden(root):
    """The cases of ../shared, where it is there: the deletion of each gene of one cell."""
    folders = [p.parent for p in ROOT.parent.glob("shared/golden/rank_encoder/*/config.json")]
    for folder in folders:
        case, specials = load_file(folder / "case.f64.safetensors"), folder.name.endswith("v2")
        tokens = [int(t) for t in case["delete.input_ids"]][specials:len(case["delete.input_ids"]) - specials]
        here = root / folder.name
        here.mkdir()
        write_dictionary(here / "genes.json", specials, 56, flat=True)
        counts = np.zeros((1, 56), "f4")
        for rank, token in enumerate(tokens):
            counts[0, token - 4] = 100 - rank
        anndata.AnnData(sp.csr_matrix(counts), var=pd.DataFrame(index=[f"GENE{i}" for i in range(56)])).write_h5ad(here / "c.h5ad")
        for convention in ("upstream", "helical"):
            out = here / f"{convention}.h5ad"
            run("perturb", folder, here / "c.h5ad", "--dictionary", here / "genes.json", "--genes", "all", "--output", out,
                "--layer-convention", convention)
            answer = anndata.read_h5ad(out)
            place = [list(map(int, answer.var["token"])).index(t) for t in tokens]
            assert np.abs(answer.X[0, place] - case[f"delete.cell_cos.{convention}"]).max() < 2e-6
            assert np.abs(answer.layers["mean_gene_cosine"][0, place] - case[f"delete.mean_gene_cos.{convention}"]).max() < 2e-6
    print(f"   {len(folders)} golden cases")


def same(a, b):
    return a.X.tobytes() == b.X.tobytes() and all(a.layers[k].tobytes() == b.layers[k].tobytes() for k in a.layers)


def ranks(root):
    place = Place(root / "ranks", 1)
    words = ["--genes", "all", "--block-tokens", 300, "--state", "state", "--start", "ill", "--goal", "well"]
    alone = place.perturb(*words)
    for count in (2, 3):
        assert same(alone, place.perturb(*words, out=f"r{count}.h5ad", ranks=count)), count
    one_block = place.perturb("--genes", "all", "--state", "state", "--start", "ill", "--goal", "well", out="whole.h5ad")
    assert np.allclose(alone.X, one_block.X, atol=2e-6, equal_nan=True)


def stores(root):
    """A token store answers as the counts it was made of; bfloat16 nearly as float32."""
    for specials in (0, 1):
        place = Place(root / f"store-{specials}", specials)
        run("tokenize", place.folder / "cells.h5ad", "--dictionary", place.folder / "model" / "genes.json", "--output", place.folder / "cells.h5",
            "--max-length", LONGEST, *(["--special-tokens"] if specials else []))
        words = ["--genes", "all", "--state", "state", "--start", "ill", "--goal", "well"]
        counted, stored = place.perturb(*words), place.perturb(*words, out="s.h5ad", data="cells.h5")
        assert same(counted, stored) and list(counted.obs_names) == list(stored.obs_names)
        half = place.perturb(*words, "--precision", "bfloat16", out="half.h5ad")
        assert np.allclose(half.X, counted.X, atol=0.02, equal_nan=True)


def resume(root):
    place = Place(root / "resume", 0)
    words = ["--genes", "all", "--block-tokens", 30, "--batch-tokens", 30]
    whole = place.perturb(*words)
    pieces = place.folder / ".b.h5ad.perturbing"
    command = [cellmill, "perturb", place.folder / "model", place.folder / "cells.h5ad", "--output", place.folder / "b.h5ad", *words]
    for how, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)):
        before = len(list(pieces.glob("block-*.h5")))
        process = subprocess.Popen(list(map(str, command)), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        deadline = time.monotonic() + 60
        while len(list(pieces.glob("block-*.h5"))) < before + 5:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.001)
        process.send_signal(how)
        said = process.communicate(timeout=60)[0]
        assert process.returncode == code, said
        assert not (place.folder / "b.h5ad").exists()
    said = run("perturb", place.folder / "model", place.folder / "cells.h5ad", "--output", place.folder / "b.h5ad", "--genes", "GENE1", code=64)
    assert "unfinished job" in said
    done = len(list(pieces.glob("block-*.h5")))
    said = run(*command[1:], ranks=2)
    assert f"going on: {done} of" in said, said
    assert same(whole, anndata.read_h5ad(place.folder / "b.h5ad")) and not pieces.exists()


def refusals(root):
    place = Place(root / "refusals", 0)

    def refuses(code, text, *words):
        said = place.perturb(*words, code=code)
        assert text in said, f"{text!r} is not in:\n{said}"
        assert not (place.folder / "a.h5ad").exists()

    refuses(64, "did you mean GENE1", "--genes", "GEN1")
    refuses(64, "--shift is for", "--genes", "GENE1", "--shift", 2)
    refuses(64, "cannot be combined", "--genes", "GENE1", "--group", "--anchor", "GENE2")
    refuses(64, "would leave nothing", "--genes", "all", "--group")
    refuses(64, "did you mean state", "--genes", "all", "--state", "stat", "--start", "ill", "--goal", "well")
    refuses(64, "did you mean well", "--genes", "all", "--state", "state", "--start", "ill", "--goal", "wel")
    refuses(64, "different states", "--genes", "all", "--state", "state", "--start", "ill", "--goal", "ill")
    refuses(64, "needs --start and --goal", "--genes", "all", "--state", "state")
    refuses(64, "categories of --state", "--genes", "all", "--goal", "well")
    refuses(64, "knows no --state", "--genes", "all", "--mode", "gene", "--state", "state", "--start", "ill", "--goal", "well")
    refuses(64, "<cls>", "--genes", "all", "--mode", "cls")
    nobody = place.counts.copy()
    nobody[:, 1] = 0
    anndata.AnnData(sp.csr_matrix(nobody.astype("f4")), var=pd.DataFrame(index=[f"GENE{i}" for i in range(GENES)])).write_h5ad(
        place.folder / "cells.h5ad")
    refuses(65, "nothing to perturb", "--genes", "GENE1")
    answer = place.perturb("--genes", "GENE1,GENE2")
    assert list(answer.var["n_detections"])[0] == 0 and np.isnan(answer.X[:, 0]).all()
    assert "exists already" in run("perturb", place.folder / "model", place.folder / "cells.h5ad", "--genes", "GENE2",
                                   "--output", place.folder / "a.h5ad", code=64)
    (place.folder / "list.txt").write_text("GENE2\n\nGENE3\n")
    assert tokens_of(place.perturb("--genes", place.folder / "list.txt")) == [[6], [7]]
    for name in ("a.npz", "a.csv"):
        run("perturb", place.folder / "model", place.folder / "cells.h5ad", "--genes", "GENE2", "--output", place.folder / name)
    assert np.load(place.folder / "a.npz")["layers/mean_gene_cosine"].shape[1] == 1
    assert list(pd.read_csv(place.folder / "a.csv").columns) == ["cell", "ENSG00000000002"]


PARTS = {f.__name__: f for f in (kinds, groups, states, genes, golden, ranks, stores, resume, refusals)}

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[4:] or PARTS:
            start = time.monotonic()
            place = pathlib.Path(folder) / name
            place.mkdir()
            PARTS[name](place)
            print(f"ok {name} ({time.monotonic() - start:.1f} s)", flush=True)
