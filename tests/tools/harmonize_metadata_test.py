"""tools/harmonize_metadata as a program: tables in, one schema out; decisions, reports, bias, errors with exit code and text."""

import importlib.metadata
import json

import anndata
import numpy as np
import pandas as pd
import pytest

import hostile_pickles
from harmonization import bias, schema

MESSY = {
    "body site": ["Lung", "hearts", "lver", None, "Blood", "mixture"],
    "gendr": ["F", "male", "FEMALE", "unknown", "m", "woman"],
    "Age (months)": [6, 24.0, np.nan, 540, 1, 30],
    "Dosage": [10, 10, 0.5, None, 3, 1],
    "dose_unit": ["uM", "nM", "mM", "uM", None, "mg/kg"],
    "time_h": [24, 6, 24, 6, np.nan, 0],
    "batch": ["a", "a", "b", "b", "c", "c"],
}


@pytest.fixture
def harmonise(tool, tmp_path):
    """Runs the tool over frames or files of tmp_path; what came of it has rows (of the first table), report and bias."""

    def run(*frames, name="messy.csv", **options):
        paths = []
        for place, frame in enumerate(frames):
            paths.append(tmp_path / (name if place == 0 else f"{place}_{name}"))
            pd.DataFrame(frame).to_csv(paths[-1], index=False)
        arguments = ["--input", *paths] if paths else []
        for key, value in options.items():
            arguments += [f"--{key.replace('_', '-')}", *([] if value is True else [value])]
        out = tmp_path / "out"
        done = tool("harmonize_metadata", *arguments, "--output-dir", out)
        if done.returncode == 0:
            done.rows = pd.read_csv(out / (name.split(".")[0] + ".csv"), dtype=str, keep_default_na=False) if paths else None
            done.report, done.bias = (json.loads((out / file).read_text()) for file in ("report.json", "bias.json"))
            done.out = out
        return done

    return run


def test_a_messy_table(harmonise):
    done = harmonise(MESSY, keep="batch", no_plots=True)
    assert done.returncode == 0, done.stderr
    assert done.rows.to_dict("list") == {
        "age": ["0.5 year", "2 year", "", "45 year", "0.0833333 year", "2.5 year"],
        "development_stage": ["6-month-old stage", "2-year-old stage", "", "45-year-old stage", "1-month-old stage", "2-year-old stage"],
        "development_stage_ontology_term_id": ["HsapDv:0000179", "HsapDv:0000096", "", "HsapDv:0000139", "HsapDv:0000273", "HsapDv:0000096"],
        "sex": ["female", "male", "female", "", "male", "female"],
        "sex_ontology_term_id": ["PATO:0000383", "PATO:0000384", "PATO:0000383", "", "PATO:0000384", "PATO:0000383"],
        "tissue": ["lung", "heart", "liver", "", "blood", ""],
        "tissue_ontology_term_id": ["UBERON:0002048", "UBERON:0000948", "UBERON:0002107", "", "UBERON:0000178", ""],
        "dose": ["10 um", "0.01 um", "500 um", "", "", "1 mg/kg"],
        "time": ["24 hours", "6 hours", "24 hours", "6 hours", "", "0 hours"],
        "batch": MESSY["batch"]}
    columns = done.report["columns"]
    assert columns["gendr"] == {"field": "sex", "role": "value", "confidence": 0.8, "how": "edit distance"}
    assert columns["dose_unit"] == {"field": None, "why": "unit of dose"} and columns["batch"]["why"] == "no field has this name"
    tissue = {entry["text"]: entry for entry in done.report["fields"]["tissue"]["values"]}
    assert (tissue["lver"]["status"], tissue["lver"]["how"], tissue["lver"]["tissue"]) == ("mapped", "edit distance", "liver")
    assert 0.76 <= tissue["lver"]["confidence"] < 0.9 < tissue["Lung"]["confidence"]
    assert tissue["mixture"]["status"] == "left"
    text = (done.out / "report.txt").read_text()
    assert "tissue: 4 of 6 rows mapped" in text and "left: 1 values, 1 rows" in text and "'mixture'" in text


def test_what_it_was_made_with_is_recorded(harmonise):
    done = harmonise({"tissue": ["lung"]}, no_plots=True)
    versions = done.report["versions"]
    assert versions["packages"]["cellxgene-ontology-guide"] == importlib.metadata.version("cellxgene-ontology-guide")
    assert versions["packages"]["rapidfuzz"] == importlib.metadata.version("rapidfuzz")
    assert list(versions["ontologies"]) == ["UBERON"] and versions["ontologies"]["UBERON"].startswith("v20")
    assert done.report["inputs"][0]["file"] == "messy.csv" and len(done.report["inputs"][0]["xxh3"]) == 16


