"""tools/gene_dictionary: pickles as Geneformer publishes them and JSON become one file; whatever else they are is refused."""

import json
import pickle

import numpy as np
import pytest

import pickled_dictionary

TOKENS = {"<pad>": 0, "<mask>": 1, "ENSG01": np.int16(3), "ENSG02": np.int16(2), "<cls>": 4, "<eos>": 5}
MEDIANS = {"ENSG02": np.float64(1.5), "ENSG01": np.float64(0.1), "ENSG09": np.float64(2)}
NAMES = {"TP53": "ENSG01", "C1orf9": "ENSG02", "GONE": "ENSG77", "a": "ENSG01", "A": "ENSG02", "b": "ENSG01", "B1": "ENSG02"}
MAPPING = {"ENSG01": "ENSG01", "ENSG99": "ENSG02", "TP53": "ENSG02", "bb": "ENSG01", "bB": "ENSG02"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "token_dictionary_gc30M.pkl").write_bytes(pickle.dumps(TOKENS, 4))
    (tmp_path / "gene_median_dictionary_gc30M.pkl").write_bytes(pickle.dumps(MEDIANS, 4))
    return tmp_path


def made(tool, *arguments):
    run = tool("gene_dictionary", *arguments)
    assert run.returncode == 0, run.stderr
    return json.loads(arguments[-1].read_text()), run


def test_pickles_and_json_of_a_folder(folder, tool):
    dictionary, run = made(tool, folder, "-o", folder / "genes.json")
    assert dictionary == {"tokens": {k: int(v) for k, v in TOKENS.items()}, "medians": {"ENSG02": 1.5, "ENSG01": 0.1}, "names": {}}
    assert list(dictionary["tokens"].values()) == sorted(dictionary["tokens"].values())
    assert "2 genes, special tokens <pad>, <mask>, <cls>, <eos>, 0 names" in run.stdout
    assert "1 genes have no token and are left out" in run.stderr
    other = folder / "json"
    other.mkdir()
    for kind in ("token", "gene_median"):
        (other / f"{kind}_dictionary.json").write_text(json.dumps(pickled_dictionary.read(folder / f"{kind}_dictionary_gc30M.pkl")))
    assert made(tool, other, "-o", other / "genes.json")[0] == dictionary


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_numpy_scalars_of_every_protocol(tmp_path, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": np.int16(-7), "b": np.float64(0.1), "c": 3, "d": "text", "e": None, "f": np.float32(0.5)}, protocol))
    assert pickled_dictionary.read(path) == {"a": -7, "b": 0.1, "c": 3, "d": "text", "e": None, "f": 0.5}


def test_names(folder, tool):
    (folder / "gene_name_id_dict_gc30M.pkl").write_bytes(pickle.dumps(NAMES))
    (folder / "ensembl_mapping_dict_gc30M.pkl").write_bytes(pickle.dumps(MAPPING))
    dictionary, run = made(tool, folder, "-o", folder / "genes.json")
    # The mapping comes first; a name in capitals before one that only reads so; what leads to no gene or to two is left out.
    assert dictionary["names"] == {"ENSG99": "ENSG02", "TP53": "ENSG02", "C1ORF9": "ENSG02", "A": "ENSG02", "B": "ENSG01", "B1": "ENSG02"}
    assert "1 names mean several genes" in run.stderr


def refused(tool, *arguments):
    run = tool("gene_dictionary", *arguments, "-o", "genes.json")
    assert run.returncode in (64, 65, 66)
    return run.stderr


def test_what_does_not_fit_is_refused(folder, tool, tmp_path):
    assert "no gene_median_dictionary" in refused(tool, "--tokens", folder / "token_dictionary_gc30M.pkl")
    assert "no such folder" in refused(tool, tmp_path / "none")
    (folder / "token_dictionary_gc104M.pkl").write_bytes(pickle.dumps(TOKENS))
    assert "several files token_dictionary*" in refused(tool, folder)
    tokens = folder / "token_dictionary_gc104M.pkl"
    for changed, text in [({"ENSG03": 9}, "ENSG03: not a median; expected a number above 0; found null"), ({"ENSG03": 3}, "two tokens of one number"),
                          ({"ENSG03": -1}, "not the number of a token"), ({"ENSG03": "1"}, "not the number of a token"),
                          ({"ENSG03": [1]}, "entry 'ENSG03': no text or number; found [1]"),
                          ({7: 1}, "found a key that is a int"), ({"ENSG03": True}, "no text or number")]:
        tokens.write_bytes(pickle.dumps({**TOKENS, **changed}))
        assert text in refused(tool, folder, "--tokens", tokens)
    tokens.write_bytes(pickle.dumps({k: v for k, v in TOKENS.items() if k != "<mask>"}))
    assert "no special token; expected <mask>" in refused(tool, folder, "--tokens", tokens)
    tokens.write_bytes(pickle.dumps([1]))
    assert "found a list" in refused(tool, folder, "--tokens", tokens)
    bad = folder / "bad.json"
    for text, said in [("{", "not JSON"), ("[]", "no dictionary"), ('{"a": {}}', "no text or number"), ("[" * 100_000, "not JSON")]:
        bad.write_text(text)
        assert said in refused(tool, folder, "--tokens", bad)


def test_the_published_files(tool, shared_data, tmp_path):
    if not (shared_data / "geneformer_dicts").is_dir():
        pytest.skip("no geneformer_dicts there")
    dictionary, _ = made(tool, shared_data / "geneformer_dicts", "-o", tmp_path / "genes.json")
    assert len(dictionary["tokens"]) == 25_426 and len(dictionary["medians"]) == 25_424
    assert dictionary["tokens"]["ENSG00000075624"] == 1319 and round(dictionary["medians"]["ENSG00000075624"], 3) == 41.877
    assert dictionary["tokens"][dictionary["names"]["TP53"]] == 8088
