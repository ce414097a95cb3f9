"""Real cells and samples for the factor model: counts, labels, and files of them with some labels hidden."""
import dataclasses
import hashlib
import json

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp


@dataclasses.dataclass
class Cells:
    """counts [cells, genes]; labels: field -> text a cell, "" where the source says nothing."""

    counts: sp.csr_matrix
    genes: list
    labels: dict

    def rows(self, keep):
        return Cells(self.counts[keep], self.genes, {field: texts[keep] for field, texts in self.labels.items()})

    def most_variable(self, train, count):
        """The `count` genes of largest variance of log expression over the rows `train`; no label is looked at."""
        y = log_expression(self.counts[train])
        mean = np.asarray(y.mean(0)).ravel()
        variance = np.asarray(y.multiply(y).mean(0)).ravel() - mean**2
        genes = np.sort(np.argsort(-variance, kind="stable")[:count])
        return Cells(self.counts[:, genes], [self.genes[gene] for gene in genes], self.labels)


def load(path, fields):
    """`fields`: the model's name of a field -> the file's column."""
    data = anndata.read_h5ad(path)
    labels = {field: data.obs[column].astype(str).to_numpy(dtype=object) for field, column in fields.items()}
    for texts in labels.values():
        texts[np.isin(texts, ["unlabelled", "unknown", "nan"])] = ""
    return Cells(sp.csr_matrix(data.X, dtype="f4"), list(data.var_names), labels)


def hide(cells, fraction, random):
    """A copy in which `fraction` of the labels of every field are "", each field's own cells, drawn
    within every value; and field -> bool [cells], which."""
    labels, hidden = {}, {}
    for field, texts in cells.labels.items():
        hidden[field] = np.zeros(len(texts), dtype=bool)
        for value in sorted(set(texts) - {""}):
            having = random.permutation(np.where(texts == value)[0])
            hidden[field][having[: int(len(having) * fraction)]] = True
        labels[field] = np.where(hidden[field], "", texts)
    return dataclasses.replace(cells, labels=labels), hidden


def write(cells, path):
    """A field without any label is left out: the program refuses a column in which every value is missing."""
    obs = {field: pd.Categorical(np.where(texts == "", None, texts)) for field, texts in cells.labels.items() if any(texts)}
    names = [f"cell{row}" for row in range(cells.counts.shape[0])]
    anndata.AnnData(cells.counts, obs=pd.DataFrame(obs, index=names), var=pd.DataFrame(index=cells.genes)).write_h5ad(path)


def log_expression(counts, scale=1e4):
    """log1p of counts scaled to `scale` a cell."""
    total = np.asarray(counts.sum(1)).ravel()
    y = sp.diags(scale / np.maximum(total, 1)).dot(counts).tocsr().astype("f4")
    y.data = np.log1p(y.data)
    return y


def digest(cells):
    """Of everything in them."""
    told = hashlib.sha256(cells.counts.data.tobytes() + cells.counts.indices.tobytes())
    told.update(json.dumps([list(cells.genes), {field: list(texts) for field, texts in cells.labels.items()}]).encode())
    return told.hexdigest()
