"""What the factor model is judged by, and what it is judged beside."""
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler

BINS, TOP_GENES, FEWEST = 10, 50, 20


def calibration_error(probability, right):
    """Expected calibration error: confidence less accuracy, over bins of confidence, weighted by cells."""
    bins = np.minimum((probability * BINS).astype(int), BINS - 1)
    return float(sum(abs(right[bins == b].mean() - probability[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)))


def heads(truth, words, probability):
    """truth: texts; probability [cells, words]."""
    told = np.asarray(words, dtype=object)[probability.argmax(1)]
    return {"accuracy": float(accuracy_score(truth, told)), "errors": int((truth != told).sum()),
            "macro_f1": float(f1_score(truth, told, average="macro")),
            "ece": calibration_error(probability.max(1), truth == told)}


def told(truth, predicted):
    return {"accuracy": float(accuracy_score(truth, predicted)), "macro_f1": float(f1_score(truth, predicted, average="macro"))}


def probe(fit, fit_labels, read, read_labels):
    """Balanced accuracy of a linear probe (logistic regression on standardised columns), fitted on some cells, read on others."""
    scaler = StandardScaler().fit(fit)
    linear = LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced").fit(scaler.transform(fit), fit_labels)
    return float(balanced_accuracy_score(read_labels, linear.predict(scaler.transform(read))))


def one_hot(texts, values=None):
    values = sorted(set(texts)) if values is None else list(values)
    return np.eye(len(values))[[values.index(text) for text in texts]]


def shift_scores(truth, shift):
    return {"r": float(np.corrcoef(truth, shift)[0, 1]), "rmse": float(np.sqrt(np.mean((truth - shift) ** 2)))}


def mean_of(y, rows):
    return np.asarray(y[rows].mean(0)).ravel()


def guessed_shifts(y, kind, stimulated, held):
    """From the other types alone: the unweighted mean of their shifts, and the shift of the type whose control cells are most
    like those of the held-out one."""
    shifts, control = {}, {}
    for other in sorted(set(kind) - {held}):
        a, b = np.where((kind == other) & stimulated)[0], np.where((kind == other) & ~stimulated)[0]
        if min(len(a), len(b)) >= FEWEST:
            shifts[other], control[other] = mean_of(y, a) - mean_of(y, b), mean_of(y, b)
    own = mean_of(y, np.where((kind == held) & ~stimulated)[0])
    nearest = max(control, key=lambda other: np.corrcoef(control[other], own)[0, 1])
    return {"additive": np.mean(list(shifts.values()), 0), "nearest type's shift": shifts[nearest]}
