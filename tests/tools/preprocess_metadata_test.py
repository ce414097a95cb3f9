"""tools/preprocess_metadata: artefacts, label codes, kinds of field, kinds of file, errors with exit code and text."""

import json
import os
import pickle
import subprocess

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import xxhash

import metadata_fields
import metadata_files
from conftest import ROOT


def write(folder, number, pattern="human_metadata_{}.pkl", **columns):
    frame = pd.DataFrame(columns)
    path = folder / pattern.format(number)
    writers = {".pkl": lambda: frame.to_pickle(path), ".csv": lambda: frame.to_csv(path), ".gz": lambda: frame.to_csv(path, index=False),
               ".tsv": lambda: frame.to_csv(path, sep="\t", index=False), ".parquet": lambda: frame.to_parquet(path),
               ".h5ad": lambda: anndata.AnnData(obs=frame.set_index(frame.index.astype(str))).write_h5ad(path)}
    writers[path.suffix]()
    return path


@pytest.fixture
def folder(tmp_path):
    """Three files, whose numbers do not sort as text."""
    write(tmp_path, 10, cell_type=[" beta", "delta"], sex=[None, "male"], flag=[True, False], age=[4.0, np.nan], _source_file=["x", "y"])
    write(tmp_path, 2, cell_type=["alpha", ""], flag=pd.array([True, None], dtype="boolean"), age=[1, 2], only=["here", None])
    write(tmp_path, 1, cell_type=["beta", "alpha"], sex=pd.Categorical(["female", "male"]), flag=[False, True], age=[3.0, 3.0],
          disease=[["a", "b"], ["c"]])
    return tmp_path


def read(folder):
    vocabulary = json.loads((folder / "metadata_vocab.json").read_text())
    with h5py.File(folder / "labels.h5") as file:
        chunks = {name: file["chunks"][name][()] for name in file["chunks"]}
        codes = {number: file[f"codes/{number}"][()] for number in chunks["number"]}
        return vocabulary, file["fields"].asstr()[()].tolist(), chunks, codes, dict(file.attrs)


def test_the_artefacts(folder, tool):
    done = tool("preprocess_metadata", "--data-dir", folder, "--include", "cell_type,sex", "--include", "flag")
    assert done.returncode == 0, done.stderr
    vocabulary, fields, chunks, codes, attributes = read(folder / "preproc")
    assert vocabulary == {"cell_type": {"alpha": 0, "beta": 1, "delta": 2}, "sex": {"female": 0, "male": 1}, "flag": {"False": 0, "True": 1},
                          "age": {}, "disease": {"a || b": 0, "c": 1}, "only": {"here": 0}}
    assert fields == ["cell_type", "sex", "flag", "disease", "only"]
    assert attributes["format"] == "cellmill-labels-1"
    assert attributes["vocabulary_digest"] == xxhash.xxh3_64_hexdigest((folder / "preproc" / "metadata_vocab.json").read_bytes())
    assert chunks["number"].tolist() == [1, 2, 10] and chunks["rows"].tolist() == [2, 2, 2]
    assert [name.decode() for name in chunks["source"]] == ["human_metadata_1.pkl", "human_metadata_2.pkl", "human_metadata_10.pkl"]
    assert chunks["source_digest"][2].decode() == xxhash.xxh3_64_hexdigest((folder / "human_metadata_10.pkl").read_bytes())
    assert codes[1].dtype == np.int32
    assert codes[1].tolist() == [[1, 0, 0, 0, -1], [0, 1, 1, 1, -1]]
    assert codes[2].tolist() == [[0, -1, 1, -1, 0], [-1, -1, -1, -1, -1]]
    assert codes[10].tolist() == [[1, -1, 1, -1, -1], [2, 1, 0, -1, -1]]


def test_the_specifications(folder, tool):
    assert tool("preprocess_metadata", "--data-dir", folder, "--include", "sex").returncode == 0
    specifications = json.loads((folder / "preproc" / "metadata_field_specs.json").read_text())
    assert specifications["sex"] == {"cardinality": 2, "using": True, "non_null_fraction": 0.5, "non_null_count": 3, "null_count": 3,
                                     "total_count": 6, "kind": "categorical"}
    assert {name: (entry["kind"], entry["using"]) for name, entry in specifications.items()} == {
        "cell_type": ("categorical", False), "sex": ("categorical", True), "flag": ("boolean", False), "age": ("numeric", False),
        "disease": ("categorical_multi", False), "only": ("categorical", False)}
    assert specifications["age"]["cardinality"] == 4 and specifications["age"]["non_null_fraction"] == 0.833333
    summary = pd.Series([4, 1, 2, 3, 3])
    assert specifications["age"]["numeric_summary"] == pytest.approx(
        {"min": 1, "max": 4, "mean": summary.mean(), "std": summary.std(ddof=0), "p50": summary.median()})


