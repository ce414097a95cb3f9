"""Chunks of expression as scipy's .npz: zip, npy headers, CSR, values, names of genes."""
import io
import struct
import zipfile

import numpy as np
import scipy.sparse as sp

from place import CELLS, GENES, NAMES, NONE, catalogue, cut, flip, matrix, replace

CASES, case = catalogue()
FILE = "expression_1.npz"


def write(place, names=("indices", "indptr", "format", "shape", "data"), stored=zipfile.ZIP_STORED, **changed):
    """The first chunk anew, with some of its arrays changed; bytes stand for a whole member."""
    x = matrix(1)
    arrays = {"indices": x.indices, "indptr": x.indptr, "format": np.array(b"csr"), "shape": np.array(x.shape), "data": x.data, **changed}
    with zipfile.ZipFile(place / "npz" / FILE, "w", stored) as archive:
        for name in names:
            archive.writestr(f"{name}.npy", arrays[name] if isinstance(arrays[name], bytes) else npy(arrays[name]))
    return place.pack()


def npy(array):
    text = io.BytesIO()
    np.save(text, array, allow_pickle=True)
    return text.getvalue()


def changed(array, at, value):
    array = array.copy()
    array[at] = value
    return array


def spoilt_value(name, value, *says):
    """A value of row 3 that no expression can be."""

    @case(f"npz: {name}", 65, f"{FILE}: row 3, column 1: ", "; expected a finite value of at least 0; found ", *says)
    def spoil(place):
        x = matrix(1)
        return write(place, data=changed(x.data, x.indptr[3] + 1, value))


spoilt_value("NaN", np.nan, "not a number", "found nan")
spoilt_value("infinity", np.inf, "infinite", "found inf")
spoilt_value("a negative value", -2, "a negative value", "found -2", "hint: expression must be counts or log1p")


@case("npz: fractions where counts are promised are taken, and said", 0, f"{FILE}: raw_counts is true, but not all values are whole")
def fractional(place):
    x = matrix(1)
    counts = np.ones_like(x.data) * 40
    write(place, data=changed(counts, x.indptr[3] + 1, 2.5))
    second = matrix(2)
    second.data[:] = 40
    sp.save_npz(place / "npz/expression_2.npz", second)
    return place.pack("--set", "data.raw_counts=true")


@case("npz: a value too large for float32", 65, f"{FILE}: member data.npy, element 1: does not fit", "expected float32; found 1e+300")
def too_large(place):
    return write(place, data=changed(matrix(1).data.astype("f8"), 1, 1e300))


@case("npz: a column that no gene has", 65, f"{FILE}: row 3: a column that does not exist", f"expected 0 to {GENES - 1}; found {GENES}")
def column_beyond(place):
    x = matrix(1)
    return write(place, indices=changed(x.indices, x.indptr[4] - 1, GENES))


@case("npz: a negative column", 65, f"{FILE}: row 3: a column that does not exist", f"expected 0 to {GENES - 1}; found -1")
def column_negative(place):
    x = matrix(1)
    return write(place, indices=changed(x.indices, x.indptr[3], -1))


@case("npz: a column twice in a row", 65, f"{FILE}: row 3, column 1: the column is given twice", "hint: scipy: matrix.sum_duplicates()")
def column_twice(place):
    x = matrix(1)
    return write(place, indices=changed(x.indices, x.indptr[3], 1))


@case("npz: columns in another order are put in order", 0)
def unsorted(place):
    x = matrix(1)
    first, end = x.indptr[3], x.indptr[4]
    return write(place, indices=changed(x.indices, slice(first, end), x.indices[first:end][::-1]))


@case("npz: the other byte order is converted", 0)
def byte_order(place):
    x = matrix(1)
    return write(place, data=x.data.astype(">f4"), indptr=x.indptr.astype(">i8"), indices=x.indices.astype(">i4"))


@case("npz: indptr falls", 65, f"{FILE}: member indptr.npy, row 4: falls; expected at least ", "; found 1")
def indptr_falls(place):
    return write(place, indptr=changed(matrix(1).indptr, 5, 1))


