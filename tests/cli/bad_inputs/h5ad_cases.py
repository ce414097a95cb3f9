"""AnnData files: matrix, layout, columns of obs, names of genes."""
import h5py
import numpy as np

from place import CELLS, FIELDS, GENES, catalogue, cut

CASES, case = catalogue()
FILE, ROWS = "cells.h5ad", 2 * CELLS


def opened(place):
    return h5py.File(place / FILE, "r+")


def packed(place, *settings):
    return place.pack(*(settings or FIELDS), data=FILE)


def rewrite(file, name, values, **options):
    """A dataset anew, with its attributes."""
    attributes = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, data=values, **options).attrs.update(attributes)


def spoilt_value(name, value, *says):
    @case(f"h5ad: {name}", 65, f"{FILE}: /X: row 15, column 1: ", "; expected a finite value of at least 0; found ", *says)
    def spoil(place):
        with opened(place) as file:
            file["X/data"][file["X/indptr"][15] + 1] = value
        return packed(place)


spoilt_value("NaN", np.nan, "not a number")
spoilt_value("a negative value", -1.5, "a negative value", "hint: expression must be counts or log1p")


@case("h5ad: a column that no gene has", 65, f"{FILE}: /X: row 15: a column that does not exist", f"expected 0 to {GENES - 1}; found 99")
def column_beyond(place):
    with opened(place) as file:
        file["X/indices"][file["X/indptr"][16] - 1] = 99
    return packed(place)


@case("h5ad: indptr falls", 65, f"{FILE}: /X: row 4: indptr falls; expected at least ", "; found 1")
def indptr_falls(place):
    with opened(place) as file:
        file["X/indptr"][5] = 1
    return packed(place)


@case("h5ad: indptr leads out of the entries", 65, f"{FILE}: /X/indptr, rows ", "indptr points outside of the entries", "expected rising")
def indptr_beyond(place):
    with opened(place) as file:
        rewrite(file, "X/indptr", file["X/indptr"][:].astype("i8") + np.where(np.arange(ROWS + 1) > 15, 2**33, 0))
    return packed(place)


@case("h5ad: indptr of another length than the rows", 65, f"{FILE}: /X/indptr: another length than the rows ask for",
      f"expected one more than {ROWS} rows; found {ROWS}")
def indptr_short(place):
    with opened(place) as file:
        rewrite(file, "X/indptr", file["X/indptr"][:-1])
    return packed(place)


@case("h5ad: fewer values than columns", 65, f"{FILE}: /X/data: another length than the columns; expected ", "; found ")
def lengths(place):
    with opened(place) as file:
        rewrite(file, "X/data", file["X/data"][:-3])
    return packed(place)


@case("h5ad: a shape of one number", 65, f"{FILE}: /X: not a matrix; expected cells x genes; found 1 dimensions")
def one_dimension(place):
    with opened(place) as file:
        file["X"].attrs["shape"] = np.array([ROWS])
    return packed(place)


@case("h5ad: a negative shape", 65, f"{FILE}: /X: not the shape of a matrix", f"found {ROWS} x -{GENES}")
def negative_shape(place):
    with opened(place) as file:
        file["X"].attrs["shape"] = np.array([ROWS, -GENES])
    return packed(place)


@case("h5ad: columns instead of rows", 65, f"{FILE}: /X: rows of this matrix cannot be read alone",
      "expected csr_matrix or a dense array; found csc_matrix", "hint: write it anew: python -c")
def csc(place):
    with opened(place) as file:
        file["X"].attrs["encoding-type"] = "csc_matrix"
    return packed(place)


@case("h5ad: text as values", 65, f"{FILE}: /X/data: holds no numbers; expected float32; found text")
def text_values(place):
    with opened(place) as file:
        rewrite(file, "X/data", ["x"] * len(file["X/data"]), dtype=h5py.string_dtype())
    return packed(place)