@pytest.mark.parametrize("suffix", ["pkl", "csv.gz", "tsv", "parquet", "h5ad"])
def test_every_kind_of_file_gives_the_same(harmonise, tool, tmp_path, suffix):
    frame = pd.DataFrame({"tissue": pd.Categorical(["livers", "blood", None]), "Sex": ["f", "m", "f"], "time_h": [1.0, 2.0, 3.0]})
    path = tmp_path / f"cells_1.{suffix}"
    {"pkl": frame.to_pickle, "csv.gz": lambda path: frame.to_csv(path, index=False), "tsv": lambda path: frame.to_csv(path, sep="\t", index=False),
     "parquet": frame.to_parquet, "h5ad": lambda path: anndata.AnnData(obs=frame.set_index(frame.index.astype(str))).write_h5ad(path)}[suffix](path)
    done = tool("harmonize_metadata", "--data-dir", tmp_path, "--pattern", "cells_*", "--output-dir", tmp_path / "out", "--no-plots")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "out" / "cells_1.csv", keep_default_na=False)
    assert rows["tissue"].tolist() == ["liver", "blood", ""] and rows["sex"].tolist() == ["female", "male", "female"]
    assert rows["time"].tolist() == ["1 hours", "2 hours", "3 hours"]


def test_a_hostile_pickle_runs_nothing(tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "human_metadata_1.pkl").write_bytes(hostile_pickles.calls()["os.system, protocol 4"])
    done = tool("harmonize_metadata", "--data-dir", tmp_path, "--output-dir", tmp_path / "out")
    assert done.returncode == 65 and "nothing was executed" in done.stderr and not (tmp_path / "canary").exists() and not (tmp_path / "out").exists()


def test_several_columns_of_a_field(harmonise):
    """The id first, then the exact name, then what is like it; an ancestor is no disagreement."""
    done = harmonise({"cell_type": ["T cell", "B cell", "monocyte", None, "NK"],
                      "cell_type_ontology_term_id": ["CL:0000624", "CL:0000084", None, "unknown", "CL:0000623"],
                      "celltype_author": [None, None, "monocytes", "B", None]}, no_plots=True)
    assert done.rows["cell_type_ontology_term_id"].tolist() == ["CL:0000624", "CL:0000084", "CL:0000576", "CL:0000236", "CL:0000623"]
    assert done.report["disagreements"] == [{"field": "cell_type", "column": "cell_type_ontology_term_id", "says": "T cell", "other_column": "cell_type",
                                             "other_says": "B cell", "rows": 1}]
    assert "cell_type_ontology_term_id says T cell, cell_type says B cell: 1 rows" in (done.out / "report.txt").read_text()


def test_a_column_whose_values_belie_its_name_is_no_field(harmonise):
    done = harmonise({"tisue": ["x1", "x2", "x3", "x4"], "sex": ["f", "m", "f", "m"], "origin": ["lung", "liver", "blood", "heart"]}, no_plots=True)
    assert list(done.report["fields"]) == ["sex"]
    assert done.report["columns"]["tisue"]["why"] == "its name is like tissue, but 100 % of its values are none"
    assert done.report["columns"]["origin"]["why"] == "no field has this name; 4 of its 4 values could be of tissue"


def test_its_own_output_is_left_as_it_is(harmonise, tool, tmp_path):
    first = harmonise(MESSY, no_plots=True)
    done = tool("harmonize_metadata", "--input", first.out / "messy.csv", "--output-dir", tmp_path / "again", "--no-plots")
    assert done.returncode == 0 and (tmp_path / "again" / "messy.csv").read_bytes() == (first.out / "messy.csv").read_bytes()
    third = tool("harmonize_metadata", "--input", first.out / "messy.csv", "--output-dir", tmp_path / "third", "--no-plots")
    assert third.returncode == 0
    for file in ("report.json", "bias.json", "undecided.yaml"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "third" / file).read_bytes(), "the same input gives the same bytes"


def test_training_takes_what_it_writes(tool, tmp_path):
    for number in (1, 2):
        pd.DataFrame({"tisue": ["livers", "Blood"], "sex": ["F", "m"]}).to_pickle(tmp_path / f"human_metadata_{number}.pkl")
    out = tmp_path / "out"
    assert tool("harmonize_metadata", "--data-dir", tmp_path, "--output-dir", out, "--no-plots").returncode == 0
    done = tool("preprocess_metadata", "--data-dir", out, "--pattern", "human_metadata_*.csv", "--include", "tissue,sex")
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "preproc" / "metadata_vocab.json").read_text())["tissue"] == {"blood": 0, "liver": 1}


