"""Hostile pickles are refused by name and run nothing; genuine ones of four pandas read alike."""

import copyreg
import datetime
import os
import pathlib
import pickle
import struct

import numpy as np
import pandas as pd
import pytest

import allowlist_unpickler
import pickled_frames
from failing import Failure

DATA = pathlib.Path(__file__).parent / "data"
GENUINE = sorted(DATA.glob("pandas_*_protocol_*.pkl"))


@pytest.fixture
def refusal(tmp_path, monkeypatch):
    """The text with which bytes are refused (65); a file `pwned` afterwards fails the test."""
    monkeypatch.chdir(tmp_path)

    def refuse(data):
        path = tmp_path / "metadata.pkl"
        path.write_bytes(data)
        with pytest.raises(Failure) as caught:
            pickled_frames.read(path)
        assert caught.value.code == 65
        assert "nothing was executed" in str(caught.value) or "not a pickle of protocol" in str(caught.value)
        assert str(path) in str(caught.value)
        assert not (tmp_path / "pwned").exists()
        return str(caught.value)

    return refuse


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def text(value):
    """SHORT_BINUNICODE"""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def called(module, name, *arguments):
    """A protocol 4 stream that looks up module.name by STACK_GLOBAL and calls it with strings."""
    return b"\x80\x04" + text(module) + text(name) + b"\x93(" + b"".join(map(text, arguments)) + b"tR."


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("call", [Calls(os.system, "touch pwned"), Calls(eval, "open('pwned', 'w')"), Calls(exec, "1"),
                                  Calls(getattr, "x", "upper"),
                                  Calls(__import__, "os"), Calls(print, "x")], ids=lambda call: call.call[0].__name__)
def test_a_call_is_refused_by_name_and_place(refusal, protocol, call):
    data = pickle.dumps(call, protocol)
    said = refusal(data)
    assert f".{call.call[0].__name__} at byte " in said and "is not on the allow list; nothing was executed" in said
    place = int(said.split("at byte ")[1].split()[0])
    assert data[place : place + 1] in (b"c", b"\x93"), "the byte of GLOBAL or STACK_GLOBAL"


def test_the_place_is_that_of_the_refused_global_not_of_an_allowed_one_before_it(refusal):
    data = b"\x80\x02cnumpy\ndtype\n0cnumpy\nndarray\n0cos\nsystem\n."
    assert f"global os.system at byte {data.index(b'cos')} " in refusal(data)


@pytest.mark.parametrize("nest", [lambda x: [[x]], lambda x: {"a": (1, {"b": x})}, lambda x: np.array([x, None], dtype=object),
                                  lambda x: pd.DataFrame({"a": ["x", x]}), lambda x: pd.Series([x])],
                         ids=["list", "dict", "array", "DataFrame", "Series"])
def test_a_nested_call_is_refused(refusal, nest):
    assert "nothing was executed" in refusal(pickle.dumps(nest(Calls(os.system, "touch pwned"))))


@pytest.mark.parametrize("name", [("os", "system"), ("os", "path.join"), ("pandas", "DataFrame.__init__.__globals__"), ("pandas", "eval"),
                                  ("pandas", "read_pickle"), ("pandas.core.frame", "DataFrame.to_pickle"), ("pandas.DataFrame", ""),
                                  ("numpy", "load"), ("numpy.core.multiarray", "fromfile"), ("numpy._core.multiarray", "_reconstruct "),
                                  ("builtins", "slice.__class__"), ("builtins", "bytearray.fromhex"), ("builtins", "getattr"),
                                  ("", ""), ("pandas\x00", "DataFrame"), ("PANDAS", "DataFrame"), ("datetime", "date.today"),
                                  ("_codecs", "decode"), ("copyreg", "_reconstructor"), ("numpy.testing._private.utils", "runstring"),
                                  ("pyarrow.lib", "memory_map"), ("functools", "partial"), ("operator", "attrgetter")],
                         ids=lambda name: ".".join(name).replace("\x00", "0"))
