"""Columns of a table as bytes and back, without pickle: what the child that reads a hostile file hands to its parent.

JSON with the kind of each column, then numbers as they lie in memory. Objects are written as the distinct ones, each with the
letter of its type, and where they stand. Bytes that are no such thing are a ValueError, KeyError or TypeError.
"""

import dataclasses
import datetime
import json
import struct

import numpy as np
import pandas as pd

_MASKED = {"b": pd.arrays.BooleanArray, "i": pd.arrays.IntegerArray, "u": pd.arrays.IntegerArray, "f": pd.arrays.FloatingArray}


@dataclasses.dataclass
class _Pair:
    values: np.ndarray
    other: np.ndarray
    ndim = 1

    def __len__(self):
        return len(self.values)


class Categorical(_Pair):
    """Codes and categories."""


class Masked(_Pair):
    """Values, and where they are missing."""


def encode(columns, rows):
    """`columns`: {name: numpy array, Categorical or Masked}. No pandas: it imports when it must, which the child cannot."""
    blobs = []
    described = [[name, _described(values, blobs)] for name, values in columns.items()]
    head = json.dumps({"rows": rows, "columns": described, "blobs": [len(blob) for blob in blobs]}).encode()
    return struct.pack("<Q", len(head)) + head + b"".join(blobs)


def decode(data):
    """The DataFrame."""
    (size,) = struct.unpack_from("<Q", data)
    head = json.loads(data[8 : 8 + size])
    blobs, at = [], 8 + size
    for length in head["blobs"]:
        blobs.append(data[at : at + length])
        at += length
    columns = {name: _values(description, blobs) for name, description in head["columns"]}
    return pd.DataFrame(columns, index=pd.RangeIndex(head["rows"]))


def _described(values, blobs):
    if isinstance(values, (Categorical, Masked)):
        return [type(values).__name__, _described(values.values, blobs), _described(values.other, blobs)]
    if values.dtype != object:
        blobs.append(np.ascontiguousarray(values).tobytes())
        return ["plain", values.dtype.str, len(blobs) - 1]
    known, places = {}, np.empty(len(values), np.int64)
    for row, value in enumerate(values):
        places[row] = known.setdefault(json.dumps(_tagged(value)), len(known))
    blobs.append(places.tobytes())
    return ["objects", [json.loads(text) for text in known], len(blobs) - 1]


def _values(description, blobs):
    kind, first, second = description
    if kind == "Categorical":
        return pd.Categorical.from_codes(_values(first, blobs), categories=pd.Index(list(_values(second, blobs))))
    if kind == "Masked":
        data, mask = _values(first, blobs), _values(second, blobs)
        return _MASKED[data.dtype.kind](data.copy(), mask.copy())
    if kind == "plain":
        if np.dtype(first).kind not in "biufMSU":
            raise ValueError(first)
        return np.frombuffer(blobs[second], first)
    distinct = np.empty(len(first), dtype=object)
    for place, value in enumerate(first):
        distinct[place] = _untagged(value)
    return distinct[np.frombuffer(blobs[second], np.int64)]


_TAGGED = {
    str: lambda value: ["s", value],
    bool: lambda value: ["b", value],
    int: lambda value: ["i", value],
    float: lambda value: ["f", value.hex()],
    type(None): lambda value: ["n", 0],
    bytes: lambda value: ["y", value.hex()],
    tuple: lambda value: ["t", [_tagged(part) for part in value]],
    datetime.date: lambda value: ["d", value.isoformat()],
    datetime.datetime: lambda value: ["m", value.isoformat()],
}
_UNTAGGED = {
    "s": str, "b": bool, "i": int, "f": float.fromhex, "n": lambda value: None, "y": bytes.fromhex,
    "t": lambda value: tuple(_untagged(part) for part in value),
    "d": datetime.date.fromisoformat, "m": datetime.datetime.fromisoformat,
}


def _tagged(value):
    return _TAGGED[type(value)](value)


def _untagged(value):
    kind, content = value
    return _UNTAGGED[kind](content)
