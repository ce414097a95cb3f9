"""The real client, two releases from PyPI, against a server of the test predictor: its own integration test, the documented
snippets as they are written, and the promises that no snippet shows."""
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest
from serving import server

HERE = pathlib.Path(__file__).parent
CLIENTS = pathlib.Path(os.environ.get("CELLMILL_CLIENTS") or "build/clients")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
GENES = 500


def pip(*words):
    done = subprocess.run([*PIP, *map(str, words)], capture_output=True, text=True, timeout=280)
    if done.returncode:
        pytest.skip(f"no package registry: {done.stderr.strip().splitlines()[-1:]}")


def client(version):
    folder = CLIENTS / f"{version}-py{sys.version_info[1]}"
    if not (folder / "whole").exists():
        pip("install", "--upgrade", "--no-deps", "--target", folder, "-r", HERE / "client_requirements.txt", f"pysynthbio=={version}")
        (folder / "whole").touch()
    return folder


def python(folder, code, url, **environment):
    environment = {**os.environ, "PYTHONPATH": str(folder), "SYNTHESIZE_API_KEY": "any", "URL": url, **environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def running():
    with server(genes=GENES) as one:
        yield one


PROMISES = """
import os, numpy as np, pysynthbio as P
from pysynthbio.http_client import NotFoundError, ValidationError
from pysynthbio.get_example_query import get_example_query
url, mid = os.environ["URL"], "gem-1-bulk_predict-metadata"
q = get_example_query(model_id=mid, api_base_url=url)["example_query"]
n = len(q["inputs"][0]["counts"])
rng = np.random.default_rng(0)
q["inputs"] = [{"counts": rng.poisson(3, n).tolist()} for _ in range(5)]
r = P.predict_query(dict(q), model_id=mid, api_base_url=url, auto_authenticate=False)
assert r["expression"].shape == (5, n) and len(r["metadata"]) == 5 and list(r["latents"]) == ["biological", "technical", "perturbation"]
for row in r["classifier_probs"].to_dict("records"):
    for field, p in row.items():
        assert abs(sum(p.values()) - 1) < 1e-6, field
again = P.predict_query(dict(q), model_id=mid, api_base_url=url)
assert (again["expression"].values == r["expression"].values).all()
s = P.predict_query(dict(q), model_id=mid, api_base_url=url, self_hosted=True)
assert (s["expression"].values == r["expression"].values).all() and (s["metadata"] == r["metadata"]).all().all()
assert s["classifier_probs"].to_dict("records")[0]["cell_type"].keys() == r["classifier_probs"].to_dict("records")[0]["cell_type"].keys()
assert np.allclose(s["latents"]["biological"][4], r["latents"]["biological"][4])
assert P.predict_query(dict(q), model_id=mid, api_base_url=url, return_download_url=True)["download_url"].startswith(url)
for bad in ([1] * (n - 1), [-1] + [0] * (n - 1), [10.5] + [0] * (n - 1), ["x"] + [0] * (n - 1)):
    try:
        P.predict_query({"inputs": [{"counts": bad}]}, model_id=mid, api_base_url=url)
        raise SystemExit("accepted")
    except ValidationError as error:
        assert error.status_code == 422 and "- inputs[0].counts" in str(error), error
try:
    P.predict_query(dict(q), model_id=mid, api_base_url=url, nonsense=1)
    raise SystemExit("accepted")
except ValidationError as error:
    assert "- nonsense: is no parameter" in str(error), error
try:
    get_example_query(model_id="nothing", api_base_url=url)
    raise SystemExit("found")
except NotFoundError:
    pass
for mid in ("gem-1-bulk", "gem-1-sc", "gem-1-bulk_reference-conditioning", "gem-1-sc_reference-conditioning"):
    q = get_example_query(model_id=mid, api_base_url=url)["example_query"]
    q["inputs"][0]["num_samples"] = 3
    r, s = (P.predict_query(dict(q), model_id=mid, api_base_url=url, self_hosted=way) for way in (False, True))
    assert r["expression"].shape == (3, n) and (r["expression"].values == s["expression"].values).all(), mid
    assert len(set(map(tuple, r["expression"].values.tolist()))) == 3
"""

# As the client's documentation of metadata prediction has them; only the address is ours.
SNIPPETS = """
import os, functools, pysynthbio, pandas as pd, numpy as np
for name in ("get_example_query", "predict_query"):
    setattr(pysynthbio, name, functools.partial(getattr(pysynthbio, name), api_base_url=os.environ["URL"]))
for model_id in ("gem-1-bulk_predict-metadata", "gem-1-sc_predict-metadata"):
    unlabeled_counts = pd.read_csv(os.environ["CSV"], index_col=0)
    query = pysynthbio.get_example_query(model_id=model_id)["example_query"]
    query["inputs"] = [
        {"counts": unlabeled_counts.iloc[:, i].tolist()}
        for i in range(unlabeled_counts.shape[1])
    ]
    query["seed"] = 42
    result = pysynthbio.predict_query(query, model_id=model_id)
    if isinstance(result, dict):  # 4.2 gives tables, the documentation reads lists
        result = [dict(metadata=m, classifier_probs=p, latents=l) for m, p, l in zip(*(result[k].to_dict("records") for k in ("metadata", "classifier_probs", "latents")))]
    annotations = pd.DataFrame([output["metadata"] for output in result])
    annotations["sample_id"] = unlabeled_counts.columns.tolist()
    assert annotations.shape[0] == 4 and "cell_type_ontology_id" in annotations
    first_output = result[0]
    assert all(first_output["metadata"].get(f) for f in ("cell_type_ontology_id", "tissue_ontology_id", "disease_ontology_id"))
    cell_type_probs = first_output["classifier_probs"]["cell_type"]
    sorted_probs = sorted(cell_type_probs.items(), key=lambda x: x[1], reverse=True)
    assert sorted_probs[0][0] == first_output["metadata"]["cell_type_ontology_id"]
    provided_labels = ["UBERON:0002107", "UBERON:0002107", "UBERON:0000955", "UBERON:0000955"]
    predicted_labels = [output["metadata"].get("tissue_ontology_id") for output in result]
    mismatches = [
        i for i, (provided, predicted) in enumerate(zip(provided_labels, predicted_labels))
        if provided != predicted
    ]
    assert set(predicted_labels) <= {"UBERON:0002107", "UBERON:0000955"} and set(mismatches) <= {0, 1, 2, 3}
    batch_labels = ["batch1", "batch1", "batch2", "batch2"]
    technical_latents = [output["latents"]["technical"] for output in result]
    for batch in set(batch_labels):
        batch_indices = [i for i, batch_name in enumerate(batch_labels) if batch_name == batch]
        assert np.isfinite(np.mean([technical_latents[i][0] for i in batch_indices]))
"""


def test_promises(running):
    python(client("4.2.4"), PROMISES, running.url)


@pytest.mark.parametrize("version", ["4.2.4", "4.0.5"])
def test_documented_snippets(running, version, tmp_path):
    rows = ["gene,a,b,c,d"] + [f"GENE{g},{g % 5},{g % 3},{g % 7},{g % 2}" for g in range(GENES)]
    (tmp_path / "unlabeled_samples.csv").write_text("\n".join(rows))
    python(client(version), SNIPPETS, running.url, CSV=str(tmp_path / "unlabeled_samples.csv"))


def own_integration_test(url, folder):
    """The client's, over all six model ids."""
    source = CLIENTS / "source"
    if not list(source.glob("pysynthbio-4.2.4.tar.gz")):
        pip("download", "--no-deps", "--no-binary", "pysynthbio", "--dest", source, "pysynthbio==4.2.4")
    with tarfile.open(source / "pysynthbio-4.2.4.tar.gz") as packed:
        text = packed.extractfile("pysynthbio-4.2.4/tests/test_local_integration.py").read()
    (folder / "test_local_integration.py").write_bytes(text)
    environment = {**os.environ, "PYTHONPATH": str(client("4.2.4")), "SYNTHESIZE_API_KEY": "any", "API_BASE_URL": url}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr


def test_its_own_integration_test(running, tmp_path):
    own_integration_test(running.url, tmp_path)