DECIDED = """
columns:
  where: tissue
  strength: {field: dose, unit: nM}
  sex:
values:
  tissue:
    mixture: UBERON:0000479
    lung: liver
    blood: null
    never seen: lung
"""


def test_decisions_override(harmonise, tmp_path):
    (tmp_path / "decisions.yaml").write_text(DECIDED)
    done = harmonise({"where": ["mixture", "lung", "blood", "heart"], "sex": ["f", "m", "f", "m"], "strength": [1, 2000, 3, 4]},
                     decisions=tmp_path / "decisions.yaml", no_plots=True)
    assert done.returncode == 0, done.stderr
    assert done.rows["tissue"].tolist() == ["tissue", "liver", "", "heart"] and done.rows["dose"].tolist() == ["0.001 um", "2 um", "0.003 um", "0.004 um"]
    assert "sex" not in done.rows and done.report["columns"]["sex"]["why"] == "decision"
    assert {entry["text"]: entry["how"] for entry in done.report["fields"]["tissue"]["values"]} == {
        "mixture": "decision: id", "lung": "decision: label", "blood": "decision: missing", "heart": "label"}
    assert done.report["unused_decisions"] == ["tissue: never seen"]


def test_what_is_undecided_can_be_decided_in_the_file_it_writes(harmonise, tmp_path):
    cells = {"cell_type": ["CD16 Mono", "T: \"odd\" #1", "B cell"]}
    first = harmonise(cells, no_plots=True)
    assert first.rows["cell_type"].tolist() == ["", "", "B cell"]
    lines = (first.out / "undecided.yaml").read_text().splitlines()
    assert lines[3] == "#  cell_type:" and lines[4].startswith('#    "CD16 Mono": "CL:0002396"  # 1 rows: CL:0002396 CD14-low, CD16-positive monocyte, or CL:0002397')
    (tmp_path / "decisions.yaml").write_text("\n".join([*lines[:2], *(line.removeprefix("#") for line in lines[2:])]))
    assert harmonise(cells, no_plots=True, decisions=tmp_path / "decisions.yaml").rows["cell_type"].tolist() == ["CD14-low, CD16-positive monocyte", "", "B cell"]
    assert harmonise(cells, no_plots=True, decisions=first.out / "undecided.yaml").returncode == 0


@pytest.mark.parametrize(("text", "message"), [
    ("value: {}", "line 1, column 1: value is not known here; expected one of columns, values\n  hint: did you mean values?"),
    ("values:\n  tisue: {a: b}", "line 2, column 3: tisue is not known here; expected one of age, sex, tissue"),
    ("values:\n  tissue:\n    a: UBERON:9999999", "line 3, column 8: a cannot be that; expected an id, a label or a word of tissue; found UBERON:9999999"),
    ("values:\n  tissue:\n    a: lver", "line 3, column 8: a cannot be that"),
    ("values:\n  tissue:\n    a: lung\n    a: liver", "line 4, column 5: a is there twice"),
    ("values:\n  sample_type: [1]", "line 2, column 16: not a mapping; expected KEY: VALUE"),
    ("columns:\n  a: tisue", "line 2, column 6: there is no field tisue"),
    ("columns:\n  a: {field: dose, unit: parsec}", "line 2, column 26: no unit of dose; found parsec"),
    ("columns:\n  a: {unit: uM}", "line 2, column 6: no field for a; expected field: FIELD"),
    ("columns: [", "decisions.yaml: not YAML; found "),
])
def test_a_decision_that_means_nothing_is_refused(harmonise, tmp_path, text, message):
    (tmp_path / "decisions.yaml").write_text(text)
    done = harmonise({"tissue": ["lung"]}, decisions=tmp_path / "decisions.yaml")
    assert done.returncode == 78 and message in done.stderr and "decisions.yaml: " in done.stderr