def test_only_exact_pairs_are_allowed(refusal, name):
    assert f"global {name[0]}.{name[1]} at byte" in refusal(called(*name, "x"))


def test_a_stack_global_of_anything_but_strings_is_refused(refusal):
    refusal(b"\x80\x04K\x01K\x02\x93.")
    refusal(b"\x80\x04" + text("os") + b"N\x93.")


def test_a_refused_global_by_inst_and_obj(refusal):
    assert "global os.system at byte 3" in refusal(b"\x80\x02(ios\nsystem\n.")
    assert "global os.system at byte 3" in refusal(b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00xo.")


def test_extension_codes_are_refused_registered_or_not_cached_or_not(refusal):
    assert "extension code 7" in refusal(b"\x80\x02\x82\x07.")
    copyreg.add_extension("os", "system", 7)
    try:
        copyreg._extension_cache[7] = os.system
        assert "global os.system at byte 2" in refusal(b"\x80\x02\x82\x07X\x04\x00\x00\x00true\x85R.")
        assert "global os.system at byte 2" in refusal(b"\x80\x02\x83\x07\x00.")
        assert "global os.system at byte 2" in refusal(b"\x80\x02\x84\x07\x00\x00\x00.")
    finally:
        copyreg.remove_extension("os", "system", 7)


def test_persistent_ids_are_refused(refusal):
    assert "persistent id 'thing' at byte 2" in refusal(b"\x80\x02Pthing\n.")
    assert "persistent id 1 at byte 4" in refusal(b"\x80\x02K\x01Q.")


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x06.", b"cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04", b"\x1f\x8b\x08"])
def test_what_is_no_pickle_of_protocol_2_to_5_is_refused(refusal, data):
    assert "byte 0: not a pickle of protocol 2 to 5" in refusal(data)


def test_truncation_at_every_byte_is_an_error(refusal):
    data = GENUINE[0].read_bytes()
    for length in range(2, len(data) - 1, 37):
        refusal(data[:length])


def test_every_damaged_byte_is_an_error_or_a_frame(tmp_path):
    data = bytearray((DATA / "pandas_2_2_protocol_5.pkl").read_bytes())
    path = tmp_path / "metadata.pkl"
    random = np.random.default_rng(5)
    for place in range(2, len(data), 11):
        damaged = bytearray(data)
        damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            assert isinstance(pickled_frames.read(path), pd.DataFrame)
        except Failure as failure:
            assert failure.code == 65


def array_with(content, dtype="O8", shape=(1,)):
    """An inert array Node as a pickle of one would build it."""
    kinds = {kind.kind: kind for kind in allowlist_unpickler.ALLOWED.values()}
    typed = kinds["dtype"](dtype, False, True)
    typed.__setstate__((3, "|", None, None, None, -1, -1, 63))
    array = kinds["array"](kinds["ndarray"], (0,), b"b")
    array.__setstate__((1, shape, typed, False, content))
    return kinds, typed, array


@pytest.mark.parametrize("element", ["scalar", "callable", "array", "self"])
def test_odd_elements_of_object_arrays_are_refused(element):
    kinds, object_type, array = array_with([None])
    content = {"scalar": kinds["scalar"](object_type, b"x"), "callable": kinds["slice"], "array": kinds["array"](), "self": array}
    array.state[4][0] = content[element]
    with pytest.raises(pickled_frames.Malformed, match="as a value of a column|numpy scalar of object type"):
        pickled_frames._values(array)


@pytest.mark.parametrize(("dtype", "shape", "content", "said"), [
    ("O8", (2,), ["x"], "without its 2 elements"),
    ("i8", (1 << 40,), b"12345678", "8 bytes for an array"),
    ("i8", (-1,), b"", "array shape"),
    ("i8", (2, 2, 2), b"", "array shape"),
    ("V8", (1,), b"12345678", "array type 'V8'"),
    ("i4,O", (1,), b"12345678", "array type 'i4,O'"),
    ("i8", (1,), ["x"], "a list where bytes belong"),
])
def test_arrays_that_lie_about_themselves_are_refused(dtype, shape, content, said):
    with pytest.raises(pickled_frames.Malformed, match=said):
        pickled_frames._values(array_with(content, dtype, shape)[2])


def test_an_object_scalar_with_a_pickle_inside_is_not_opened(refusal):
    inner = pickle.dumps(Calls(os.system, "touch pwned"))
    data = (b"\x80\x04" + text("numpy.core.multiarray") + text("scalar") + b"\x93" + text("numpy") + text("dtype") + b"\x93"
            + text("O8") + b"\x89\x88\x87R" + b"B" + struct.pack("<I", len(inner)) + inner + b"\x86R.")
    assert "a scalar where a DataFrame belongs" in refusal(data)


def test_states_cannot_alter_the_nodes(refusal):
    for slot in ("kind", "__class__", "__setstate__"):
        refusal(b"\x80\x04" + text("builtins") + text("slice") + b"\x93N}" + text(slot) + text("x") + b"s\x86b.")
    assert all(node.kind and "__dict__" not in dir(node()) for node in allowlist_unpickler.ALLOWED.values())


@pytest.mark.parametrize("value", [[1, 2], {"a": [1]}, "text", pd.Series(["x"]), None], ids=["list", "dict", "str", "Series", "None"])
def test_what_is_no_frame_is_refused(refusal, value):
    assert "DataFrame" in refusal(pickle.dumps(value))


@pytest.mark.parametrize("path", GENUINE, ids=lambda path: path.stem)
def test_genuine_pickles_read_alike(path):
    frame = pickled_frames.read(path)
    columns = {name: [None if pd.isna(v) is True else v for v in frame[name].tolist()] for name in frame}
    assert columns["cell_type"] == ["beta", " alpha ", None, "beta", ""]
    assert columns["tissue"] == ["lung", None, "blood", "lung", "lung"]
    assert columns["stage"] == ["late", "early", "late", None, "mid"]
    assert columns["batch"] == [2, 1, 2, 2, 1]
    assert columns["is_primary"] == [True, False, True, True, False]
    assert columns["checked"] == [True, None, False, True, None]
    assert columns["nnz"] == [5, 4, 3, 2, 1]
    assert columns["small"] == [1, 2, 3, 4, 5]
    assert columns["raw_sum"] == [1.5, None, 2.5, 3.5, 4.5]
    assert columns["score"] == [0.5, 1.5, None, 2.5, 3.5]
    assert columns["count"] == [7, None, 9, 9, 9]
    assert columns["donor"] == ["d1", "d2", None, "d1", "ü"]
    assert columns["sampled"] == [pd.Timestamp("2024-07-01"), None, pd.Timestamp("2025-01-30"), *[pd.Timestamp("2025-11-08")] * 2]
    assert columns["diseases"] == [("a", "b"), ("c",), None, ("a",), ("a", "b")]
    assert columns["mixed"] == ["x", 1, 2.5, True, 4.0]
    assert columns["day"] == [datetime.date(2024, 7, 1), None, None, None, None]
    assert columns.get("suspension", []) in ([], ["cell", None, "nucleus", "cell", ""])


def test_the_fixtures_are_of_four_pandas_and_four_protocols():
    assert len(GENUINE) == 16 and len({path.stem.rsplit("_", 1)[0] for path in GENUINE}) == 4


@pytest.mark.parametrize("path", sorted(DATA.glob("*_named_index.pkl")), ids=lambda path: path.stem)
def test_row_names_are_dropped(path):
    frame = pickled_frames.read(path)
    assert list(frame.columns) == ["cell_type", "tissue"] and frame.index.tolist() == [0, 1, 2, 3, 4]


def test_real_chunks_read_as_pandas_reads_them(shared_data):
    paths = sorted(shared_data.glob("*_chunks/*.pkl"))
    assert len(paths) == 8
    for path in paths:
        pd.testing.assert_frame_equal(pickled_frames.read(path), pd.read_pickle(path).reset_index(drop=True))
