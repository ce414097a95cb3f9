"""Writes tests/data/io: small files by numpy, scipy, h5py, anndata-like layouts and safetensors that tests/unit/io reads.
Their values are those that the tests assert. Run it again only to add a file: python tests/data/make_io_fixtures.py"""
import pathlib

import h5py
import numpy as np
import scipy.sparse as sp

OUT = pathlib.Path(__file__).parent / "io"
OUT.mkdir(exist_ok=True)


def matrix(dtype):
    """5 x 7, value 10 * row + column + 1 where (row + 2 * column) % 3 == 0, row 3 empty."""
    dense = np.array([[10 * r + c + 1 if (r + 2 * c) % 3 == 0 and r != 3 else 0 for c in range(7)] for r in range(5)])
    return sp.csr_matrix(dense.astype(dtype))


def write_hdf5():
    with h5py.File(OUT / "h5py.h5", "w") as f:
        numbers = f.create_group("numbers")
        for dtype in ("i1", "u1", "u2", "i4", "u4", "i8", "f2", "f4", "f8"):
            numbers[dtype] = np.array([1, 2, 3], dtype=dtype)
        numbers["big"] = np.array([1, 2**40], dtype="i8")
        numbers["fraction"] = np.array([0.5])
        numbers["not_a_number"] = np.array([np.nan, np.inf], dtype="f8")
        numbers["bool"] = np.array([True, False, True])
        numbers["scalar"] = np.float64(2.5)
        numbers["empty"] = np.zeros(0, dtype="f4")
        numbers.create_dataset("table", data=np.arange(600, dtype="f4").reshape(200, 3), chunks=(16, 2), compression="gzip")
        text = f.create_group("text")
        text.create_dataset("variable", data=["alpha", "β cell", ""], dtype=h5py.string_dtype())
        text["ascii"] = np.array([b"one", b"three"], dtype="S5")
        text["fixed_utf8"] = np.array(["né".encode(), b"x"], dtype=h5py.string_dtype("utf-8", 4))
        text["scalar"] = "just one"
        f.attrs["encoding-type"] = "anndata"
        f.attrs["bytes"] = np.bytes_("fixed")
        f.attrs["shape"] = np.array([5, 7])
        f.attrs["ordered"] = True
        f.attrs["count"] = np.int32(-3)
        f.attrs["names"] = ["a", "bc"]
        f.attrs["nothing"] = np.zeros(0)
        f["soft"] = h5py.SoftLink("/nowhere")


if __name__ == "__main__":
    write_hdf5()
    print(sum(p.stat().st_size for p in OUT.iterdir()), "bytes")