@case("npz: indptr does not begin with 0", 65, f"{FILE}: member indptr.npy: ", "expected 0; found 1")
def indptr_first(place):
    return write(place, indptr=changed(matrix(1).indptr, 0, 1))


@case("npz: indptr says more than 2^31 entries", 65, f"{FILE}: member indptr.npy: ends elsewhere than the values", "expected 2147483649")
def indptr_huge(place):
    return write(place, indptr=changed(matrix(1).indptr.astype("i8"), -1, 2**31 + 1))


@case("npz: indptr of another length than the rows", 65, f"{FILE}: member indptr.npy: ", f"expected {CELLS + 1}", f"found {CELLS}")
def indptr_short(place):
    return write(place, indptr=matrix(1).indptr[:-1])


@case("npz: fewer columns than values", 65, f"{FILE}: member indices.npy: has another length than the values", "expected ", "; found ")
def lengths(place):
    return write(place, indices=matrix(1).indices[:-1])


@case("npz: fewer values than indptr says, deflated", 65, f"{FILE}: member ", "has another length than indptr says")
def lengths_deflated(place):
    return write(place, stored=zipfile.ZIP_DEFLATED, data=matrix(1).data[:-1])


@case("npz: a chunk without cells is taken", 0)
def no_cells(place):
    (place / "npz/preproc").rename(place / "gone")
    write(place, indptr=np.zeros(1, "i4"), indices=np.zeros(0, "i4"), data=np.zeros(0, "f4"), shape=np.array([0, GENES]))
    return place.pack(*NONE)


@case("npz: a shape that is no shape", 65, f"{FILE}: member shape.npy: ", "found ")
def shape(place):
    return write(place, shape=np.array([-1, GENES]))


@case("npz: columns instead of rows", 65, f"{FILE}: member format.npy: is a sparse matrix of another format; expected csr; found csc",
      "hint: convert it: python -c")
def csc(place):
    sp.save_npz(place / "npz" / FILE, matrix(1).tocsc())
    return place.pack()


@case("npz: a member is not there", 65, f"{FILE}: is no sparse matrix: it lacks indices.npy", "hint: scipy.sparse.save_npz")
def member_gone(place):
    return write(place, names=("indptr", "format", "shape", "data"))


@case("npz: a member twice", 65, f"{FILE}: member data.npy: is there twice", "hint: ")
def member_twice(place):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return write(place, names=("indices", "indptr", "format", "shape", "data", "data"))


@case("npz: a member of Python objects", 65, f"{FILE}: member data.npy: holds Python objects (a pickle); cellmill never executes one",
      "hint: save it with a numeric dtype")
def objects(place):
    return write(place, data=np.array([1, "x", None], dtype=object))


@case("npz: a structured array", 65, f"{FILE}: member data.npy: is a structured array", "hint: save plain columns")
def structured(place):
    return write(place, data=np.zeros(3, "i4,f4"))


@case("npz: text as values", 65, f"{FILE}: member data.npy: holds no numbers; expected float32; found '<U1'")
def text_values(place):
    return write(place, data=np.array(["x"] * matrix(1).nnz))


@case("npz: complex values", 65, f"{FILE}: member data.npy: holds no numbers; expected float32; found '<c8'")
def complex_values(place):
    return write(place, data=matrix(1).data.astype("c8"))


@case("npz: an npy header that lies about its length", 65, f"{FILE}: member data.npy: is truncated", "expected ", "; found ")
def npy_shape(place):
    return write(place, data=npy(matrix(1).data).replace(f"({matrix(1).nnz},)".encode(), b"(99,)"))


@case("npz: an npy of a later version", 65, f"{FILE}: member data.npy: has an npy format version that cellmill does not know",
      "expected 1 to 3; found 9")
def npy_version(place):
    return write(place, data=npy(matrix(1).data).replace(b"NUMPY\x01", b"NUMPY\x09"))


