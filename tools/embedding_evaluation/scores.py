"""The figures of an evaluation: what each is, and from where on the seed's authors call it good. Bands are for reading, not for gating: on
SciPlex2 the published model itself met none of those for quality (accuracy 0.615, silhouette -0.039, separation 1.07). Definitions:
those of github.com/EhsanKA/ispo."""

import dataclasses

EPSILON = 1e-8  # added to norms and means that divide
NEIGHBOURS_PRESERVED = 5
NEIGHBOURS_ALIKE = 15


@dataclasses.dataclass(frozen=True)
class Score:
    name: str
    value: float | None
    reason: str = ""  # why there is no value


# name -> (what it is, above which it is called good or None)
CONSISTENCY = {
    "mean_cosine_similarity": ("cosine of a cell's two embeddings, mean over cells", 0.99),
    "std_cosine_similarity": ("its standard deviation", None),
    "min_cosine_similarity": ("its lowest", None),
    "max_cosine_similarity": ("its highest", None),
    "median_cosine_similarity": ("its median", None),
    "mean_euclidean_distance": ("distance between a cell's two embeddings, mean over cells", None),
    "mean_relative_change": ("the same over the length of the baseline's, mean over cells", None),
    "max_relative_change": ("its highest", None),
    "distance_matrix_pearson": ("Pearson correlation of the distances of all pairs of cells in both", 0.95),
    "distance_matrix_spearman": ("Spearman correlation of the same", None),
    "mean_nn_preservation": (f"share of a cell's {NEIGHBOURS_PRESERVED} nearest neighbours that stay, mean over cells", 0.8),
    "mean_rank_correlation": ("Spearman correlation of the distances to a cell's neighbours in either, mean over cells", None),
    "acceptable": ("1 if the three with a band are within it", None),
}
QUALITY = {
    "zero_shot_accuracy": ("RidgeClassifier (alpha 1, no scaling) on a stratified fifth that it has not seen: accuracy", 0.65),
    "zero_shot_f1_score": ("the same: F1, weighted by class sizes", None),
    "silhouette_score": ("how much nearer a cell is to its own class than to the next: -1 to 1", 0.3),
    "davies_bouldin_index": ("width of classes over the distance of their centres; lower is better", None),
    "calinski_harabasz_score": ("variance between classes over variance within", None),
    "mean_intra_cluster_distance": ("distance of two cells of one class, mean over all pairs", None),
    "mean_inter_cluster_distance": ("distance of two cells of different classes, mean over all pairs", None),
    "separation_ratio": ("the second over the first", 2.0),
    "knn_label_consistency": (f"share of a cell's {NEIGHBOURS_ALIKE} nearest neighbours with its label, mean over cells", 0.7),
    "adjusted_rand_index": ("KMeans with as many clusters as classes against the labels: adjusted Rand index", 0.5),
    "normalized_mutual_info": ("the same: normalised mutual information", None),
    "mean_control_to_perturbation_distance": ("distance of a control cell and one of another class, mean over all pairs", None),
    "mean_control_intra_distance": ("distance of two control cells, mean over all pairs", None),
    "control_separation_ratio": ("the first over the second", None),
}


def band(name):
    """The figure above which `name` is called good, or None."""
    return (CONSISTENCY.get(name) or QUALITY[name])[1]


def within(score):
    """"yes", "no", or "" where there is no band or no value."""
    limit = band(score.name)
    return "" if limit is None or score.value is None else "yes" if score.value > limit else "no"


def missing(names, reason):
    return [Score(name, None, reason) for name in names]
