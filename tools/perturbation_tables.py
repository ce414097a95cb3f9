"""Tables of what `cellmill perturb` wrote, with Geneformer's names of columns. Tests are scipy's, the mixture scikit-learn's."""

import numpy as np
import pandas as pd
import scipy.stats
import sklearn.mixture

POOL = 100_000  # values of all perturbations that one perturbation's are compared with
SIGNIFICANT = 0.05
UPSTREAM, GOAL = "mean_gene_cosine", "goal"  # measures; the others are a layer's name or "cosine"


def states(answer):
    """(goal, [alternatives]) of an answer; (None, []) if it has no states."""
    facts = answer.uns
    others = str(facts.get("alternative_states", ""))
    return facts.get("goal_state"), others.split("\n") if others else []


def values(answer, measure):
    """[cells, perturbations], NaN where a cell lacks the gene."""
    if measure == GOAL:
        measure = f"shift_to_{states(answer)[0]}"
    return np.asarray(answer.X if measure == "cosine" else answer.layers[measure], np.float64)


def detected(column):
    return column[~np.isnan(column)]


def identity(answer, some=slice(None)):
    var = answer.var.iloc[some]
    return pd.DataFrame({"Gene": var["token"].astype(str).to_numpy(), "Gene_name": var["gene_name"].astype(str).to_numpy(),
                         "Ensembl_ID": var.index.to_numpy(str)})


def ranksum(sample, reference):
    """(p, rank-biserial correlation) of Wilcoxon's rank-sum test, two-sided, normal, corrected for ties; > 0: `sample` is larger.
    Without ties p is that of scipy.stats.ranksums."""
    if len(sample) == 0 or len(reference) == 0:
        return np.nan, np.nan
    test = scipy.stats.mannwhitneyu(sample, reference, use_continuity=False, method="asymptotic")
    p = test.pvalue if np.isfinite(test.pvalue) else 1.0  # all values are equal
    return p, 2 * test.statistic / (len(sample) * len(reference)) - 1


def false_discovery_rate(p):
    """Benjamini and Hochberg's, NaN kept."""
    p, rate = np.asarray(p, np.float64), np.full(len(p), np.nan)
    known = ~np.isnan(p)
    if known.any():
        rate[known] = scipy.stats.false_discovery_control(p[known], method="bh")
    return rate


def pool_of(shifts):
    """Values of all perturbations; of more than POOL a draw by seed 42."""
    pool = detected(shifts.ravel())
    return pool if len(pool) <= POOL else np.random.default_rng(42).choice(pool, POOL, replace=False)


def against_pool(shifts):
    """Mean, p and effect of each perturbation's shifts against those of all."""
    pool = pool_of(shifts)
    tests = [ranksum(detected(column), pool) for column in shifts.T]
    return mean(shifts), np.array([t[0] for t in tests]), np.array([t[1] for t in tests])


def mean(shifts):
    count = (~np.isnan(shifts)).sum(0)
    return np.where(count > 0, np.nansum(shifts, 0) / np.maximum(count, 1), np.nan)


def goal_state_shift(answer):
    goal, alternatives = states(answer)
    table = identity(answer)
    columns = {name: against_pool(values(answer, f"shift_to_{name}")) for name in [goal, *alternatives]}
    table["Shift_to_goal_end"] = columns[goal][0]
    for name in alternatives:
        table[f"Shift_to_alt_end_{name}"] = columns[name][0]
    table["Goal_end_vs_random_pval"] = columns[goal][1]
    for name in alternatives:
        table[f"Alt_end_vs_random_pval_{name}"] = columns[name][1]
    table["Goal_end_FDR"] = false_discovery_rate(columns[goal][1])
    for name in alternatives:
        table[f"Alt_end_FDR_{name}"] = false_discovery_rate(columns[name][1])
    table["Goal_end_rank_biserial"] = columns[goal][2]
    for name in alternatives:
        table[f"Alt_end_rank_biserial_{name}"] = columns[name][2]
    table["N_Detections"] = (~np.isnan(values(answer, GOAL))).sum(0)
    table["Sig"] = (table["Goal_end_FDR"] < SIGNIFICANT).astype(int)
    return table.sort_values(["Sig", "Shift_to_goal_end", "Goal_end_FDR"], ascending=[False, False, True], ignore_index=True)