def test_names_dry_run_ignored_columns_and_include_file(folder, tool, tmp_path):
    wanted = tmp_path / "fields.txt"
    wanted.write_text("cell_type\n\nsex\n")
    arguments = ["--data-dir", folder, "--include-file", wanted, "--save-dir", tmp_path / "out", "--vocab-json-name", "v.json",
                 "--specs-json-name", "s.json", "--ignore-column", "age", "--verbose"]
    dry = tool("preprocess_metadata", *arguments, "--dry-run")
    assert dry.returncode == 0 and not (tmp_path / "out").exists()
    assert "6 cells, 5 fields, 2 used" in dry.stdout and "* cell_type" in dry.stdout and "reading  3/3" in dry.stderr
    assert tool("preprocess_metadata", *arguments).returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["labels.digests.json", "labels.h5", "s.json", "v.json"]
    assert "age" not in json.loads((tmp_path / "out" / "v.json").read_text())


@pytest.mark.parametrize("suffix", ["pkl", "csv", "csv.gz", "tsv", "parquet", "h5ad"])
def test_every_kind_of_file_gives_the_same_codes(tmp_path, tool, suffix):
    columns = {"cell_type": ["beta", "alpha", None, "beta"], "primary": [True, False, True, True], "nnz": [4, 3, 2, 1]}
    if suffix == "h5ad":  # AnnData writes text with gaps as categories
        columns["cell_type"] = pd.Categorical(columns["cell_type"])
    write(tmp_path, 3, "human_metadata_{}." + suffix, **columns)
    done = tool("preprocess_metadata", "--data-dir", tmp_path, "--pattern", "human_metadata_*")
    assert done.returncode == 0, done.stderr
    vocabulary, fields, _, codes, _ = read(tmp_path / "preproc")
    assert vocabulary == {"cell_type": {"alpha": 0, "beta": 1}, "primary": {"False": 0, "True": 1}, "nnz": {}}
    assert fields == ["cell_type", "primary"] and codes[3].tolist() == [[1, 1], [0, 0], [-1, 1], [1, 1]]


def test_a_single_file_needs_no_number(tmp_path, tool):
    write(tmp_path, "", "cells{}.csv", cell_type=["b", "a"])
    assert tool("preprocess_metadata", "--data-dir", tmp_path, "--pattern", "cells.csv").returncode == 0
    assert read(tmp_path / "preproc")[3][0].tolist() == [[1], [0]]


@pytest.mark.parametrize(("columns", "kind", "categories"), [
    (["a", " a ", "b", "", None], "categorical", ["a", "b"]),
    ([0, 1, 1, None, 0], "boolean", ["0.0", "1.0"]),
    ([0, 1, 1, 0, 0], "boolean", ["0", "1"]),
    ([True, None, False, None, True], "boolean", ["False", "True"]),
    ([True, True, True, True, True], "boolean", ["True"]),
    ([0, 1, 2, 1, 0], "numeric", []),
    (["x", 1, 2.5, None, "1"], "categorical", ["1", "2.5", "x"]),
    (pd.Categorical([2, 1, 2, None, 1]), "categorical", ["1", "2"]),
    (pd.to_datetime(["2024-07-01", None, "2025-01-30", "2025-01-30", None]), "datetime", []),
    ([("a", "b"), ("c",), ("a", "b"), "d", None], "categorical_multi", ["a || b", "c", "d"]),
    ([("a", "b"), "c", "c", "d", None], "categorical", ["a || b", "c", "d"]),
    ([None, None, "", " ", np.nan], "empty", []),
    (["x"] * 5, "categorical", ["x"]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_kinds_and_categories(columns, kind, categories):
    field = metadata_fields.Field()
    column = pd.Series(columns)
    field.add(column)
    assert field.kind() == kind
    vocabulary = field.vocabulary()
    assert list(vocabulary) == sorted(categories)
    if vocabulary:
        codes = field.codes(column, vocabulary)
        assert ((codes >= 0) == [metadata_fields.normalise(value)[0] is not metadata_fields.MISSING for value in column]).all()
        assert field.specification(False)["non_null_count"] == (codes >= 0).sum()


def test_a_field_is_the_same_whichever_way_its_rows_are_cut_into_files():
    random = np.random.default_rng(7)
    columns = [pd.Series(random.choice([0.5, 1.0, 2.0, 7.25, np.nan], 300)), pd.Series(random.choice(["a", "b ", "c", None], 300))]
    for column in columns:
        whole, parts = metadata_fields.Field(), metadata_fields.Field()
        whole.add(column)
        for rows in np.array_split(np.arange(len(column)), 7):
            parts.add(column.iloc[rows])
        assert whole.specification(True) == parts.specification(True) and whole.vocabulary() == parts.vocabulary()


def test_types_that_differ_between_files_agree_on_one_text():
    field = metadata_fields.Field()
    columns = [pd.Series([1, 0]), pd.Series([1.0, np.nan]), pd.Series([True, False], dtype=object)]
    for column in columns:
        field.add(column)
    assert field.vocabulary() == {"False": 0, "True": 1}
    assert [field.codes(column, field.vocabulary()).tolist() for column in columns] == [[1, 0], [1, -1], [1, 0]]


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["--data-dir", "{0}/nowhere"], 66, "nowhere: no such folder"),
    (["--data-dir", "{0}", "--pattern", "mouse_*.pkl"], 66, "no file matches mouse_*.pkl\n  hint: there is human_metadata_1.pkl: --pattern 'human_metadata_*.pkl'"),
    (["--data-dir", "{0}", "--include", "cell_typ"], 64, "--include cell_typ: there is no such field; expected one of cell_type, sex"),
    (["--data-dir", "{0}", "--include", "cell_typ"], 64, "hint: did you mean cell_type?"),
    (["--data-dir", "{0}", "--include", "age"], 64, "--include age: a field without categories cannot condition; expected boolean or categorical; found numeric"),
    (["--data-dir", "{0}", "--include-file", "{0}/none.txt"], 66, "none.txt: no such file"),
    (["--data-dir", "{0}", "--nonsense"], 64, "unrecognized arguments: --nonsense\n  hint: tools/preprocess_metadata --help"),
    ([], 64, "the following arguments are required: --data-dir"),
])
def test_wrong_arguments(folder, tool, arguments, code, said):
    done = tool("preprocess_metadata", *(argument.format(folder) for argument in arguments))
    assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr
    assert not (folder / "preproc").exists()


