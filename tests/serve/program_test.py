"""`cellmill serve` over models that `cellmill train` has just made: what the real client is promised, and answers that equal the same
weights in plain PyTorch (benchmarks/peers/service/model.py)."""
import json
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from client_test import PROMISES, client, own_integration_test, python
from serving import BULK, PROGRAM, SC, program

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/peers/service"))
from model import FactorModel  # noqa: E402

FIELDS = "cell_type,tissue,disease,assay,perturbation,sex"
MODALITY = {"gem-1-sc": "single_cell", "gem-1-bulk": "bulk"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{model name: run folder}, a minute's training less fifty-five seconds."""
    root = tmp_path_factory.mktemp("runs")
    for name, modality in MODALITY.items():
        settings = ["train.max_steps=60", "train.device=cpu", f"data.synthetic_fields=[{FIELDS}]", "data.synthetic_categories=[3,5,4,2,3,2]", "data.synthetic_cells=1024",
                    f"model.factor_model.modality={modality}", f"output.folder={root / name}"]  # fmt: skip
        done = subprocess.run([PROGRAM, "train", "--config", ROOT / "configs/factor_tiny.yaml", "--set", *settings], capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
    return {name: root / name for name in MODALITY}


@pytest.fixture(scope="module")
def running(runs):
    with program(runs) as one:
        yield one


def samples(count, genes=200):
    return np.random.default_rng(3).negative_binomial(0.6, 0.02, (count, genes))


def answers(one, model, query):
    job = one.predict(query, model)[2]["modelQueryId"]
    state = one.call("GET", f"/api/model-queries/{job}/status")[2]
    assert state["status"] == "ready", state
    return one.call("GET", state["downloadUrl"].removeprefix(one.url))[2]


@pytest.mark.parametrize("name", MODALITY)
def test_answers_are_the_models(running, runs, name):
    counts = samples(5)
    answer = answers(running, f"{name}_predict-metadata", {"inputs": [{"counts": row.tolist()} for row in counts]})
    model = FactorModel(runs[name])
    z, p, y = model.predict(torch.tensor(counts, dtype=torch.float32))
    assert answer["gene_order"] == model.genes
    for i, output in enumerate(answer["outputs"]):
        for group, values in z.items():
            assert np.allclose(output["latents"][group], values[i], atol=2e-4), group
        assert set(output["classifier_probs"]) == set(FIELDS.split(","))
        for field, row in output["classifier_probs"].items():
            assert list(row) == model.labels[field] and abs(sum(row.values()) - 1) < 1e-5
            assert np.allclose(list(row.values()), p[field][i], atol=2e-4), field
        assert output["metadata"]["cell_type_ontology_id"] == max(output["classifier_probs"]["cell_type"].items(), key=lambda each: each[1])[0]
        assert "perturbation_ontology_id" in output["metadata"] and "assay" in output["metadata"]
        assert np.abs(np.array(output["decoder_sample"]["counts"]) - y[i].numpy()).max() <= 1 + 1e-4 * y[i].max()


def test_a_row_is_the_same_alone_and_in_company(running):
    rows = [{"counts": row.tolist()} for row in samples(6)]
    together = answers(running, SC, {"inputs": rows})["outputs"]
    for row, expected in zip(rows, together):
        (alone,) = answers(running, SC, {"inputs": [row]})["outputs"]
        assert alone["metadata"] == expected["metadata"]
        assert np.allclose(alone["latents"]["biological"], expected["latents"]["biological"], atol=1e-5)
        assert np.abs(np.subtract(alone["decoder_sample"]["counts"], expected["decoder_sample"]["counts"])).max() <= 1


@pytest.mark.parametrize("name", MODALITY)
def test_generation(running, name):
    metadata = {"cell_type_ontology_id": "cell_type_1", "perturbation_ontology_id": "perturbation_0"}
    query = {"sampling_strategy": "mean estimation", "inputs": [{"metadata": metadata, "num_samples": 4}], "seed": 9}
    first, again = (answers(running, name, query)["outputs"] for _ in range(2))
    assert first == again and len({tuple(each["counts"]) for each in first}) == 4
    assert first[0]["metadata"] == metadata
    total = 10_000_000 if name == "gem-1-bulk" else 10_000
    assert all(abs(sum(each["counts"]) - total) < 0.02 * total for each in first)
    fixed = answers(running, name, {**query, "deterministic_latents": True, "total_count": 5000})["outputs"]
    assert len({tuple(each["counts"]) for each in fixed}) == 1 and abs(sum(fixed[0]["counts"]) - 5000) < 150
    other = answers(running, name, {**query, "deterministic_latents": True, "total_count": 5000, "inputs": [{"metadata": {"cell_type": "cell_type_0"}}]})["outputs"]
    assert other[0]["counts"] != fixed[0]["counts"]
    noisy = running.predict({**query, "sampling_strategy": "sample generation"}, name)
    assert noisy[0] == (200 if name == "gem-1-bulk" else 422), noisy
    wrong = running.predict({**query, "inputs": [{"metadata": {"cell_type": "cell_typ_1"}}]}, name)[2]
    assert wrong["errors"][0]["path"] == "inputs[0].metadata.cell_type" and "cell_type_1" in wrong["errors"][0]["message"], wrong


@pytest.mark.parametrize("name", MODALITY)
def test_generation_of_a_seed_is_that_of_the_command(running, runs, name, tmp_path):
    strategy = "sample generation" if name == "gem-1-bulk" else "mean estimation"
    words = ["--set", "cell_type=cell_type_1", "--num-samples", "3", "--seed", "9", "--sampling", strategy]
    done = subprocess.run([PROGRAM, "generate", "--checkpoint", runs[name], "--output", tmp_path / "a.json", "--device", "cpu", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    query = {"sampling_strategy": strategy, "inputs": [{"metadata": {"cell_type": "cell_type_1"}, "num_samples": 3}], "seed": 9}
    for own, served in zip(json.loads((tmp_path / "a.json").read_text())["outputs"], answers(running, name, query)["outputs"], strict=True):
        assert np.abs(np.subtract(own["counts"], served["counts"])).max() <= 1 and sum(own["counts"]) > 1000
        assert np.allclose(own["latents"]["biological"], served["latents"]["biological"], atol=1e-5)


def test_generation_beside_a_reference(running):
    (row,) = samples(1)
    query = {"sampling_strategy": "mean estimation", "deterministic_latents": True, "inputs": [{"counts": row.tolist(), "metadata": {"perturbation": "perturbation_2"}}]}
    name = "gem-1-sc_reference-conditioning"
    (output,) = answers(running, name, query)["outputs"]
    (own,) = answers(running, SC, {"inputs": [{"counts": row.tolist()}]})["outputs"]
    for group in ("biological", "technical"):
        assert np.allclose(output["latents"][group], own["latents"][group], atol=1e-5)
    assert not np.allclose(output["latents"]["perturbation"], own["latents"]["perturbation"], atol=1e-3)
    assert abs(sum(output["counts"]) - row.sum()) < 0.05 * row.sum()
    (fixed,) = answers(running, name, {**query, "fixed_total_count": True, "total_count": 50_000})["outputs"]
    assert abs(sum(fixed["counts"]) - 50_000) < 500


def test_the_real_client(running, tmp_path):
    python(client("4.2.4"), PROMISES, running.url)
    own_integration_test(running.url, tmp_path)


def test_it_ends_in_order_and_refuses_what_cannot_be(runs):
    with program({"gem-1-bulk": runs["gem-1-bulk"]}) as one:
        assert one.call("GET", "/api/models")[2]["models"][0]["model_version"].startswith("factor_model-60-")
        assert one.predict({"inputs": []}, SC)[0] == 404
        assert one.predict({"inputs": []}, BULK)[0] == 422
        assert one.end(signal.SIGTERM) == 0
    for words, code, said in [
        (["--model", "gem-1-sc"], 64, "no NAME=DIR"),
        (["--model", "gem-1-sc=/nowhere"], 66, "no such checkpoint"),
        (["--model", f"gem-1-sc={runs['gem-1-sc']}", "--address", "0.0.0.0"], 64, "needs tokens"),
        (["--model", f"a/b={runs['gem-1-sc']}"], 64, "a/b"),
        ([], 64, "--model"),
    ]:
        done = subprocess.run([PROGRAM, "serve", *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == code and said in done.stderr, (words, done)
