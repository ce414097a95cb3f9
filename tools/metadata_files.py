"""Per-cell metadata on disk: which files, in which order, and one file as a DataFrame."""

import dataclasses
import pathlib
import re

import pandas as pd
import xxhash

import pickled_frames
from failing import DATA, NO_INPUT, Failure

SUFFIXES = (".pkl", ".pickle", ".csv", ".csv.gz", ".tsv", ".parquet", ".h5ad")


@dataclasses.dataclass(frozen=True)
class MetadataFile:
    path: pathlib.Path
    number: int  # the last number in the name; that pairs it with its expression file

    @property
    def name(self):
        return self.path.name


def find(folder, pattern):
    """The files of `folder` that match, sorted by number. A single file without a number has number 0."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise Failure(NO_INPUT, "no such folder", file=folder)
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    if not paths:
        others = sorted(path.name for path in folder.iterdir() if path.name.endswith(SUFFIXES))
        hint = f"there is {others[0]}: --pattern '{re.sub(r'[0-9]+', '*', others[0])}'" if others else ""
        raise Failure(NO_INPUT, f"no file matches {pattern}", file=folder, hint=hint)
    by_number = {}
    for path in paths:
        digits = re.findall(r"\d+", _stem(path))
        if len(paths) > 1 and not (digits and len(digits[-1]) <= 18):  # int64
            raise Failure(DATA, "no number in the name to pair it with its expression file", file=path,
                          expected="a name such as human_metadata_1.pkl")
        number = int(digits[-1][-18:]) if digits else 0
        if number in by_number:
            raise Failure(DATA, f"two files have the number {number}", file=path, found=by_number[number].name,
                          hint="narrow --pattern to one set of files")
        by_number[number] = path
    return [MetadataFile(by_number[number], number) for number in sorted(by_number)]


def _stem(path):
    return path.name.removesuffix("".join(path.suffixes[-2:])) if path.name.endswith(".gz") else path.stem


def read(path):
    """All columns of one file, rows in the order of the file. Failure (65) naming the file for what cannot be read."""
    reader = _READERS.get(path.suffix)
    if reader is None or not path.name.endswith(SUFFIXES):
        raise Failure(DATA, "not a kind of metadata file", file=path, expected="one of " + " ".join(SUFFIXES))
    frame = reader(path)
    frame.columns = [str(name) for name in frame.columns]
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise Failure(DATA, f"column {repeated[0]} is there twice", file=path)
    return frame


def _csv(path):
    try:
        separator = "\t" if ".tsv" in path.suffixes else ","
        names = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0]
        frame = pd.read_csv(path, sep=separator, low_memory=False)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise Failure(DATA, f"not a table with one header line ({error})", file=path) from None
    repeated = names[names.notna() & names.duplicated()]  # pandas would call the second one NAME.1
    if len(repeated):
        raise Failure(DATA, f"column {repeated.iloc[0]} is there twice", file=path)
    return frame.drop(columns=[name for name in frame.columns if str(name).startswith("Unnamed: 0")])


def _parquet(path):
    try:
        return pd.read_parquet(path).reset_index(drop=True)
    except (ValueError, OSError) as error:  # pyarrow's errors are one or the other
        raise Failure(DATA, f"not a Parquet file ({error})", file=path) from None


def _h5ad(path):
    import anndata.io
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "obs" not in file:
                raise Failure(DATA, "no obs", file=path, expected="an AnnData file with the group /obs")
            return anndata.io.read_elem(file["obs"]).reset_index(drop=True)
    except OSError as error:
        raise Failure(DATA, f"not an HDF5 file ({error})", file=path) from None


_READERS = {".pkl": pickled_frames.read, ".pickle": pickled_frames.read, ".csv": _csv, ".gz": _csv, ".tsv": _csv,
            ".parquet": _parquet, ".h5ad": _h5ad}


def digest(path):
    """XXH3-64 of the bytes, as 16 hexadecimal digits."""
    state = xxhash.xxh3_64()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()
