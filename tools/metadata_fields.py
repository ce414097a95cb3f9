"""What a metadata field is, gathered file by file: its kind, its categories, its figures.

A value is text (strings stripped, "" missing; a multi-valued entry is its parts joined by " || ", as the CELLxGENE census writes
them), a number, or a time. Memory: one entry for each distinct value of a field.
"""

import datetime

import numpy as np
import pandas as pd

CODED = ("boolean", "categorical", "categorical_multi")
MISSING = object()


class Field:
    def __init__(self):
        self.rows = 0
        self.texts = {}  # distinct text -> rows
        self.multi = 0  # rows whose text was multi-valued
        self.numbers = _Tally(np.float64)
        self.times = _Tally(np.int64)  # nanoseconds since 1970
        self.number_types = set()  # of "b", "i", "f"
        self.declared = False  # a categorical column holds numbers

    def add(self, column):
        """Counts one file's column."""
        self.rows += len(column)
        self.declared |= isinstance(column.dtype, pd.CategoricalDtype)
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
            values, counts = np.unique(column.dropna().to_numpy(), return_counts=True)
            self.number_types |= {"f" if column.dtype.kind == "f" else "i"} if len(values) else set()
            self.numbers.add(values, counts)
            return
        codes, values = factorize(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(values)).tolist()
        numbers, times = [], []
        for value, count in zip(values, counts, strict=True):
            value, multi = normalise(value)
            if value is MISSING or not count:
                continue
            if isinstance(value, str):
                self.texts[value] = self.texts.get(value, 0) + count
                self.multi += count * multi
            elif isinstance(value, datetime.datetime):
                times.append((pd.Timestamp(value).value, count))
            else:
                self.number_types.add({bool: "b", int: "i", float: "f"}[type(value)])
                numbers.append((value, count))
        for tally, pairs in ((self.numbers, numbers), (self.times, times)):
            if pairs:
                tally.add(*zip(*pairs, strict=True))

    @property
    def present(self):
        return sum(self.texts.values()) + self.numbers.rows + self.times.rows

    def kind(self):
        if not self.present:
            return "empty"
        if self.times.rows == self.present:
            return "datetime"
        if self.numbers.rows == self.present:
            if set(self.numbers.values) <= {0, 1}:
                return "boolean"
            if not self.declared:
                return "numeric"
        return "categorical_multi" if self.multi > 0.5 * self.present else "categorical"

    def vocabulary(self):
        """Text of each category -> its code, sorted by text; empty for what has no categories."""
        if self.kind() not in CODED:
            return {}
        texts = {*self.texts, *map(self.text, self.numbers.values.tolist()), *map(_time_text, self.times.values.tolist())}
        return {text: code for code, text in enumerate(sorted(texts))}

    def text(self, value):
        """How a value stands in the vocabulary; one number has one text, whichever type a file gave it."""
        if isinstance(value, str):
            return value
        if isinstance(value, datetime.datetime):
            return _time_text(pd.Timestamp(value).value)
        if "b" in self.number_types and value in (0, 1):
            return str(bool(value))
        return str(int(value)) if "i" in self.number_types and float(value).is_integer() else str(float(value))

    def codes(self, column, vocabulary):
        """int32 code of every row, -1 = missing. KeyError for a value that the vocabulary lacks."""
        codes, values = factorize(column)
        used = np.zeros(len(values) + 1, bool)
        used[codes] = True
        table = np.full(len(values) + 1, -1, np.int32)  # its last entry serves code -1
        for place, value in enumerate(values):
            value, _ = normalise(value)
            if used[place] and value is not MISSING:
                table[place] = vocabulary[self.text(value)]
        return table[codes]

    def specification(self, using):
        """The field's entry in metadata_field_specs.json."""
        kind = self.kind()
        cardinality = len(self.vocabulary()) or len(self.numbers.values) + len(self.times.values)
        entry = {
            "cardinality": cardinality,
            "using": using,
            "non_null_fraction": round(self.present / self.rows, 6) if self.rows else 0.0,
            "non_null_count": self.present,
            "null_count": self.rows - self.present,
            "total_count": self.rows,
            "kind": kind,
        }
        if kind == "numeric":
            entry["numeric_summary"] = self.numbers.summary()
        return entry


class _Tally:
    """Distinct numbers, sorted, and how many rows have each."""

    def __init__(self, dtype):
        self.values = np.empty(0, dtype)
        self.counts = np.empty(0, np.int64)

    @property
    def rows(self):
        return int(self.counts.sum())

    def add(self, values, counts):
        values = np.concatenate([self.values, np.asarray(values, self.values.dtype)])
        self.values, places = np.unique(values, return_inverse=True)
        self.counts = np.bincount(places, np.concatenate([self.counts, counts]), len(self.values)).astype(np.int64)

    def summary(self):
        mean = np.average(self.values, weights=self.counts)
        ends = np.cumsum(self.counts)
        low, high = (np.searchsorted(ends, place, side="right") for place in ((self.rows - 1) // 2, self.rows // 2))
        figures = {
            "min": self.values[0],
            "max": self.values[-1],
            "mean": mean,
            "std": np.sqrt(np.average((self.values - mean) ** 2, weights=self.counts)),
            "p50": (self.values[low] + self.values[high]) / 2,
        }
        return {name: float(figure) if np.isfinite(figure) else None for name, figure in figures.items()}


def factorize(column):
    """Code of every row (-1 = null) and the distinct values as Python objects."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(np.int64), column.cat.categories.tolist()
    if column.dtype == object:
        column = column.map(_hashable)
    codes, values = pd.factorize(column)
    return codes, values.tolist()


def _hashable(value):
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple(str(part).strip() for part in value)
    return tuple(sorted(str(part).strip() for part in value)) if isinstance(value, (set, frozenset)) else value


def normalise(value):
    """(value, was it multi-valued): str, bool, int, float, a time, or MISSING."""
    if isinstance(value, tuple):
        return " || ".join(map(str, value)) or MISSING, True
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return MISSING, False
    if isinstance(value, (bool, int, float, datetime.datetime)):
        return value, False
    return str(value).strip() or MISSING, False


def _time_text(nanoseconds):
    return pd.Timestamp(nanoseconds).isoformat()
