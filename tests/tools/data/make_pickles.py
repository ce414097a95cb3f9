"""Writes pickles of one small frame with the pandas that runs it: pandas_<version>_protocol_<p>.pkl, here.

For each of pandas 1.5.3, 2.0.3, 2.2.3 and 3.1.1: python -m venv V; V/bin/pip install pandas==...; V/bin/python make_pickles.py
(pandas 1.5 and 2.0 want numpy<2; 2.2 and 3.1 are given pyarrow, with which pandas 3 keeps all strings).
"""

import datetime
import pathlib

import numpy as np
import pandas as pd

folder = pathlib.Path(__file__).parent
frame = pd.DataFrame(
    {
        "cell_type": ["beta", " alpha ", None, "beta", ""],
        "tissue": pd.Categorical(["lung", None, "blood", "lung", "lung"], categories=["blood", "lung", "skin"]),
        "stage": pd.Categorical(["late", "early", "late", None, "mid"], categories=["early", "mid", "late"], ordered=True),
        "batch": pd.Categorical([2, 1, 2, 2, 1]),
        "is_primary": [True, False, True, True, False],
        "checked": pd.array([True, None, False, True, None], dtype="boolean"),
        "nnz": np.array([5, 4, 3, 2, 1], dtype="int64"),
        "small": np.array([1, 2, 3, 4, 5], dtype="int16"),
        "raw_sum": [1.5, np.nan, 2.5, 3.5, 4.5],
        "score": np.array([0.5, 1.5, np.nan, 2.5, 3.5], dtype="float32"),
        "count": pd.array([7, None, 9, 9, 9], dtype="Int64"),
        "donor": pd.array(["d1", "d2", None, "d1", "ü"], dtype="string"),
        "sampled": pd.to_datetime(["2024-07-01", None, "2025-01-30", "2025-11-08", "2025-11-08"]),
        "diseases": [["a", "b"], ("c",), None, ["a"], ["a", "b"]],
        "mixed": ["x", 1, 2.5, True, np.float64(4.0)],
        "day": [datetime.date(2024, 7, 1), None, None, None, None],
    }
)
try:
    frame["suspension"] = pd.array(["cell", None, "nucleus", "cell", ""], dtype="string[pyarrow]")
except ImportError:
    pass
version = "_".join(pd.__version__.split(".")[:2])
for protocol in range(2, 6):
    frame.to_pickle(folder / f"pandas_{version}_protocol_{protocol}.pkl", protocol=protocol)
frame.set_index(pd.Index(list("vwxyz"), name="barcode"))[["cell_type", "tissue"]].to_pickle(
    folder / f"pandas_{version}_named_index.pkl", protocol=4
)
