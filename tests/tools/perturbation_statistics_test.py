"""tools/perturbation_statistics on planted answers, judged by scipy called by hand and by arithmetic."""
import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import perturbation_tables as tables


def answer(seed=0, cells=40, genes=30, pushed=(3, 7), anchor=False):
    random = np.random.default_rng(seed)
    layers = {name: random.normal(0, 1e-3, (cells, genes)).astype("f4") for name in ("shift_to_ill", "shift_to_well", "shift_to_odd")}
    cosine = (1 - random.gamma(2, 1e-4, (cells, genes))).astype("f4")
    for gene in pushed:
        layers["shift_to_well"][:, gene] += 3e-3
        cosine[:, gene] -= 5e-3
    absent = random.random((cells, genes)) < 0.3
    for matrix in (cosine, *layers.values()):
        matrix[absent] = np.nan
    layers["mean_gene_cosine"] = cosine - np.float32(1e-4)
    names = [f"ENSG{i}" for i in range(genes)]
    var = pd.DataFrame({"token": [str(i + 4) for i in range(genes)], "gene_name": [f"G{i}" for i in range(genes)]}, index=names)
    uns = {"command": "perturb", "start_state": "ill", "goal_state": "well", "alternative_states": "odd"}
    return anndata.AnnData(cosine, var=var, layers=layers, uns=uns, obs=pd.DataFrame(index=[f"c{i}" for i in range(cells)]))


def test_ranksum_without_ties_is_scipys_ranksums():
    random = np.random.default_rng(1)
    a, b = random.normal(0.3, 1, 31), random.normal(0, 1, 50)
    p, effect = tables.ranksum(a, b)
    assert p == pytest.approx(scipy.stats.ranksums(b, a).pvalue, rel=1e-12)
    assert effect == pytest.approx(np.sign(a[:, None] - b[None]).mean(), rel=1e-12)  # Cliff's delta


def test_ranksum_with_ties_corrects_for_them():
    a, b = np.array([1, 1, 2, 3, 3.0]), np.array([1, 2, 2, 2, 4, 4.0])
    p, effect = tables.ranksum(a, b)
    ranks = scipy.stats.rankdata(np.r_[a, b])
    m, n = len(a), len(b)
    ties = np.unique(np.r_[a, b], return_counts=True)[1]
    variance = m * n / 12 * (m + n + 1 - (ties**3 - ties).sum() / ((m + n) * (m + n - 1)))
    z = (ranks[:m].sum() - m * (m + n + 1) / 2) / np.sqrt(variance)
    assert p == pytest.approx(2 * scipy.stats.norm.sf(abs(z)), rel=1e-12)
    assert effect == pytest.approx(np.sign(a[:, None] - b[None]).mean(), rel=1e-12)
    assert tables.ranksum(np.ones(3), np.ones(5)) == (1.0, 0.0)
    assert np.isnan(tables.ranksum(np.array([]), np.ones(5))).all()


def test_false_discovery_rate_by_its_definition():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.005])
    assert tables.false_discovery_rate(p) == pytest.approx([0.02, np.nan, 0.04, 0.04, 0.02], nan_ok=True)


def test_goal_state_shift_finds_what_was_pushed():
    made = answer()
    table = tables.goal_state_shift(made)
    assert set(table.loc[table.Sig == 1, "Gene_name"]) == {"G3", "G7"}
    assert list(table["Gene_name"][:2]) == list(table.sort_values("Shift_to_goal_end", ascending=False)["Gene_name"][:2])
    shifts = made.layers["shift_to_well"]
    row = table[table.Ensembl_ID == "ENSG7"].iloc[0]
    own, pool = (x[~np.isnan(x)] for x in (shifts[:, 7].astype("f8"), shifts.ravel().astype("f8")))
    assert row.Shift_to_goal_end == pytest.approx(own.mean())
    assert row.Goal_end_vs_random_pval == pytest.approx(scipy.stats.ranksums(pool, own).pvalue, rel=1e-3)
    assert row.N_Detections == len(own) and row.Gene == "11" and row.Goal_end_rank_biserial > 0.8
    assert {"Shift_to_alt_end_odd", "Alt_end_vs_random_pval_odd", "Alt_end_FDR_odd"} <= set(table.columns)
    assert table["Goal_end_FDR"].to_numpy() == pytest.approx(scipy.stats.false_discovery_control(table["Goal_end_vs_random_pval"]))


