"""Opens a pickle without running anything that it names.

Every global of ALLOWED stands for a class of inert Nodes, which keep the arguments and the state that the pickle gives them
and do nothing else; any other global, persistent id or extension code is refused by name. What comes back is a tree of Nodes
and plain values, for pickled_frames.py to read. The list is what DataFrames of pandas 1.5 to 3 need in protocols 2 to 5, pair
by pair: no prefix or pattern is ever matched, and no allowed name leads to the real object.
"""

import copyreg
import io
import pickle
import pickletools

from failing import DATA, Failure


class Node:
    """Something that a pickle asked for: `kind` (class attribute), positional `arguments`, `state`; never called or altered."""

    __slots__ = ("arguments", "state")
    kind = ""

    def __new__(cls, *arguments):
        node = object.__new__(cls)
        node.arguments, node.state = arguments, None
        return node

    def __setstate__(self, state):
        self.state = state


_KINDS = {
    "DataFrame": "pandas.DataFrame pandas.core.frame.DataFrame",
    "BlockManager": "pandas.core.internals.managers.BlockManager",
    "block": "pandas._libs.internals._unpickle_block",
    "index": "pandas.core.indexes.base._new_Index",
    "Index": "pandas.Index pandas.core.indexes.base.Index pandas.core.indexes.numeric.Int64Index"
    " pandas.core.indexes.numeric.UInt64Index pandas.core.indexes.numeric.Float64Index",
    "RangeIndex": "pandas.RangeIndex pandas.core.indexes.range.RangeIndex",
    "slice": "builtins.slice __builtin__.slice",
    "bytes": "_codecs.encode builtins.bytearray __builtin__.bytearray",
    "ndarray": "numpy.ndarray",
    "dtype": "numpy.dtype",
    "array": "numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct",
    "buffer_array": "numpy.core.numeric._frombuffer numpy._core.numeric._frombuffer",
    "scalar": "numpy.core.multiarray.scalar numpy._core.multiarray.scalar",
    "NA": "pandas.NA pandas._libs.missing.NA",
    "date": "datetime.date",
    "backed": "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
    "Categorical": "pandas.Categorical pandas.core.arrays.categorical.Categorical",
    "CategoricalDtype": "pandas.CategoricalDtype pandas.core.dtypes.dtypes.CategoricalDtype",
    "DatetimeArray": "pandas.arrays.DatetimeArray pandas.core.arrays.datetimes.DatetimeArray",
    "StringArray": "pandas.arrays.StringArray pandas.core.arrays.string_.StringArray"
    " pandas.core.arrays.string_.StringArrayNumpySemantics",
    "ArrowArray": "pandas.arrays.ArrowStringArray pandas.core.arrays.string_arrow.ArrowStringArray"
    " pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics",
    "masked": "pandas.arrays.BooleanArray pandas.core.arrays.boolean.BooleanArray pandas.arrays.IntegerArray"
    " pandas.core.arrays.integer.IntegerArray pandas.arrays.FloatingArray pandas.core.arrays.floating.FloatingArray",
    "extension_dtype": "pandas.StringDtype pandas.core.arrays.string_.StringDtype"
    " pandas.BooleanDtype pandas.core.arrays.boolean.BooleanDtype"
    + "".join(
        f" pandas.{name}Dtype pandas.core.arrays.{module}.{name}Dtype"
        for name, module in [(f"{sign}{bits}", "integer") for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)]
        + [(f"Float{bits}", "floating") for bits in (32, 64)]
    ),
    "arrow_array": "pyarrow.lib._restore_array",
    "arrow_type": "pyarrow.lib.type_for_alias",
    "arrow_buffer": "pyarrow.lib.py_buffer",
}
ALLOWED = {
    tuple(name.rsplit(".", 1)): type(kind, (Node,), {"__slots__": (), "kind": kind})
    for kind, names in _KINDS.items()
    for name in names.split()
}


class _Unpickler(pickle.Unpickler):
    refused = None

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.globals_met = 0

    def find_class(self, module, name):
        self.globals_met += 1
        node = ALLOWED.get((module, name))
        if node is None:
            self.refused = f"global {module}.{name}"
            raise pickle.UnpicklingError(self.refused)
        return node

    def persistent_load(self, identity):
        self.refused = f"persistent id {identity!r:.60}"
        raise pickle.UnpicklingError(self.refused)


_HINT = "a metadata pickle is what DataFrame.to_pickle (pandas 1.5 to 3) writes; .csv, .parquet and .h5ad are read too"


def load(data, path, hint=_HINT):
    """The tree of Nodes and plain values in the pickle `data`, of the file `path`; Failure (65), with `hint`, for all that is refused or
    malformed, MemoryError for what needs too much. Call it confined (confined.py): the C unpickler is no sandbox."""
    if data[:1] != b"\x80" or data[1:2] not in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise Failure(DATA, "not a pickle of protocol 2 to 5", file=path, where="byte 0", found=f"{data[:4]!r}",
                      expected="b'\\x80' and the protocol's number", hint=hint)
    copyreg._extension_cache.clear()  # a cached extension code would get past find_class
    unpickler = _Unpickler(data)
    try:
        return unpickler.load()
    except (Failure, MemoryError):
        raise
    except Exception as error:  # whatever a broken or hostile stream provokes in the C unpickler
        if unpickler.refused or "extension code" in str(error):
            what = unpickler.refused or str(error)
            raise Failure(DATA, f"{what} at byte {_place(data, unpickler)} is not on the allow list; nothing was executed",
                          file=path, hint=hint) from None
        raise Failure(DATA, f"not a readable pickle ({type(error).__name__}: {error}); nothing was executed", file=path,
                      hint=hint) from None


_GLOBAL = ("GLOBAL", "STACK_GLOBAL", "INST")
_OTHER = ("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4")


def _place(data, unpickler):
    """Where the opcode stands that was refused: opcodes run in the order of the bytes, so the n-th global is the n-th here."""
    met = 0
    position = 0
    try:
        for opcode, _, position in pickletools.genops(data):
            met += opcode.name in _GLOBAL
            if opcode.name in _OTHER or (met == unpickler.globals_met and opcode.name in _GLOBAL
                                         and (unpickler.refused or "").startswith("global")):
                break
    except ValueError:
        pass
    return position
