"""How good generated populations are.

Per group, with p, c, t the means of generated, input (control) and real stimulated cells:
cor = correlation over genes of p - c and t - c; err = |p - t|^2 / |t - c|^2 (no change = 1); err100 = err on the 100 genes
with the largest |Welch t| between conditions over all real cells of the group; E = energy distance of generated and real
stimulated cells in 20 principal components of the training cells, divided by that of control and stimulated cells.
Groups: `all` (test cells of the types that training saw stimulated), `type` (mean over those types with at least 20
test cells in both conditions), `held` (every cell of the type never seen stimulated).
"""
import numpy as np
from scipy.spatial.distance import cdist

MIN_CELLS, TOP_GENES, COMPONENTS = 20, 100, 20
NAMES = ["cor", "err", "err100", "E"]


def components(x):
    """Mean [genes] and the leading principal axes [genes, COMPONENTS] of x, exactly, through the Gram matrix of its cells."""
    mean = x.mean(0)
    centred = (x - mean).astype("f8")
    values, vectors = np.linalg.eigh(centred @ centred.T)
    lead = slice(-1, -COMPONENTS - 1, -1)
    return mean, (centred.T @ vectors[:, lead] / np.sqrt(values[lead])).astype("f4")


def energy_distance(a, b):
    within = lambda z: cdist(z, z).sum() / max(1, len(z) * (len(z) - 1))
    return 2 * cdist(a, b).mean() - within(a) - within(b)


def top_genes(control, stimulated):
    noise = control.var(0, ddof=1) / len(control) + stimulated.var(0, ddof=1) / len(stimulated) + 1e-4
    return np.argsort(-np.abs(stimulated.mean(0) - control.mean(0)) / np.sqrt(noise))[:TOP_GENES]


class Judge:
    """Scores predictions on one split. `rows` are the control cells a prediction is asked for."""

    def __init__(self, cells, split):
        self.cells = cells
        test, held = split.test, split.held
        pick = lambda rows, stimulated: rows[cells.stimulated[rows] == stimulated]
        self.groups = []  # name, input cells, real stimulated cells, all real cells
        seen = test[cells.type[test] != held]
        self._add("all", seen, np.where(cells.type != held)[0], pick)
        for kind in range(len(cells.types)):
            rows = test[cells.type[test] == kind]
            if kind != held and min(len(pick(rows, False)), len(pick(rows, True))) >= MIN_CELLS:
                self._add("type", rows, np.where(cells.type == kind)[0], pick)
        rows = np.where(cells.type == held)[0]
        self._add("held", rows, rows, pick)
        self.rows = np.unique(np.concatenate([group[1] for group in self.groups]))
        self.mean, self.axes = components(cells.x[split.train])

    def _add(self, name, rows, real, pick):
        x = self.cells.x
        self.groups.append((name, pick(rows, False), pick(rows, True), top_genes(x[pick(real, False)], x[pick(real, True)])))

    def _project(self, x):
        return (x - self.mean) @ self.axes

    def score(self, predict):
        """predict(rows) -> generated cells [rows, genes], or None where the method has no answer. -> {group: {metric: value}}"""
        found = {}
        for name, rows, truth, top in self.groups:
            generated = predict(rows)
            if generated is None:
                continue
            control, real = self.cells.x[rows], self.cells.x[truth]
            c, t, p = (z.mean(0, dtype="f8") for z in (control, real, generated))
            shift, error = t - c, p - t
            moved = p - c
            cor = np.corrcoef(moved, shift)[0, 1] if np.any(moved) else 0.0
            spread = energy_distance(self._project(generated), self._project(real))
            spread /= energy_distance(self._project(control), self._project(real))
            found.setdefault(name, []).append([cor, error @ error / (shift @ shift),
                                               error[top] @ error[top] / (shift[top] @ shift[top]), spread])
        return {name: dict(zip(NAMES, np.mean(values, 0).tolist())) for name, values in found.items()}

    def noise(self):
        """Sampling noise of the real mean in units of the squared shift: no prediction can be expected below it."""
        found = {}
        for name, rows, truth, top in self.groups:
            real = self.cells.x[truth]
            shift = real.mean(0) - self.cells.x[rows].mean(0)
            noise = real.var(0, ddof=1) / len(real)
            found.setdefault(name, []).append([noise.sum() / (shift @ shift), noise[top].sum() / (shift[top] @ shift[top])])
        return {name: dict(zip(["err", "err100"], np.mean(v, 0).tolist())) for name, v in found.items()}