@pytest.mark.parametrize(("name", "content", "said"), [
    ("human_metadata_3.csv", b"a,b\n1,2,3,4\n1\n\"", "human_metadata_3.csv: not a table with one header line"),
    ("human_metadata_3.csv", b"", "human_metadata_3.csv: not a table with one header line"),
    ("human_metadata_3.parquet", b"PAR1", "human_metadata_3.parquet: not a Parquet file"),
    ("human_metadata_3.h5ad", b"HDF", "human_metadata_3.h5ad: not an HDF5 file"),
    ("human_metadata_3.txt", b"x", "human_metadata_3.txt: not a kind of metadata file; expected one of .pkl .pickle .csv"),
    ("human_metadata_3.pkl", pickle.dumps(print), "human_metadata_3.pkl: global builtins.print at byte"),
    ("human_metadata_3.pkl", pickle.dumps([1]), "human_metadata_3.pkl: not a DataFrame as pandas 1.5 to 3 pickle it"),
    ("human_metadata_03.pkl", b"", "two files have the number 3; found human_metadata_03.pkl\n  hint: narrow --pattern"),
    ("human_metadata_x.pkl", b"", "human_metadata_x.pkl: no number in the name to pair it with its expression file; expected a name such as human_metadata_1.pkl"),
])
def test_wrong_files(folder, tool, name, content, said):
    (folder / name).write_bytes(content)
    if "03" in name:
        (folder / "human_metadata_3.pkl").write_bytes(b"")
    done = tool("preprocess_metadata", "--data-dir", folder, "--pattern", "human_metadata_*")
    assert done.returncode == 65 and said in done.stderr and "Traceback" not in done.stderr
    assert not list(folder.glob("preproc/*"))


def test_a_value_that_the_vocabulary_lacks_is_an_error():
    field = metadata_fields.Field()
    field.add(pd.Series(["a"]))
    with pytest.raises(KeyError):
        field.codes(pd.Series(["b"]), field.vocabulary())


def test_a_failed_run_leaves_the_earlier_artefacts(folder, tool):
    assert tool("preprocess_metadata", "--data-dir", folder).returncode == 0
    before = {path.name: path.read_bytes() for path in (folder / "preproc").iterdir()}
    (folder / "human_metadata_11.pkl").write_bytes(b"\x80\x04")
    assert tool("preprocess_metadata", "--data-dir", folder).returncode == 65
    assert {path.name: path.read_bytes() for path in (folder / "preproc").iterdir()} == before


def test_numbers_are_the_last_in_the_name(tmp_path):
    for name in ("3m_human_metadata_12.csv.gz", "3m_human_metadata_2.csv.gz"):
        (tmp_path / name).write_bytes(b"")
    assert [file.number for file in metadata_files.find(tmp_path, "*.csv.gz")] == [2, 12]


def test_as_a_program_it_goes_on_under_the_venv_and_leaves_with_the_exit_code(folder):
    command = [ROOT / "tools" / "preprocess_metadata", "--data-dir", folder, "--include", "age"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"CELLMILL_IN_VENV": ""}, timeout=120)
    assert done.returncode == 64 and done.stderr.endswith("hint: leave it out, or bin its values into categories first\n")


def test_real_chunks(shared_data, tool, tmp_path):
    arguments = ["--pattern", "chunk_*.pkl", "--include", "cell_type_author", "--save-dir", tmp_path]
    assert tool("preprocess_metadata", "--data-dir", shared_data / "kang_ifnb_chunks", *arguments).returncode == 0
    vocabulary, fields, chunks, codes, _ = read(tmp_path)
    assert vocabulary["condition"] == {"CTRL": 0, "STIM": 1} and len(vocabulary["cell_type_author"]) == 13
    assert chunks["number"].tolist() == [0, 1, 2, 3]
    for number, rows in codes.items():
        frame = pd.read_pickle(shared_data / "kang_ifnb_chunks" / f"chunk_{number:03}.pkl")
        for place, name in enumerate(fields):
            assert [list(vocabulary[name])[code] for code in rows[:, place]] == frame[name].tolist()
