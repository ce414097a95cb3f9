"""Embeddings on disk with the names of their cells, and labels for these cells."""

import dataclasses
import json
import pathlib

import numpy as np
import pandas as pd

from failing import DATA, NO_INPUT, USAGE, Failure

LABELS_IF_NONE_NAMED = ("perturbation", "perturbation_type")


@dataclasses.dataclass
class Embedding:
    source: str
    values: np.ndarray  # [cells, width] float64; finite, or all NaN for a cell without a known gene
    cells: list | None  # names, each once
    columns: pd.DataFrame  # what the file says of each cell, rows as in values
    facts: dict  # what it says of the whole: model, method, seconds ...

    def keep(self, rows):
        self.values = self.values[rows]
        self.cells = None if self.cells is None else [self.cells[row] for row in rows]
        self.columns = self.columns.iloc[rows].reset_index(drop=True) if len(self.columns) else self.columns


def read(path, key="", option="--key"):
    """`path`: a folder that holds embeddings.npz, an .npz (metadata.json beside it) or an .h5ad. `key`: which array of it, if several."""
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "embeddings.npz"
    if not path.is_file():
        raise Failure(NO_INPUT, "no such file", file=path, hint="`cellmill embed` writes embeddings.npz into its output folder")
    reader = {".npz": _npz, ".h5ad": _h5ad}.get(path.suffix)
    if reader is None:
        raise Failure(DATA, "not a file of embeddings", file=path, expected="embeddings.npz, or an .h5ad with the embeddings in obsm")
    embedding = reader(path, key, option)
    _check(embedding, path)
    return embedding


