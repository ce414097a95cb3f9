"""What a counterfactual is to be compared with: predictions of stimulated cells from control cells without a model.

`make(cells, split)` -> {name: predict(rows)}; each uses the training cells of the split alone.
"""
import numpy as np
from scipy.spatial.distance import cdist

from measures import components

INTERACTION_PENALTY, OTHER_PENALTY, NEIGHBOURS = 10.0, 1e-3, 10


def ridge_shift(x, kind, stimulated, kinds):
    """Ridge of expression on type, condition and their products, the products alone penalised. -> shift [kinds, genes]"""
    design = np.zeros((len(x), 2 * kinds + 1))
    design[np.arange(len(x)), kind] = 1
    design[:, kinds] = stimulated
    design[np.arange(len(x)), kinds + 1 + kind] = stimulated
    penalty = np.diag([OTHER_PENALTY] * (kinds + 1) + [INTERACTION_PENALTY] * kinds)
    beta = np.linalg.solve(design.T @ design + penalty, design.T @ x)
    return (beta[kinds] + beta[kinds + 1 :]).astype("f4")


def make(cells, split):
    x, kind, kinds = cells.x, cells.type, len(cells.types)
    control = split.train[~cells.stimulated[split.train]]
    stimulated = split.train[cells.stimulated[split.train]]
    of = lambda rows, k: x[rows[kind[rows] == k]]
    shifts, weights = {}, {}
    for k in range(kinds):
        a, b = of(control, k), of(stimulated, k)
        if min(len(a), len(b)) >= 2:
            shifts[k], weights[k] = b.mean(0) - a.mean(0), len(a) * len(b) / (len(a) + len(b))
    additive = x[stimulated].mean(0) - x[control].mean(0)
    adjusted = sum(shifts[k] * (weights[k] / sum(weights.values())) for k in shifts)
    per_type = np.stack([shifts.get(k, adjusted) for k in range(kinds)])
    ridge = ridge_shift(x[split.train], kind[split.train], cells.stimulated[split.train], kinds)
    overall = x[stimulated].mean(0)
    means = np.stack([z.mean(0) if len(z) else overall for z in (of(stimulated, k) for k in range(kinds))])
    mean, axes = components(x[split.train])
    near_control, near_stimulated = (x[control] - mean) @ axes, (x[stimulated] - mean) @ axes

    def type_mean(rows):
        unseen = len(set(kind[rows])) == 1 and len(of(stimulated, kind[rows[0]])) < 2
        return None if unseen else means[kind[rows]]

    def neighbours(rows):
        here = (x[rows] - mean) @ axes - near_control.mean(0)
        nearest = np.argpartition(cdist(here, near_stimulated - near_stimulated.mean(0)), NEIGHBOURS)[:, :NEIGHBOURS]
        return np.stack([x[stimulated[j]].mean(0) for j in nearest])

    return {
        "no change": lambda rows: x[rows],
        "additive shift": lambda rows: x[rows] + additive,
        "additive shift, adjusted": lambda rows: x[rows] + adjusted,
        "type x condition mean": type_mean,
        "per-type shift": lambda rows: x[rows] + per_type[kind[rows]],
        "ridge shift": lambda rows: x[rows] + ridge[kind[rows]],
        "nearest neighbours": neighbours,
    }
