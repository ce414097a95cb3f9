"""A pandas DataFrame from the inert tree of its pickle: shapes, types and lengths are checked, then numpy builds the columns. All
of that happens in a confined child; only columns as bytes come out of it."""

import datetime
import math
import re

import numpy as np

import column_bytes
import confined
from allowlist_unpickler import Node, load
from failing import DATA, Failure

_PLAIN = {str, int, float, bool, type(None)}


class Malformed(Exception):
    """What does not fit, in words."""


def read(path):
    """The DataFrame in the pickle at `path`, its row names dropped. Failure (65) if it holds anything else."""
    with open(path, "rb") as file:
        data = file.read()
    answer = confined.call(lambda: _read(data, path), len(data), path)
    try:
        return column_bytes.decode(answer)
    except (TypeError, ValueError, KeyError, IndexError) as error:  # pandas refuses codes without category and the like
        raise _failure(path, f"{type(error).__name__}: {error}") from None


def _read(data, path):
    tree = load(data, path)
    try:
        return column_bytes.encode(*_columns(tree))
    except Malformed as error:
        reason = str(error)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise _failure(path, reason)


def _failure(path, reason):
    return Failure(DATA, "not a DataFrame as pandas 1.5 to 3 pickle it; nothing was executed", file=path, found=reason,
                   hint="write it with DataFrame.to_pickle, DataFrame.to_csv or DataFrame.to_parquet")


def _columns(tree):
    """({name: values}, rows)"""
    manager = _node(tree, "DataFrame").state["_mgr"]
    blocks, (column_axis, row_axis) = _node(manager, "BlockManager").arguments
    names = [str(name) for name in _axis(column_axis)]
    rows = len(_axis(row_axis))
    columns = {}
    for block in blocks:
        values, placement, _ = _node(block, "block").arguments
        values = _values(values)
        for place, column in zip(_placement(placement, len(names)), values if values.ndim == 2 else [values], strict=True):
            if len(column) != rows:
                raise Malformed(f"column {names[place]} has {len(column)} rows, the frame {rows}")
            columns[place] = column
    if sorted(columns) != list(range(len(names))) or len(set(names)) != len(names):
        raise Malformed(f"{len(columns)} columns for the names {names}")
    return {names[place]: columns[place] for place in sorted(columns)}, rows


def _node(value, kind):
    if not isinstance(value, Node) or value.kind != kind:
        raise Malformed(f"a {_name(value)} where a {kind} belongs")
    return value


def _name(value):
    return value.kind if isinstance(value, Node) else type(value).__name__


def _axis(node):
    kind, state = _node(node, "index").arguments
    if kind.kind == "RangeIndex":
        return range(state["start"], state["stop"], state["step"])
    if kind.kind != "Index":
        raise Malformed(f"a {kind.kind} as an axis")
    return _values(state["data"])


def _placement(node, columns):
    if isinstance(node, Node) and node.kind == "slice":
        return range(columns)[slice(*node.arguments)]
    return [int(place) for place in _values(node)]


def _values(node):
    """One- or two-dimensional: a numpy array, or a pandas array made from checked numpy arrays."""
    if isinstance(node, Node):
        reader = _READERS.get(node.kind)
        if reader:
            return reader(node)
    raise Malformed(f"a {_name(node)} where values belong")


def _array(node):
    if isinstance(node.state, tuple):
        _, shape, dtype, fortran, data = node.state
        return _filled(data, _dtype(dtype), shape, "F" if fortran else "C")
    raise Malformed("an array without content")


def _filled(data, dtype, shape, order):
    if order not in ("C", "F"):
        raise Malformed(f"array order {order!r}")
    if not (type(shape) is tuple and len(shape) in (1, 2) and all(type(size) is int and size >= 0 for size in shape)):
        raise Malformed(f"array shape {shape!r}")
    count = math.prod(shape)
    if dtype.kind == "O":
        if type(data) is not list or len(data) != count:
            raise Malformed(f"object array of shape {shape} without its {count} elements")
        flat = np.empty(count, dtype=object)
        flat[:] = data if set(map(type, data)) <= _PLAIN else _elements(data)
        return flat.reshape(shape, order=order)
    data = _bytes(data)
    if len(data) != count * dtype.itemsize:
        raise Malformed(f"{len(data)} bytes for an array of shape {shape} and type {dtype}")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _elements(data):
    filled = np.empty(len(data), dtype=object)
    for place, value in enumerate(data):
        filled[place] = element(value)
    return filled


