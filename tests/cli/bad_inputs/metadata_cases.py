"""Per-cell metadata as tables, and the label codes and vocabularies made of them."""
import json
import os

import h5py

from place import CELLS, catalogue, cut, flip, labels, replace

CASES, case = catalogue()
TABLE = "metadata_1.csv"


@case("csv: a row with more cells than the header", 65, f"npz/{TABLE}: not a table with one header line", "in line 6, saw 3")
def ragged(place):
    replace(place / "npz" / TABLE, b"delta,f\n", b"delta,f,3\n")
    return place.preprocess()


@case("csv: not UTF-8", 65, f"npz/{TABLE}: not a table with one header line", "utf-8")
def latin(place):
    replace(place / "npz" / TABLE, b"delta", b"d\xe8lta")
    return place.preprocess()


@case("csv: empty", 65, f"npz/{TABLE}: not a table with one header line")
def empty(place):
    (place / "npz" / TABLE).write_text("")
    return place.preprocess()


@case("csv: a column twice", 65, f"npz/{TABLE}: column sex is there twice")
def twice(place):
    replace(place / "npz" / TABLE, b"cell_type,sex", b"sex,sex")
    return place.preprocess()


@case("csv: a field that no file has", 64, "--include cell_typ: there is no such field", "expected one of cell_type, sex",
      "hint: did you mean cell_type?")
def unknown_field(place):
    return place.preprocess("--include", "cell_typ")


@case("csv: a field of numbers", 64, "--include score: a field without categories cannot condition", "expected boolean or categorical",
      "hint: leave it out, or bin its values")
def numeric_field(place):
    for number in (1, 2):
        table = labels(number)
        table["score"] = [0.5 + i for i in range(CELLS)]
        table.to_csv(place / f"npz/metadata_{number}.csv", index=False)
    return place.preprocess("--include", "score")


@case("csv: no file of that pattern", 66, "npz: no file matches human_*.pkl", "hint: there is metadata_1.csv: --pattern 'metadata_*.csv'")
def no_file(place):
    return place.preprocess("--pattern", "human_*.pkl")


@case("csv: two tables of one number", 65, "two files have the number 1", "hint: narrow --pattern")
def same_number(place):
    labels(1).to_csv(place / "npz/metadata_b_1.csv", index=False)
    return place.preprocess()


@case("pickle: a call instead of a table", 65, "metadata_1.pkl: global posix.system at byte ", "is not on the allow list; nothing was executed",
      "hint: a metadata pickle is what DataFrame.to_pickle")
def hostile(place):
    import pickle

    class Call:
        def __reduce__(self):
            return os.system, ("touch canary",)

    (place / "npz/metadata_1.pkl").write_bytes(pickle.dumps(Call()))
    return place.preprocess("--pattern", "metadata_1.pkl")


@case("metadata: fewer rows than cells", 65, "labels.h5: chunk 1: expression and metadata differ in length",
      f"expected {CELLS} rows, as npz/expression_1.npz; found {CELLS - 1} rows, from {TABLE}", "hint: ")
def fewer_rows(place):
    labels(1, CELLS - 1).to_csv(place / "npz" / TABLE, index=False)
    done = place.run(place.preprocess())
    assert done.code == 0, done.said
    return place.pack()


@case("metadata: a chunk without", 65, "labels.h5: /chunks/number: expression without metadata", "expected 2, for npz/expression_2.npz",
      "hint: add its metadata file and run tools/preprocess_metadata again")
def one_chunk(place):
    (place / "npz/metadata_2.csv").unlink()
    done = place.run(place.preprocess())
    assert done.code == 0, done.said
    return place.pack()


@case("metadata: never preprocessed", 65, "npz/preproc: no label codes; expected labels.h5", "hint: make them: ", "tools/preprocess_metadata --data-dir")
def not_preprocessed(place):
    for file in (place / "npz/preproc").iterdir():
        file.unlink()
    return place.pack()


@case("labels: a flipped bit", 65, "labels.h5: bytes ", "hint: run again: ")
def flipped(place):
    flip(place / "npz/preproc/labels.h5", -300)
    return place.pack()


@case("labels: cut short", 65, "labels.h5: ", "hint: run again: ")
def truncated(place):
    cut(place / "npz/preproc/labels.h5", 2000)
    return place.pack()


@case("labels: a code without category", 65, "labels.h5: /codes/1, row 4, field 'cell_type': a code out of range", "expected -1 to 2; found 7",
      "hint: ")
def code(place):
    with h5py.File(place / "npz/preproc/labels.h5", "r+") as file:
        file["codes/1"][4, 0] = 7
    (place / "npz/preproc/labels.digests.json").unlink()
    return place.pack()


@case("labels: of another format", 65, "labels.h5: attribute format: not a file of label codes", "expected cellmill-labels-1; found labels-0",
      "hint: run again: ")
def other_format(place):
    with h5py.File(place / "npz/preproc/labels.h5", "r+") as file:
        file.attrs["format"] = "labels-0"
    (place / "npz/preproc/labels.digests.json").unlink()
    return place.pack()


@case("vocabulary: changed after the labels", 65, "metadata_vocab.json: bytes 0 to ", "not the vocabulary that labels.h5 was made with",
      "expected digest ", "hint: run again: ")
def vocabulary(place):
    replace(place / "npz/preproc/metadata_vocab.json", b"alpha", b"gamma")
    return place.pack()


@case("vocabulary: codes with a gap", 65, "metadata_vocab.json: field 'cell_type', category ", "a code out of order",
      "expected each of 0 to 2 once; found 5")
def gap(place):
    (place / "vocabulary").mkdir()
    text = json.dumps({"cell_type": {"alpha": 0, "beta": 1, "delta": 5}})
    (place / "vocabulary/metadata_vocab.json").write_text(text)
    return place.pack("--set", "data.fields=[cell_type]", "--set", "data.metadata=vocabulary", data="cells.h5ad")


@case("vocabulary: no JSON", 65, "metadata_vocab.json: ", "not JSON", "line 1, column ")
def no_json(place):
    (place / "vocabulary").mkdir()
    (place / "vocabulary/metadata_vocab.json").write_text('{"cell_type": {"alpha": 0,}}')
    return place.pack("--set", "data.fields=[cell_type]", "--set", "data.metadata=vocabulary", data="cells.h5ad")


@case("vocabulary: a list", 65, "metadata_vocab.json: ", "not a vocabulary", "expected {field: {category: code}}")
def a_list(place):
    (place / "vocabulary").mkdir()
    (place / "vocabulary/metadata_vocab.json").write_text('["alpha", "beta"]')
    return place.pack("--set", "data.fields=[cell_type]", "--set", "data.metadata=vocabulary", data="cells.h5ad")


@case("fields: none is marked as conditioning", 65, "metadata_field_specs.json: no field is marked as conditioning (using)",
      "hint: name them in `fields`; there are ")
def none_used(place):
    path = place / "npz/preproc/metadata_field_specs.json"
    path.write_text(path.read_text().replace("true", "false"))
    return place.pack()
