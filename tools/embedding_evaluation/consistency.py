"""How far an embedding is another one of the same cells: angles, distances, neighbours."""

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.neighbors import NearestNeighbors

from embedding_evaluation.scores import CONSISTENCY, EPSILON, NEIGHBOURS_PRESERVED, Score, band, missing


def compare(baseline, other, chosen):
    """`baseline`, `other`: [cells, width] float64, rows alike; `chosen`: the cells of which all pairs are compared. -> (scores, a cosine a
    cell or None, distances of the pairs in the baseline, in the other)."""
    rows, cosines = _rows(baseline, other)
    before, after = pdist(baseline[chosen]), pdist(other[chosen])
    found = [*rows, *_distances(before, after), *_neighbours(baseline, other)]
    value = {score.name: score.value for score in found}
    decisive = [name for name in CONSISTENCY if band(name) is not None]
    without = [name for name in decisive if value[name] is None]
    verdict = Score("acceptable", None, f"no {', '.join(without)}") if without else Score(
        "acceptable", float(all(value[name] > band(name) for name in decisive)))
    return [*found, verdict], cosines, before, after


def _rows(baseline, other):
    names = [name for name in CONSISTENCY if "cosine" in name or "euclidean" in name or "change" in name]
    if baseline.shape != other.shape:
        return missing(names, f"the embeddings have other widths: {baseline.shape[1]} and {other.shape[1]}"), None
    lengths = np.linalg.norm(baseline, axis=1)
    cosines = ((baseline / (lengths + EPSILON)[:, None]) * (other / (np.linalg.norm(other, axis=1) + EPSILON)[:, None])).sum(1)
    moved = np.linalg.norm(baseline - other, axis=1)
    change = moved / (lengths + EPSILON)
    values = [cosines.mean(), cosines.std(), cosines.min(), cosines.max(), np.median(cosines), moved.mean(), change.mean(), change.max()]
    return [Score(name, float(value)) for name, value in zip(names, values, strict=True)], cosines


def _distances(before, after):
    """All pairs once: the seed counts each twice, which changes neither correlation."""
    names = ["distance_matrix_pearson", "distance_matrix_spearman"]
    if len(before) < 2:
        return missing(names, "fewer than three cells")
    if np.ptp(before) == 0 or np.ptp(after) == 0:
        return missing(names, "all pairs have the same distance")
    return [Score(names[0], float(pearsonr(before, after).statistic)), Score(names[1], float(spearmanr(before, after).statistic))]


def _neighbours(baseline, other):
    k, names = NEIGHBOURS_PRESERVED, ["mean_nn_preservation", "mean_rank_correlation"]
    if len(baseline) <= k:
        return missing(names, f"needs more than {k} cells")
    first, second = (NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors(return_distance=False) for x in (baseline, other))
    kept = (first[:, :, None] == second[:, None, :]).any(2)  # [cells, k]: the baseline's neighbours that are the other's, too
    correlations = _rank_correlations(baseline, other, first, second)
    rank = Score(names[1], float(correlations.mean())) if len(correlations) else missing(names[1:], "each cell's neighbours are all equally far")[0]
    return [Score(names[0], float(kept.mean())), rank]


def _rank_correlations(baseline, other, first, second):
    """Spearman's of the distances to the neighbours in either, for each cell where both vary."""
    found = []
    union = [np.union1d(a, b) for a, b in zip(first, second, strict=True)]
    sizes = np.array([len(cells) for cells in union])
    for size in np.unique(sizes):
        cells = np.flatnonzero(sizes == size)
        for some in np.array_split(cells, -(-len(cells) * size * baseline.shape[1] // 10_000_000)):
            near = np.stack([union[cell] for cell in some])
            ranks = [rankdata(np.linalg.norm(x[near] - x[some][:, None], axis=2), axis=1) - (size + 1) / 2 for x in (baseline, other)]
            lengths = np.linalg.norm(ranks[0], axis=1) * np.linalg.norm(ranks[1], axis=1)
            varies = lengths > 0
            found.append((ranks[0] * ranks[1]).sum(1)[varies] / lengths[varies])
    return np.concatenate(found)