def element(value):
    """A plain value from the tree; Malformed for what is none."""
    if type(value) in _PLAIN:
        return value
    if type(value) in (list, tuple, set, frozenset):
        return tuple(element(part) for part in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value))
    if isinstance(value, type) and issubclass(value, Node) and value.kind == "NA":
        return None
    if isinstance(value, Node) and value.kind == "scalar":
        dtype, data = value.arguments
        return _filled(data, _scalar_dtype(dtype), (1,), "C")[0].item()
    if isinstance(value, Node) and value.kind == "date":
        year_high, year_low, month, day = _bytes(value.arguments[0])
        return datetime.date(year_high * 256 + year_low, month, day)
    raise Malformed(f"a {_name(value)} as a value of a column")


def _scalar_dtype(node):
    dtype = _dtype(node)
    if dtype.kind == "O":
        raise Malformed("a numpy scalar of object type")
    return dtype


def _dtype(node):
    """Numbers, booleans, fixed strings, times, and O for a list of objects; nothing structured."""
    text = _node(node, "dtype").arguments[0]
    found = re.fullmatch(r"(b1|[iu][1248]|f[248]|O8?|M8|[SU]\d{1,6})", text) if type(text) is str else None
    if not found:
        raise Malformed(f"array type {text!r}")
    order = node.state[1] if node.state else "|"
    if order not in ("<", ">", "|", "="):
        raise Malformed(f"byte order {order!r}")
    if text == "M8":
        unit, step = node.state[8][1][:2]
        unit = _bytes(unit).decode()
        if unit not in ("ns", "us", "ms", "s", "m", "h", "D") or step != 1:
            raise Malformed(f"unit of time {step} {unit}")
        text += f"[{unit}]"
    return np.dtype("O") if text[0] == "O" else np.dtype((order if order != "|" else "") + text)


def _bytes(value):
    """bytes as each protocol writes them: protocol 2 has only text and _codecs.encode(text, 'latin1')."""
    if isinstance(value, Node) and value.kind == "bytes":
        if not value.arguments:
            return b""
        value, *encoding = value.arguments
        if isinstance(value, str) and encoding in (["latin1"], ["latin-1"]):
            return value.encode("latin1")
        return _bytes(value)
    if isinstance(value, (bytes, bytearray)):
        return value
    raise Malformed(f"a {_name(value)} where bytes belong")


def _backed(node):
    """Categorical, DatetimeArray or StringArray, all pickled as a dtype and the array behind it."""
    kind, _, state = node.arguments
    dtype, values = (state or node.state)[:2]
    if getattr(dtype, "kind", "") not in ("CategoricalDtype", "dtype", "extension_dtype"):
        dtype, values = values, dtype
    values = _values(values)
    if kind.kind != "Categorical":
        return values
    return column_bytes.Categorical(values, np.asarray(_axis(_node(dtype, "CategoricalDtype").state["categories"])))


def _masked(node):
    return column_bytes.Masked(_values(node.state["_data"]), _values(node.state["_mask"]))


_ARROW_OFFSETS = {"string": "<i4", "utf8": "<i4", "large_string": "<i8", "large_utf8": "<i8"}


def _arrow_strings(node):
    """Arrow's layout: optional bits of validity, offsets [rows + 1], the text of all rows."""
    kept = node.state.get("_pa_array", node.state.get("_data"))
    ((kind, rows, _, first, buffers, _, _),) = _node(kept, "arrow_array").arguments
    offset_type = _ARROW_OFFSETS[_node(kind, "arrow_type").arguments[0]]
    validity, offsets, text = (part and bytes(_bytes(_node(part, "arrow_buffer").arguments[0])) for part in buffers)
    if rows == 0:
        return np.empty(0, dtype=object)
    bounds = np.frombuffer(offsets, offset_type)[first : first + rows + 1].tolist()
    text = text or b""
    if len(bounds) != rows + 1 or bounds != sorted(bounds) or bounds[0] < 0 or bounds[-1] > len(text):
        raise Malformed("string offsets that do not rise or leave the text")
    valid = np.ones(first + rows, bool)
    if validity is not None:
        valid = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    valid = valid[first : first + rows]
    strings = np.empty(rows, dtype=object)
    strings[:] = [text[low:high].decode() if ok else None for low, high, ok in zip(bounds[:-1], bounds[1:], valid, strict=True)]
    return strings


_READERS = {
    "array": _array,
    "buffer_array": lambda node: _filled(node.arguments[0], *(_dtype(node.arguments[1]), *node.arguments[2:])),
    "backed": _backed,
    "masked": _masked,
    "ArrowArray": _arrow_strings,
}
