"""Run files and --set."""
from place import catalogue

CASES, case = catalogue()


def run_file(name, code, text, *says):
    @case(f"run file: {name}", code, *says)
    def spoil(place):
        data = text if isinstance(text, bytes) else text.encode()
        (place / "run.yaml").write_bytes(data)
        return place.cellmill("train", "--config", "run.yaml")


run_file("an unknown key", 78, "train:\n  epohcs: 3\n", "run.yaml:2:3: unknown key train.epohcs", "hint: did you mean train.epochs?")
run_file("a value out of range", 78, "train:\n  epochs: 0\n", "run.yaml:2:11: train.epochs: expected at least 1; found 0")
run_file("a text for a number", 78, "train: {epochs: many}\n", "run.yaml:1:17: train.epochs: expected a whole number", "found many")
run_file("a choice that is none", 78, "train:\n  schedule: cosin\n", "run.yaml:2:13: train.schedule: expected one of constant, linear, cosine; found cosin",
         "hint: did you mean cosine?")
run_file("a key twice", 78, "train:\n  seed: 1\n  seed: 2\n", "run.yaml:3:3: train.seed is given twice in this map")
run_file("no YAML", 78, "train: {epochs: 3\nmodel: 1\n", "run.yaml:2:", "not YAML: ")
run_file("a tab as indentation", 78, "train:\n\tepochs: 3\n", "run.yaml:2:", "not YAML: ")
run_file("a list where settings belong", 78, "train: [1, 2]\n", "run.yaml:1:8: train: expected a map of settings; found ")
run_file("a second document", 78, "train: {seed: 1}\n---\ntrain: {seed: 2}\n", "run.yaml:2:", "a second document begins here")
run_file("aliases that blow up", 78, "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{c}: &{c} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n" for p, c in zip("abcdefgh", "bcdefghi")), "aliases make this text too large")
run_file("nested a thousand deep", 78, "train: " + "[" * 1000 + "]" * 1000 + "\n", "run.yaml:1:", "nested too deeply")
run_file("no UTF-8", 78, b"output:\n  folder: \"r\xe8n\"\n", "run.yaml:2:", "is no UTF-8")
run_file("binary", 78, bytes(range(256)) * 4, "run.yaml:2:118: is no UTF-8")


@case("run file: no such file", 66, "none.yaml: cannot open: No such file or directory", "hint: paths are relative to the folder")
def gone(place):
    return place.cellmill("train", "--config", "none.yaml")


@case("--set: no value", 78, "--set train.epochs: expected key=value", "hint: for example --set train.steps=100")
def no_value(place):
    return place.cellmill("train", "--set", "train.epochs")


@case("--set: an unknown key", 78, "--set trian.epochs=3: unknown key trian.epochs", "hint: did you mean train.epochs?")
def unknown(place):
    return place.cellmill("train", "--set", "trian.epochs=3")


@case("--set: two mistakes, told at once", 78, "2 problems in the configuration", "train.epochs: expected at least 1; found 0",
      "train.seed: expected a whole number")
def two(place):
    return place.cellmill("train", "--set", "train.epochs=0", "--set", "train.seed=x")


@case("--set: rules between settings", 78, "validation_chunks", "hint: ")
def rule(place):
    return place.train("--set", "data.split.validation_chunks=[7]")


@case("data: an unknown format", 78, "--set data.format=h5", "expected one of auto, pack, mtx, csv, npz, tokens, h5ad, synthetic; found h5")
def data_format(place):
    return place.train("--set", "data.format=h5")


@case("data: a kind of file that nobody knows", 65, "cells.loom: the format of the data is not known", "expected a folder of .npz files")
def data_kind(place):
    (place / "cells.h5ad").rename(place / "cells.loom")
    return place.train(data="cells.loom")


@case("data: a folder without expression", 66, "empty: no expression files", "expected files named *.npz; found none")
def data_empty(place):
    (place / "empty").mkdir()
    return place.pack(data="empty")


@case("data: nothing is named", 78, "no data: `path` is empty", "hint: name a folder of .npz chunks, an .h5ad, .csv or .tsv file, a 10x folder, a .cmpack store or a token store")
def data_none(place):
    return place.cellmill("pack", "--output", "out.cmpack")


@case("data: a pickle", 65, "cells.pkl", "hint: ", "tools/preprocess_metadata")
def data_pickle(place):
    (place / "cells.pkl").write_bytes(b"\x80\x04N.")
    return place.pack(data="cells.pkl")
