"""Writes tests/data/io: small files by numpy, scipy, h5py, anndata-like layouts and safetensors that tests/unit/io reads.
Their values are those that the tests assert. Run it again only to add a file: python tests/data/make_io_fixtures.py"""
import pathlib
import zipfile

import h5py
import numpy as np
import scipy.sparse as sp
from safetensors.numpy import save_file

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


def write_npz():
    sp.save_npz(OUT / "f4.npz", matrix("f4"))
    sp.save_npz(OUT / "f8_stored.npz", matrix("f8"), compressed=False)
    sp.save_npz(OUT / "i4_array.npz", sp.csr_array(matrix("i4")))
    wide = matrix("u2")
    np.savez_compressed(
        OUT / "wide.npz", indices=wide.indices.astype("i8"), indptr=wide.indptr.astype(">i8"), format="csr", shape=wide.shape, data=wide.data
    )
    sp.save_npz(OUT / "csc.npz", matrix("f4").tocsc())
    sp.save_npz(OUT / "coo.npz", matrix("f4").tocoo())
    dense = {code: np.array([1, 2, 100]).astype(code) for code in ("b1", "i1", "i2", "u4", "u8", ">f4", "f2", "f8")}
    np.savez(
        OUT / "dense.npz",
        **dense,
        bytes=np.array([b"one", b"three"]),
        text=np.array(["né", "β cell", ""]),
        big=np.array([1, 2**40]),
        huge=np.array([2**63], dtype="u8"),
        half=np.array([0.5, np.inf, -6e-8], dtype="f2"),
        beyond=np.array([1e300]),
        fortran=np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)),
        scalar=np.float32(7),
        when=np.array(["2024-07-01"], dtype="M8[D]"),
        complex=np.array([1j]),
        struct=np.zeros(1, dtype=[("a", "i4"), ("b", "f4")]),
    )
    np.savez(OUT / "pickled.npz", labels=np.array(["beta", None], dtype=object))
    values = matrix("f4").data
    bad = {"nan": (8, np.nan), "infinite": (2, np.inf)}
    for name, (at, value) in bad.items():
        data = values.copy()
        data[at] = value
        sp.save_npz(OUT / f"{name}.npz", sp.csr_matrix((data, matrix("f4").indices, matrix("f4").indptr), shape=(5, 7)))
    with zipfile.ZipFile(OUT / "bzip2.npz", "w", zipfile.ZIP_BZIP2) as z:
        z.writestr(zipfile.ZipInfo("data.npy"), b"0" * 100, zipfile.ZIP_BZIP2)


def write_safetensors():
    save_file(
        {
            "weight": np.arange(6, dtype="f4").reshape(2, 3),
            "half": np.array([0.5], dtype="f2"),
            "count": np.array(7, dtype="i8"),
            "flags": np.array([True, False, True]),
            "none": np.zeros((0, 4), dtype="f8"),
        },
        OUT / "a.safetensors",
        metadata={"format": "np", "note": "β"},
    )


if __name__ == "__main__":
    write_hdf5()
    write_npz()
    write_safetensors()
    print(sum(p.stat().st_size for p in OUT.iterdir()), "bytes")