def test_errors(harmonise, tool, tmp_path):
    (tmp_path / "b").mkdir()
    for folder in (tmp_path, tmp_path / "b"):
        pd.DataFrame({"batch": [1], "leiden": ["x"]}).to_csv(folder / "a.csv", index=False)
    out = ["--output-dir", tmp_path / "out"]
    for arguments, code, message in [
        ([], 64, "one of --input and --data-dir is needed"),
        (["--input", tmp_path / "a.csv", "--data-dir", tmp_path], 64, "one of --input and --data-dir is needed"),
        (["--input", tmp_path / "no.csv"], 66, "no.csv: no such file"),
        (["--data-dir", tmp_path / "no"], 66, "no: no such folder"),
        (["--input", tmp_path / "a.csv", tmp_path / "b" / "a.csv"], 64, "two inputs would be written as a.csv"),
        (["--input", tmp_path / "a.csv"], 65, "a.csv: no column is a field of the schema; expected a column such as tissue or cell_type; found batch, leiden"),
        (["--input", tmp_path / "a.csv", "--decisions", tmp_path / "no.yaml"], 66, "no.yaml: no such file"),
    ]:
        done = tool("harmonize_metadata", *arguments, *out)
        assert done.returncode == code and message in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()
    kept = harmonise({"tissue": ["lung"]}, keep="nothing")
    assert kept.returncode == 64 and "--keep nothing: there is no such column; expected one of tissue" in kept.stderr
    assert harmonise({"tissue": ["lung"]}, keep="tissue").returncode == 64


def test_the_bias_report(harmonise):
    """40 rows of two studies, of which one is all blood; the numbers are worked out by hand."""
    tissue = ["blood"] * 30 + ["lung"] * 5 + ["liver"] * 5
    sex = ["female"] * 12 + [None] * 18 + ["male"] * 6 + [None] * 4
    done = harmonise({"tissue": tissue[:30], "sex": sex[:30], "study": ["A"] * 30}, {"tissue": tissue[30:], "sex": sex[30:], "study": ["B"] * 10})
    assert done.returncode == 0, done.stderr
    fields, pairs = done.bias["fields"], {(pair["a"], pair["b"]): pair for pair in done.bias["pairs"]}
    assert fields["tissue"]["counts"] == {"blood": 30, "liver": 5, "lung": 5} and fields["sex"]["missing"] == 22
    assert fields["tissue"]["effective_categories"] == pytest.approx(np.exp(0.75 * np.log(4 / 3) + 0.25 * np.log(8)), abs=1e-3)
    pair = pairs["tissue", "study"]
    assert (pair["a_values"], pair["b_values"], pair["counts"]) == (["blood", "liver", "lung"], ["A", "B"], [[30, 0], [0, 5], [0, 5]])
    assert pair["b_told_by_a"] == 1.0
    entropy = 0.75 * np.log(4 / 3) + 0.25 * np.log(8)
    assert pair["a_told_by_b"] == pytest.approx(1 - 0.25 * np.log(2) / entropy, abs=1e-4)
    assert done.bias["findings"] == [
        "female dominates sex: 66.7 % of the rows that have one", "sex is missing in 55.0 % of the rows",
        "blood dominates tissue: 75.0 % of the rows that have one", "A dominates study: 75.0 % of the rows that have one",
        "tissue all but settles study (U = 1.00): their effects cannot be told apart"]
    text = (done.out / "bias.txt").read_text()
    assert "75.0 %  blood" in text and "tissue x study" in text
    for name in ("bias_fields.png", "bias_pairs.png"):
        assert (done.out / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and (done.out / name).stat().st_size > 5000


def test_independent_fields_tell_nothing():
    class Rows:
        values = {"tissue": [("a", "1"), ("b", "2")], "sex": [("f", "3"), ("m", "4")]}
        codes = {"tissue": np.array([0, 0, 1, 1]), "sex": np.array([0, 1, 0, 1])}

    found = bias.Bias(["tissue", "sex"])
    found.add(Rows, 4)
    found.add(Rows, 4)
    (pair,) = found.result()["pairs"]
    assert (pair["a_told_by_b"], pair["b_told_by_a"], pair["rows"]) == (0.0, 0.0, 8)


def test_real_tables_keep_their_ids(tool, tmp_path, shared_data):
    """Every id that curators gave comes out again, in the order of the rows."""
    import metadata_files

    files = sorted(shared_data.glob("*.h5ad"))
    done = tool("harmonize_metadata", "--input", *files, "--output-dir", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for file in files:
        obs, rows = metadata_files.read(file), pd.read_csv(tmp_path / "out" / f"{file.stem}.csv", dtype=str, keep_default_na=False)
        assert len(obs) == len(rows)
        for field in schema.fields().values():
            name = field.outputs[-1]
            if name in obs and name.endswith("_id"):
                assert obs[name].astype(str).replace("unknown", "").tolist() == rows[name].tolist(), (file, name)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert not report["disagreements"]
    assert (tmp_path / "out" / "bias_tables.png").stat().st_size > 10000