@case("h5ad: no such layer", 65, f"{FILE}: /layers/cuonts: no such matrix", "hint: ")
def layer(place):
    return packed(place, *FIELDS, "--set", "data.layer=cuonts")


@case("h5ad: fewer gene names than columns", 65, f"{FILE}: /var: columns and gene names differ in number",
      f"expected {GENES} names, as /X has columns; found {GENES - 1}")
def genes_fewer(place):
    with opened(place) as file:
        rewrite(file, "var/_index", file["var/_index"][:-1], dtype=h5py.string_dtype())
    return packed(place)


@case("h5ad: gene names that are no UTF-8", 65, f"{FILE}: /var/_index, element 3: is no UTF-8", "found byte 0xe8 at 1", "hint: ")
def genes_latin(place):
    with opened(place) as file:
        names = [name.encode("latin-1") for name in file["var/_index"].asstr()[:]]
        names[3] = b"g\xe8ne3"
        rewrite(file, "var/_index", names, dtype=h5py.string_dtype())
    return packed(place)


@case("h5ad: no fields named", 65, f"{FILE}: /obs: no conditioning fields named", "hint: set `fields` to some of: cell_type, sex")
def no_fields(place):
    return packed(place, "--set", "data.fields=[]")


@case("h5ad: no such column of obs", 65, f"{FILE}: /obs: no column 'cell_typ'", "hint: did you mean cell_type?")
def no_column(place):
    return packed(place, "--set", "data.fields=[cell_typ]")


@case("h5ad: a column of numbers", 65, f"{FILE}: /obs/score: a column without categories",
      "expected a categorical, text or truth values; found numbers", "hint: columns with categories: cell_type, sex")
def numeric_column(place):
    with opened(place) as file:
        file["obs/score"] = np.linspace(0, 1, ROWS)
    return packed(place, "--set", "data.fields=[score]")


@case("h5ad: a code without a category", 65, f"{FILE}: /obs/cell_type/codes, row 7: a code without a category", "expected -1 to 2; found 9")
def code(place):
    with opened(place) as file:
        file["obs/cell_type/codes"][7] = 9
    return packed(place)


@case("h5ad: fewer labels than cells", 65, f"{FILE}: /obs/cell_type: labels and expression differ in length",
      f"expected {ROWS} rows, as /X has; found {ROWS - 2}")
def labels_fewer(place):
    with opened(place) as file:
        rewrite(file, "obs/cell_type/codes", file["obs/cell_type/codes"][:-2])
    return packed(place)


@case("h5ad: all labels are missing", 65, f"{FILE}: /obs/cell_type: all values are missing", "expected at least one category; found none")
def all_missing(place):
    with opened(place) as file:
        rewrite(file, "obs/cell_type/categories", ["", "nan", "NaN"], dtype=h5py.string_dtype())
    return packed(place)


@case("h5ad: no table of cells", 65, f"{FILE}: /obs: no table of cells", "expected a group, as anndata 0.7 and newer write it", "hint: ")
def no_obs(place):
    with opened(place) as file:
        del file["obs"]
    return packed(place)


@case("h5ad: no HDF5 at all", 65, f"{FILE}: is not an HDF5 file", "hint: expected .h5 or .h5ad; was it copied whole?")
def no_hdf5(place):
    (place / FILE).write_text("cell,gene\n")
    return packed(place)


@case("h5ad: cut short", 65, f"{FILE}: cannot open as HDF5", "truncated file")
def truncated(place):
    cut(place / FILE, 5000)
    return packed(place)


@case("h5ad: a dense matrix with an infinite value", 65, f"{FILE}: /X: row 2, column 3: infinite", "found inf")
def dense(place):
    with opened(place) as file:
        del file["X"]
        values = np.ones((ROWS, GENES), "f4")
        values[2, 3] = np.inf
        file.create_dataset("X", data=values).attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    return packed(place)


@case("h5ad: no such file", 66, "none.h5ad: no such file or folder")
def no_file(place):
    return place.pack(*FIELDS, data="none.h5ad")