def test_a_pool_that_is_too_large_is_drawn(monkeypatch):
    monkeypatch.setattr(tables, "POOL", 50)
    assert len(tables.pool_of(answer().layers["shift_to_well"])) == 50


def test_vs_null_compares_the_same_perturbations():
    test, null = answer(0), answer(1, pushed=())
    table = tables.vs_null(test, null[:, ::-1].copy(), "cosine")
    assert set(table.loc[table.Sig == 1, "Gene_name"]) == {"G3", "G7"}
    row = table[table.Gene_name == "G3"].iloc[0]
    assert row.Test_avg_shift == pytest.approx(np.nanmean(test.X[:, 3].astype("f8")))
    assert row.Null_avg_shift == pytest.approx(np.nanmean(null.X[:, 3].astype("f8")))
    assert row.N_Detections_null == (~np.isnan(null.X[:, 3])).sum()
    missing = tables.vs_null(test, null[:, 1:].copy(), "cosine").set_index("Gene_name").loc["G0"]
    assert missing.N_Detections_null == 0 and np.isnan(missing.Test_vs_null_FDR) and missing.Sig == 0


def test_the_mixture_separates_impact():
    table = tables.mixture_model(answer(), "cosine").set_index("Gene_name")
    assert set(table.index[table.Impact_component == 1]) == {"G3", "G7"}
    assert list(table.index[:2]) == list(table["Test_avg_shift"].sort_values().index[:2])
    assert (table.loc[["G3", "G7"], "Impact_component_percent"] > 90).all()
    assert table["Impact_component_percent"].drop(["G3", "G7"]).max() < 60


def test_an_anchor_gives_both_alone_and_their_sum():
    made = answer(genes=5, pushed=())
    names = ["A", "B", "A+B", "C", "A+C"]
    made.var_names = names
    made.uns["anchor"] = "A"
    made.X[:, 2] = made.X[:, 0] + made.X[:, 1] - 1
    made.X[:, 4] = made.X[:, 0] + made.X[:, 3] - 1 - np.float32(0.01)
    table = tables.mixture_model(made, "cosine").set_index("Ensembl_ID")
    assert list(table.index) == ["A+C", "A+B"]
    assert table.loc["A+B", "Combo_minus_sum_shift"] == pytest.approx(0, abs=1e-6)
    assert table.loc["A+C", "Combo_minus_sum_shift"] == pytest.approx(-0.01, abs=1e-6)
    there = ~np.isnan(made.X[:, 2])
    assert table.loc["A+B", "Anchor_shift"] == pytest.approx(made.X[there, 0].astype("f8").mean())


def test_pairs_of_genes():
    obs = pd.DataFrame({"token": ["5", "6"], "gene_name": ["X", "Y"]}, index=["E5", "E6"])
    var = pd.DataFrame({"token": ["6", "7"], "gene_name": ["Y", "Z"]}, index=["E6", "E7"])
    made = anndata.AnnData(np.array([[0.9, np.nan], [np.nan, 0.8]], "f4"), obs=obs, var=var, uns={"command": "perturb"},
                           layers={"stdev": np.zeros((2, 2), "f4"), "n_detections": np.array([[3, 0], [0, 1]], "f4")})
    table = tables.aggregate_gene_shifts(made)
    assert table[["Perturbed", "Affected", "Gene_name", "Affected_gene_name", "N_Detections"]].to_numpy().tolist() == [
        ["6", "7", "Y", "Z", 1], ["5", "6", "X", "Y", 3]]


def test_the_command(tool, tmp_path):
    answer().write_h5ad(tmp_path / "a.h5ad")
    done = tool("perturbation_statistics", tmp_path / "a.h5ad", "goal_state_shift", "--output", tmp_path / "t.csv")
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "t.csv")["Sig"].sum() == 2
    done = tool("perturbation_statistics", tmp_path / "a.h5ad", "vs_null", "--output", tmp_path / "n.csv")
    assert done.returncode == 64 and "--null is needed" in done.stderr
    done = tool("perturbation_statistics", tmp_path / "a.h5ad", "aggregate_gene_shifts", "--output", tmp_path / "n.csv")
    assert done.returncode == 64 and "--mode gene" in done.stderr
    plain = answer()
    plain.uns = {"command": "perturb"}
    plain.write_h5ad(tmp_path / "b.h5ad")
    done = tool("perturbation_statistics", tmp_path / "b.h5ad", "goal_state_shift", "--output", tmp_path / "n.csv")
    assert done.returncode == 65 and "--state FIELD" in done.stderr
    assert not (tmp_path / "n.csv").exists()
