"""Real cells and their splits.

`load_kang` reads a folder of chunks (counts, metadata, gene names) of the interferon-beta experiment of Kang et al. 2018 as
log1p of counts per 10,000; erythrocytes are left out. `split` gives the study's three splits: 40 % of the cells of each
(type, condition) are test cells, and all stimulated cells of one type leave the training set too.
"""
import dataclasses
import glob
import os

import numpy as np
import pandas as pd
import scipy.sparse as sp

CONDITION, TYPE = "condition", "cell_type_author"
HELD_TYPES = ["B", "CD14 Mono", "NK"]
TEST_FRACTION = 0.4


@dataclasses.dataclass
class Cells:
    """x [cells, genes] log1p of counts per 10,000; stimulated [cells] bool; type [cells] code into `types`."""

    x: np.ndarray
    counts: sp.csr_matrix
    obs: pd.DataFrame
    genes: list
    stimulated: np.ndarray
    type: np.ndarray
    types: list
    conditions: list


@dataclasses.dataclass
class Split:
    number: int
    held: int  # code of the type never seen stimulated
    train: np.ndarray
    test: np.ndarray


def log_normalise(counts):
    x = sp.diags(1e4 / np.maximum(np.asarray(counts.sum(1)).ravel(), 1e-9)).dot(counts.astype("f4")).tocsr().astype("f4")
    x.data = np.log1p(x.data)
    return x


def load_kang(folder, n_genes=0):
    """n_genes > 0 keeps the genes of largest variance, in their order."""
    counts = sp.vstack([sp.load_npz(f) for f in sorted(glob.glob(os.path.join(folder, "*.npz")))]).tocsr()
    obs = pd.concat([pd.read_pickle(f) for f in sorted(glob.glob(os.path.join(folder, "*.pkl")))], ignore_index=True)
    with open(os.path.join(folder, "genes.txt")) as lines:
        genes = np.array([line.strip().split("\t")[0] for line in lines])
    keep = (obs[TYPE] != "Eryth").to_numpy()
    counts, obs = counts[keep], obs.loc[keep, [CONDITION, TYPE]].astype(str).reset_index(drop=True)
    x = log_normalise(counts).toarray()
    if 0 < n_genes < x.shape[1]:
        chosen = np.sort(np.argsort(-x.var(0))[:n_genes])
        x, genes, counts = np.ascontiguousarray(x[:, chosen]), genes[chosen], None
    kind, condition = pd.Categorical(obs[TYPE]), pd.Categorical(obs[CONDITION])
    return Cells(x, counts, obs, list(genes), condition.codes == 1, kind.codes.astype("i8"), list(kind.categories),
                 list(condition.categories))


def split(cells, number):
    random = np.random.RandomState(100 + number)
    test = []
    for kind in range(len(cells.types)):
        for stimulated in (False, True):
            rows = np.where((cells.type == kind) & (cells.stimulated == stimulated))[0]
            random.shuffle(rows)
            test.extend(rows[: int(round(TEST_FRACTION * len(rows)))])
    held = cells.types.index(HELD_TYPES[number])
    train = np.setdiff1d(np.arange(len(cells.type)), test)
    train = train[~((cells.type[train] == held) & cells.stimulated[train])]
    return Split(number, held, train, np.array(sorted(test)))