def vs_null(answer, null, measure):
    """Each perturbation in the cells of `answer` against the same in those of `null`."""
    test, table = values(answer, measure), identity(answer)
    null_values = pd.DataFrame(values(null, measure), columns=null.var_names)
    columns = [detected(null_values[name].to_numpy()) if name in null_values else np.array([]) for name in answer.var_names]
    tests = [ranksum(detected(own), other) for own, other in zip(test.T, columns, strict=True)]
    table["Test_avg_shift"] = mean(test)
    table["Null_avg_shift"] = [np.mean(c) if len(c) else np.nan for c in columns]
    table["Test_vs_null_avg_shift"] = table["Test_avg_shift"] - table["Null_avg_shift"]
    table["Test_vs_null_pval"] = [p for p, _ in tests]
    table["Test_vs_null_FDR"] = false_discovery_rate(table["Test_vs_null_pval"])
    table["Test_vs_null_rank_biserial"] = [effect for _, effect in tests]
    table["N_Detections_test"] = (~np.isnan(test)).sum(0)
    table["N_Detections_null"] = [len(c) for c in columns]
    table["Sig"] = (table["Test_vs_null_FDR"] < SIGNIFICANT).astype(int)
    return table.sort_values(["Sig", "Test_vs_null_avg_shift", "Test_vs_null_FDR"], ascending=[False, False, True], ignore_index=True)


def impact(answer, measure, chosen):
    """Of the perturbations `chosen`: whether their mean belongs to the lower of two normal components of the means, and the percent
    of their cells that do. Beyond a component's mean, outwards, a value belongs to it."""
    some = values(answer, measure)[:, chosen]
    means = mean(some)
    known = ~np.isnan(means)
    mixture = sklearn.mixture.GaussianMixture(n_components=2, random_state=0).fit(means[known, None])
    low, high = np.sort(mixture.means_.ravel())
    lower = int(np.argmin(mixture.means_.ravel()))

    def is_impact(x):
        inside = mixture.predict(x[:, None]) == lower if len(x) else np.zeros(0, bool)
        return np.where(x < low, True, np.where(x > high, False, inside))

    component = np.zeros(len(means), int)
    component[known] = is_impact(means[known])
    percent = [100 * is_impact(detected(c)).mean() if len(detected(c)) else np.nan for c in some.T]
    return component, percent, some


def mixture_model(answer, measure):
    anchor = [name for name in answer.var_names if "+" in name]
    if anchor and "anchor" in answer.uns:
        return anchored_mixture_model(answer, measure)
    chosen = np.arange(answer.n_vars)
    component, percent, some = impact(answer, measure, chosen)
    table = identity(answer)
    table["Test_avg_shift"] = mean(some)
    return with_impact(table, component, percent, some, "Test_avg_shift")


def anchored_mixture_model(answer, measure):
    names = list(answer.var_names)
    chosen = np.array([i for i, name in enumerate(names) if "+" in name])
    component, percent, both = impact(answer, measure, chosen)
    shifts = values(answer, measure)
    parts = [[names.index(gene) for gene in names[i].split("+")] for i in chosen]
    anchor, gene = (np.where(np.isnan(both), np.nan, shifts[:, [p[k] for p in parts]]) for k in (0, 1))
    alone = anchor + gene - 1  # cosines: 1 - ((1 - a) + (1 - b))
    table = identity(answer, chosen)
    table["Anchor_shift"], table["Test_token_shift"] = mean(anchor), mean(gene)
    table["Sum_of_indiv_shifts"], table["Combo_shift"] = mean(alone), mean(both)
    table["Combo_minus_sum_shift"] = mean(both - alone)
    return with_impact(table, component, percent, both, "Combo_shift")


def with_impact(table, component, percent, some, by):
    table["Impact_component"], table["Impact_component_percent"] = component, percent
    table["N_Detections"] = (~np.isnan(some)).sum(0)
    return table.sort_values(["Impact_component", by], ascending=[False, True], ignore_index=True)


def aggregate_data(answer, measure):
    shifts, table = values(answer, measure), identity(answer)
    table["Cosine_sim_mean"] = mean(shifts)
    table["Cosine_sim_stdev"] = [np.std(detected(c)) if len(detected(c)) else np.nan for c in shifts.T]
    table["N_Detections"] = (~np.isnan(shifts)).sum(0)
    return table.sort_values("Cosine_sim_mean", ignore_index=True)


def aggregate_gene_shifts(answer):
    """Pairs of perturbed and affected gene that a cell had, of an answer of --mode gene."""
    row, column = np.nonzero(np.asarray(answer.layers["n_detections"]) > 0)
    obs, var = answer.obs, answer.var
    return pd.DataFrame({
        "Perturbed": obs["token"].astype(str).to_numpy()[row], "Gene_name": obs["gene_name"].astype(str).to_numpy()[row],
        "Ensembl_ID": obs.index.to_numpy(str)[row], "Affected": var["token"].astype(str).to_numpy()[column],
        "Affected_gene_name": var["gene_name"].astype(str).to_numpy()[column],
        "Affected_Ensembl_ID": var.index.to_numpy(str)[column], "Cosine_sim_mean": np.asarray(answer.X)[row, column],
        "Cosine_sim_stdev": np.asarray(answer.layers["stdev"])[row, column],
        "N_Detections": np.asarray(answer.layers["n_detections"])[row, column].astype(int),
    }).sort_values("Cosine_sim_mean", ignore_index=True)
