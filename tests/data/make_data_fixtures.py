"""Writes tests/data/data/cells.h5ad with anndata itself: every encoding of labels and matrices that the h5ad source reads.

Run by hand when the fixture must change; needs anndata, pandas, scipy. The numbers that data/h5ad_source_test.cpp expects are here.
"""

import pathlib

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

HERE = pathlib.Path(__file__).parent / "data"


def main():
    HERE.mkdir(exist_ok=True)
    cells, genes = 7, 5
    x = np.zeros((cells, genes), np.float32)
    for row in range(cells):
        x[row, row % genes] = row + 1  # one value a row,
        x[row, (2 * row + 1) % genes] += 0.5  # and another, on some rows added to it
    obs = pd.DataFrame(index=[f"cell_{i}" for i in range(cells)])
    obs["cell_type"] = pd.Categorical(["T", "B", None, "T", "NK", "B", "T"], categories=["T", "NK", "B"])
    obs["sex"] = ["F", "M", "M", "", "F", "F", "M"]
    obs["is_primary"] = [True, False, True, True, True, True, False]
    obs["treated"] = pd.array([True, None, False, True, True, None, False], dtype="boolean")
    obs["time_h"] = pd.Categorical([6.0, 6.0, 24.5, np.nan, 6.0, 24.5, 6.0])
    obs["depth"] = np.arange(cells, dtype=float)
    obs["batch"] = np.arange(cells) % 2
    data = anndata.AnnData(sp.csr_matrix(x), obs, pd.DataFrame(index=[f"G{i}" for i in range(genes)]))
    data.layers["dense"] = x * 2
    data.layers["columns"] = sp.csc_matrix(x)
    more = anndata.AnnData(sp.csr_matrix(np.hstack([x, x])), obs[[]], pd.DataFrame(index=[f"R{i}" for i in range(2 * genes)]))
    data.raw = more
    anndata.settings.allow_write_nullable_strings = False
    data.strings_to_categoricals = lambda *_: None  # keep `sex` as text
    data.write_h5ad(HERE / "cells.h5ad")


if __name__ == "__main__":
    main()