@case("npz: no npy at all", 65, f"{FILE}: member data.npy: is no npy array", "expected ", "found ")
def no_npy(place):
    return write(place, data=b"1.5 2.5 3.5 4.5 5.5 6.5")


@case("npz: no zip at all", 65, f"{FILE}: is not a zip archive (.npz)")
def no_zip(place):
    (place / "npz" / FILE).write_text("cell,gene\n1,2\n")
    return place.pack()


@case("npz: an empty file", 65, f"{FILE}: is not a zip archive (.npz)")
def empty(place):
    (place / "npz" / FILE).write_bytes(b"")
    return place.pack()


@case("npz: cut short", 65, f"{FILE}: ", "is truncated", "hint: copy or make the file again")
def truncated(place):
    cut(place / "npz" / FILE, 700)
    return place.pack()


@case("npz: a flipped bit in deflated values", 65, "expression_2.npz: member ", "hint: copy or make the file again")
def flipped(place):
    path = place / "npz/expression_2.npz"
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("data.npy").header_offset
    flip(path, at + 90)
    return place.pack()


@case("npz: compressed by bzip2", 65, f"{FILE}: member indices.npy: is compressed in a way that cellmill does not read",
      "expected stored or deflated (methods 0 and 8); found bzip2 (method 12)", "hint: numpy.savez_compressed")
def bzip2(place):
    return write(place, stored=zipfile.ZIP_BZIP2)


@case("npz: a member with a password", 65, f"{FILE}: member indices.npy: is encrypted", "hint: write it without a password")
def encrypted(place):
    write(place)
    replace(place / "npz" / FILE, b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    return place.pack()


@case("npz: a member name that leads out of the archive", 65, f"{FILE}: member ../../data.npy: has a name that leads out of the archive")
def zip_slip(place):
    write(place)
    with zipfile.ZipFile(place / "npz" / FILE, "a") as archive:
        archive.writestr("../../data.npy", b"x")
    return place.pack()


@case("npz: a zip bomb: more entries than the matrix has places", 65, f"{FILE}: member ", "holds more than a matrix of 12 x 8 can have", "found 80000128")
def bomb(place):
    zeros = np.zeros(20_000_000, "f4")
    return write(place, stored=zipfile.ZIP_DEFLATED, data=zeros, indices=zeros.astype("i4"))


@case("npz: sizes that deflate cannot reach", 65, f"{FILE}: member data.npy: has impossible sizes; found 131071 from ")
def impossible(place):
    write(place, stored=zipfile.ZIP_DEFLATED, data=np.ones_like(matrix(1).data))
    path = place / "npz" / FILE
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")  # the last entry of the directory: data.npy
    data[at + 24 : at + 28] = struct.pack("<I", 0x1FFFF)
    path.write_bytes(data)
    return place.pack()


@case("genes: fewer than columns", 65, f"{FILE}: shape: columns and gene names differ in number",
      f"expected {GENES - 1} columns, as npz/genes.txt names; found {GENES} columns")
def genes_fewer(place):
    (place / "npz/genes.txt").write_text("\n".join(NAMES[:-1]))
    return place.pack()


@case("genes: a name twice", 65, "gene 5: a gene is named twice", "found 'gene2', which gene 2 has too", "hint: anndata: a.var_names_make")
def genes_twice(place):
    replace(place / "npz/genes.txt", b"gene5", b"gene2")
    return place.pack()


@case("genes: not UTF-8", 65, "genes.txt: line 4: is no UTF-8", "hint: ")
def genes_latin(place):
    replace(place / "npz/genes.txt", b"gene3", b"g\xe8ne3")
    return place.pack()


@case("genes: an empty line between names", 65, "genes.txt: line 4: is empty", "hint: ")
def genes_gap(place):
    replace(place / "npz/genes.txt", b"gene3\n", b"\n")
    return place.pack()


@case("genes: no such file", 66, "npz/genes.txt: no file with the names of the genes", "hint: write one name a line")
def genes_gone(place):
    (place / "npz/genes.txt").unlink()
    return place.pack()