def _npz(path, key, option):
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib and numpy each have their own
        raise Failure(DATA, f"not an .npz of plain arrays ({error})", file=path) from None
    matrices = {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiu"}
    key = _choose(key, matrices, path, option, "a matrix [cells, width] called embeddings")
    cells = arrays.get("cells", arrays.get("genes"))
    rows = len(matrices[key])
    columns, facts = _metadata(_beside(path), rows) if _beside(path).is_file() else ({}, {})
    columns |= {name[4:]: array if array.dtype.kind in "fiub" else _texts(array) for name, array in arrays.items() if name.startswith("obs/") and array.shape == (rows,)}
    return Embedding(f"{path}: {key}", np.asarray(matrices[key], np.float64), None if cells is None else _texts(cells), pd.DataFrame(columns), facts)


def _beside(path):
    """embeddings.npz -> metadata.json, embeddings_x.npz -> metadata_x.json, x.npz -> x.metadata.json."""
    name = path.stem.replace("embeddings", "metadata", 1) if path.stem.startswith("embeddings") else f"{path.stem}.metadata"
    return path.with_name(f"{name}.json")


def _h5ad(path, key, option):
    import anndata.io
    import h5py

    try:
        with h5py.File(path, "r") as file:
            key = _choose(key, file.get("obsm", {}), path, option, "an AnnData file with embeddings in obsm")
            values = anndata.io.read_elem(file["obsm"][key])
            obs = anndata.io.read_elem(file["obs"])
    except OSError as error:
        raise Failure(DATA, f"not an HDF5 file ({error})", file=path) from None
    values = values.toarray() if hasattr(values, "toarray") else values
    return Embedding(f"{path}: obsm/{key}", np.asarray(values, np.float64), _texts(obs.index), obs.reset_index(drop=True), {})


def _choose(key, there, path, option, expected):
    if key:
        if key not in there:
            raise Failure(USAGE, f"{option} {key}: there is no such array", file=path, found=", ".join(there) or "none")
        return key
    if len(there) != 1:
        hint = f"{option} names one of them" if there else ""
        raise Failure(DATA, "several arrays could be the embeddings" if there else "no embeddings", file=path, expected=expected,
                      found=", ".join(there), hint=hint)
    return next(iter(there))


def _texts(array):
    return [value.decode() if isinstance(value, bytes) else str(value) for value in np.asarray(array)]


def _metadata(path, cells=None):
    """metadata.json -> (columns: what has a value a cell, at the top or in "obs"; the rest)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Failure(DATA, f"not JSON ({error})", file=path) from None
    if not isinstance(content, dict):
        raise Failure(DATA, "not an object", file=path, expected='{"model": ..., "obs": {"COLUMN": [a value a cell]}}')
    lists = {**content, **(content["obs"] if isinstance(content.get("obs"), dict) else {})}
    if cells is None:
        cells = len(lists["cells"]) if isinstance(lists.get("cells"), list) else 0
    columns = {name: value for name, value in lists.items() if isinstance(value, list) and len(value) == cells and name != "cells"}
    return columns, {name: value for name, value in content.items() if not isinstance(value, (list, dict))}


def _check(embedding, path):
    values, cells = embedding.values, embedding.cells
    if values.ndim != 2 or not values.size:
        raise Failure(DATA, "no embeddings in it", file=embedding.source, expected="[cells, width]", found=str(list(values.shape)))
    if cells is not None and len(cells) != len(values):
        raise Failure(DATA, "another number of names than of embeddings", file=path, expected=str(len(values)), found=str(len(cells)))
    if cells is not None:
        _no_name_twice(cells, path)
    nowhere = np.isnan(values).all(1)
    if nowhere.all():
        raise Failure(DATA, "no cell has an embedding: all are NaN", file=embedding.source)
    bad = np.argwhere(~np.isfinite(values) & ~nowhere[:, None])
    if len(bad):
        row, column = bad[0]
        name = f"cell {cells[row] if cells else row}, component {column}"
        raise Failure(DATA, f"not a finite number, in {len(np.unique(bad[:, 0]))} cells", file=embedding.source, where=name,
                      found=str(values[row, column]))


def _no_name_twice(cells, path):
    repeated = pd.Index(cells)[pd.Index(cells).duplicated()]
    if len(repeated):
        raise Failure(DATA, f"two cells are called {repeated[0]}", file=path, hint="names of cells match the files: make them unique")


def match(wanted, there, by_order, path):
    """Rows of `there` that are the cells `wanted` (Embeddings), -1 where one is missing."""
    if by_order:
        if len(wanted.values) != len(there):
            raise Failure(DATA, "another number of cells", file=path, expected=str(len(wanted.values)), found=str(len(there)),
                          hint="--by-order says that rows are the same cells in the same order")
        return np.arange(len(there))
    if wanted.cells is None or there.index.dtype.kind == "i":
        raise Failure(DATA, "cells without names cannot be matched", file=wanted.source if wanted.cells is None else path,
                      expected="an array `cells` of names beside the embeddings", hint="--by-order, if rows are the same cells in the same order")
    rows = there.index.get_indexer(wanted.cells)
    if (rows < 0).all():
        raise Failure(DATA, "none of the cells is there", file=path, expected=f"names such as {wanted.cells[0]}", found=str(there.index[0]))
    return rows


def align(embedding, baseline, by_order):
    """Puts the baseline's rows in the order of `embedding`, leaving out others; Failure if it lacks one. -> what to say of it."""
    there = pd.DataFrame(index=pd.Index(baseline.cells) if baseline.cells else pd.RangeIndex(len(baseline.values)))
    rows = match(embedding, there, by_order, baseline.source)
    if (rows < 0).any():
        first = embedding.cells[np.flatnonzero(rows < 0)[0]]
        raise Failure(DATA, f"{(rows < 0).sum()} of {len(rows)} cells are not there, the first {first}", file=baseline.source,
                      hint="compare embeddings of the same cells")
    said = []
    if by_order:
        said.append("Cells of the two embeddings were matched by their order (--by-order).")
    elif len(baseline.values) > len(rows):
        said.append(f"The baseline has {len(baseline.values) - len(rows)} more cells, which were left out.")
    elif (np.diff(rows) < 0).any():
        said.append("The baseline has the cells in another order; they were matched by name.")
    baseline.keep(rows)
    return said


def without_nowhere(embedding, baseline, labels):
    """Leaves out the cells that have no embedding in one of them. -> (labels of the others, what to say of it)."""
    nowhere = np.isnan(embedding.values).all(1) | (np.isnan(baseline.values).all(1) if baseline else False)
    if not nowhere.any():
        return labels, []
    rows = np.flatnonzero(~nowhere)
    for one in (embedding, baseline):
        if one:
            one.keep(rows)
    if not len(rows):
        raise Failure(DATA, "no cell has an embedding in both", file=embedding.source)
    return None if labels is None else labels[rows], [f"{nowhere.sum()} cells have no embedding (NaN: no known gene) and were left out."]


def labels(embedding, file, column, no_label, by_order):
    """`no_label`: words that stand for none. -> (column or "", a text a cell with "" for none, what to say of it)."""
    if file:
        frame = _table(pathlib.Path(file))
        rows = match(embedding, frame, by_order, file)
        columns = frame.reset_index(drop=True).reindex(rows).reset_index(drop=True)
    else:
        columns = embedding.columns
    there = [str(name) for name in columns.columns]
    place = file or embedding.source
    if not column:
        column = next((name for name in LABELS_IF_NONE_NAMED if name in there), "")
        if not column:
            return "", None, ["No --label: quality was not judged." + (f" Columns: {', '.join(there)}." if there else "")]
    if column not in there:
        raise Failure(USAGE, f"--label {column}: there is no such column", file=place, found=", ".join(there) or "none",
                      hint="" if file else "--labels FILE reads labels from an .h5ad, a .csv or a metadata.json")
    values = columns[column]
    texts = np.array(["" if missing or str(value) in no_label else str(value) for value, missing in zip(values, values.isna(), strict=True)], dtype=object)
    if not (texts != "").any():
        raise Failure(DATA, f"no cell has a label {column}", file=place)
    missing = int((texts == "").sum())
    return column, texts, [f"{missing} cells have no {column}; quality was judged without them."] if missing else []


def _table(path):
    """A table with the names of cells as its index."""
    if not path.is_file():
        raise Failure(NO_INPUT, "no such file", file=path)
    if path.suffix == ".json":
        columns, _ = _metadata(path)
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells")
        frame = pd.DataFrame(columns, index=pd.Index(cells) if columns else None)
    elif path.suffix == ".h5ad":
        import anndata.io
        import h5py

        with h5py.File(path, "r") as file:
            frame = anndata.io.read_elem(file["obs"])
    elif path.suffix in (".csv", ".tsv"):
        try:
            frame = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index_col=0, dtype=str)
        except (ValueError, UnicodeDecodeError) as error:
            raise Failure(DATA, f"not a table with one header line ({error})", file=path) from None
        frame.index = frame.index.astype(str)
    else:
        raise Failure(DATA, "not a table of labels", file=path, expected=".csv or .tsv (first column: names of cells), .h5ad, .json")
    if not len(frame):
        raise Failure(DATA, "no cells in it", file=path, expected='"cells" and a list for each column' if path.suffix == ".json" else "a row a cell")
    _no_name_twice(frame.index, path)
    return frame
