"""How well an embedding tells the labels of its cells."""

import dataclasses
import math
import warnings

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from embedding_evaluation.scores import EPSILON, NEIGHBOURS_ALIKE, QUALITY, Score, missing

SEED = 42  # of the split and of KMeans
ACCURACY, F1 = "zero_shot_accuracy", "zero_shot_f1_score"
SHAPES = {"silhouette_score": None,  # from the distances
          "davies_bouldin_index": metrics.davies_bouldin_score, "calinski_harabasz_score": metrics.calinski_harabasz_score}  # fmt: skip
WITHIN, BETWEEN, SEPARATION = "mean_intra_cluster_distance", "mean_inter_cluster_distance", "separation_ratio"
ALIKE, RAND, MUTUAL = "knn_label_consistency", "adjusted_rand_index", "normalized_mutual_info"
CONTROL = ["mean_control_to_perturbation_distance", "mean_control_intra_distance", "control_separation_ratio"]


@dataclasses.dataclass
class Quality:
    scores: list
    classes: pd.DataFrame  # a row a class: cells, recall, knn_label_consistency
    distances: pd.DataFrame | None  # [class, class] mean distance of two different cells; NaN where there are none
    said: list


def judge(values, labels, chosen, control):
    """`values`: [cells, width] float64; `labels`: a text a cell, none empty; `chosen`: the cells of which all pairs are looked at;
    `control`: the class that others are perturbations of, "" for none."""
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    table = pd.DataFrame({"cells": np.bincount(codes)}, index=pd.Index(names, name="class"))
    if len(names) < 2:
        return Quality(missing(QUALITY, f"one class: {names[0]}"), table, None, [])
    split, table["recall"] = _classifier(values, codes, names)
    alike, table[ALIKE] = _neighbours(values, codes, len(names))
    clusters, said = _clusters(values, codes, len(names))
    square = squareform(pdist(values[chosen]))
    pairs, between = _pairs(square, codes[chosen], names, control)
    found = [*split, *_shapes(values, codes, square, chosen), *pairs, alike, *clusters]
    by_name = {score.name: score for score in found}
    return Quality([by_name[name] for name in QUALITY], table, between, said)


def _classifier(values, codes, names):
    counts = np.bincount(codes)
    held_out = math.ceil(0.2 * len(codes))
    reason = ""
    if counts.min() < 2:
        reason = f"class {names[counts.argmin()]} has one cell: no stratified split"
    elif held_out < len(names):
        reason = f"a fifth, {held_out} cells, cannot hold all {len(names)} classes"
    if reason:
        return missing([ACCURACY, F1], reason), np.nan
    train, test, of_train, of_test = train_test_split(values, codes, test_size=0.2, random_state=SEED, stratify=codes)
    told = RidgeClassifier().fit(train, of_train).predict(test)
    recall = metrics.recall_score(of_test, told, labels=range(len(names)), average=None, zero_division=np.nan)
    return [Score(ACCURACY, float(metrics.accuracy_score(of_test, told))),
            Score(F1, float(metrics.f1_score(of_test, told, average="weighted", zero_division=0)))], recall  # fmt: skip


def _neighbours(values, codes, classes):
    if len(values) <= NEIGHBOURS_ALIKE:
        return missing([ALIKE], f"needs more than {NEIGHBOURS_ALIKE} cells")[0], np.nan
    near = NearestNeighbors(n_neighbors=NEIGHBOURS_ALIKE, algorithm="brute").fit(values).kneighbors(return_distance=False)
    same = (codes[near] == codes[:, None]).mean(1)
    return Score(ALIKE, float(same.mean())), np.bincount(codes, same, classes) / np.bincount(codes)


def _clusters(values, codes, classes):
    if classes > len(values):
        return missing([RAND, MUTUAL], "fewer cells than classes"), []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        clusters = KMeans(n_clusters=classes, random_state=SEED, n_init=10).fit_predict(values)
    said = sorted({f"KMeans: {str(warning.message).split('. ')[0]}." for warning in warned})
    return [Score(RAND, float(metrics.adjusted_rand_score(codes, clusters))),
            Score(MUTUAL, float(metrics.normalized_mutual_info_score(codes, clusters)))], said  # fmt: skip


def _shapes(values, codes, square, chosen):
    if not np.ptp(values, axis=0).any():
        return missing(SHAPES, "all cells have the same embedding")
    found = []
    for name, score in SHAPES.items():
        of = codes if score else codes[chosen]
        classes = len(np.unique(of))
        if not 1 < classes < len(of):
            found += missing([name], "each cell is a class of its own" if classes > 1 else "the sampled cells are of one class")
        else:
            value = score(values, of) if score else metrics.silhouette_score(square, of, metric="precomputed")
            found.append(Score(name, float(value)))
    return found


def _pairs(square, codes, names, control):
    """Means over pairs of different cells, from the sums of distances of each two classes."""
    member = np.eye(len(names))[codes]  # [cells, classes]
    counts = member.sum(0)
    sums, pairs = member.T @ square @ member, np.outer(counts, counts) - np.diag(counts)
    own, all_own = np.trace(sums), np.trace(pairs)
    found = [_mean(WITHIN, own, all_own, "no class has two cells"),
             _mean(BETWEEN, sums.sum() - own, pairs.sum() - all_own, "the sampled cells are of one class")]  # fmt: skip
    found.append(_ratio(SEPARATION, found[1], found[0], "all cells of a class have the same embedding"))
    if control in names:
        at = list(names).index(control)
        apart = _mean(CONTROL[0], sums[at].sum() - sums[at, at], pairs[at].sum() - pairs[at, at], "no control among the sampled cells")
        inside = _mean(CONTROL[1], sums[at, at], pairs[at, at], f"fewer than two cells are {control}")
        found += [apart, inside, _ratio(CONTROL[2], apart, inside, f"all cells of {control} have the same embedding")]
    else:
        found += missing(CONTROL, f"no class is called {control}" if control else "no --control")
    with np.errstate(invalid="ignore", divide="ignore"):
        return found, pd.DataFrame(np.where(pairs > 0, sums / pairs, np.nan), names, names)


def _mean(name, total, pairs, reason):
    return Score(name, float(total / pairs)) if pairs else Score(name, None, reason)


def _ratio(name, above, below, reason):
    if above.value is None or below.value is None:
        return Score(name, None, above.reason or below.reason)
    return Score(name, above.value / (below.value + EPSILON)) if below.value > 0 else Score(name, None, reason)
