"""The pictures of an evaluation."""

import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)
import numpy as np  # noqa: E402
from sklearn.decomposition import PCA  # noqa: E402

SEED = 42
_NEAR = 15  # UMAP's neighbours
_LEGEND = 24  # classes a column
_NUMBERS = 14  # classes up to which the heat map says its values
_GREY = "#b3b8bf"

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11, "font.size": 10})


def draw(spaces, labels, control, pairs, cosines, distances):
    """{name: Figure}. `spaces`: title -> [cells, width], rows alike; `labels`: a text a cell, "" for none, or None; `pairs`: distances of
    the same pairs in both spaces, or None; `cosines`: one a cell, or None; `distances`: mean distances of classes, or None."""
    figures = {"pca.png": _map("PCA", {title: _pca(values) for title, values in spaces.items()}, labels, control)}
    if min(map(len, spaces.values())) > 3:
        figures["umap.png"] = _map("UMAP", {title: (_umap(values), ["UMAP 1", "UMAP 2"]) for title, values in spaces.items()}, labels, control)
    if pairs is not None:
        figures["distance_correlation.png"] = _pairs(*pairs, cosines)
    if distances is not None:
        figures["class_distances.png"] = _heat(distances, control)
    return figures


def _pca(values):
    parts = min(2, *values.shape)
    pca = PCA(parts, random_state=SEED)
    with np.errstate(invalid="ignore", divide="ignore"):
        places = np.hstack([pca.fit_transform(values), np.zeros((len(values), 2 - parts))])
        share = np.nan_to_num(np.append(pca.explained_variance_ratio_, [0] * (2 - parts)))
    return places, [f"PC {1 + part} ({share[part]:.0%} of the variance)" for part in range(2)]


def _umap(values):
    import umap  # some seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed means one thread; that tiny data have few neighbours
        how = umap.UMAP(n_neighbors=min(_NEAR, len(values) - 1), random_state=SEED, init="random" if len(values) <= 2 * _NEAR else "spectral")
        return how.fit_transform(values)


def _order(labels, control):
    """Classes, the control first."""
    return sorted({label for label in labels if label}, key=lambda name: (name != control, name))


def _colours(classes, control):
    others = [name for name in classes if name != control]
    if len(others) <= 10:
        colours = plt.get_cmap("tab10").colors
    elif len(others) <= 20:
        colours = plt.get_cmap("tab20").colors
    else:
        hues = np.arange(len(others)) * 0.618034 % 1
        light = np.resize([0.95, 0.6, 0.8], len(others))
        colours = matplotlib.colors.hsv_to_rgb(np.stack([hues, np.resize([0.9, 0.75, 0.5], len(others)), light], axis=1))
    return {**dict(zip(others, colours, strict=False)), control: _GREY}


def _map(kind, places, labels, control):
    classes = [] if labels is None else _order(labels, control)
    columns = -(-len(classes) // _LEGEND)
    figure, grid = plt.subplots(1, len(places), figsize=(5.6 * len(places) + 1.7 * columns, 5.2), layout="constrained", squeeze=False)
    colours = _colours(classes, control)
    cells = len(next(iter(places.values()))[0])
    look = {"s": float(np.clip(12000 / cells, 4, 40)), "linewidths": 0, "alpha": 0.8}
    for axes, (title, (xy, names)) in zip(grid[0], places.items(), strict=True):
        bare = np.ones(cells, bool) if labels is None else labels == ""
        axes.scatter(*xy[bare].T, color="#2f6f9f" if labels is None else "#e3e5e8", **look)
        for name in classes:
            axes.scatter(*xy[labels == name].T, color=[colours[name]], label=f"{_short(name)} ({(labels == name).sum()})", **look)
        axes.set(title=f"{kind}: {title}", xlabel=names[0], ylabel=names[1], xticks=[], yticks=[])
    if classes:
        legend = figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside right upper", ncols=columns, fontsize=8, frameon=False)
        for handle in legend.legend_handles:
            handle.set(sizes=[36], alpha=1)
    return figure


def _pairs(before, after, cosines):
    figure, grid = plt.subplots(1, 1 + (cosines is not None), figsize=(5.6 * (1 + (cosines is not None)), 5), layout="constrained", squeeze=False)
    axes = grid[0][0]
    if np.ptp(before) > 0 and np.ptp(after) > 0:
        bins = axes.hexbin(before, after, gridsize=70, bins="log", mincnt=1, cmap="viridis", linewidths=0.2)
        figure.colorbar(bins, ax=axes, label="pairs of cells", shrink=0.85)
    else:
        axes.scatter(before[:1], after[:1], color="#2f6f9f")
    top = max(before.max(initial=0), after.max(initial=0)) or 1
    axes.plot([0, top], [0, top], color="#a40000", linewidth=1, linestyle="--", label="equal")
    axes.legend(frameon=False, loc="upper left")
    axes.set(title=f"Distances of {len(before):,} pairs of cells", xlabel="in the baseline", ylabel="in the embedding")
    if cosines is not None:
        low = min(cosines.min(), 0.999999)
        grid[0][1].hist(cosines, bins=np.linspace(low, 1, 41), color="#2f6f9f")
        grid[0][1].set(title="Cosine of a cell's two embeddings", xlabel="cosine", ylabel="cells", yscale="log")
        grid[0][1].ticklabel_format(axis="x", useOffset=False)
        grid[0][1].locator_params(axis="x", nbins=5)
    return figure


def _heat(distances, control):
    order = _order(distances.index, control)
    values = distances.loc[order, order].to_numpy()
    size = float(np.clip((0.45 if len(order) <= _NUMBERS else 0.24) * len(order), 3.4, 16))
    figure, axes = plt.subplots(figsize=(size + 3.2, size + 1.6), layout="constrained")
    image = axes.imshow(values, cmap="viridis")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2 if np.isfinite(values).any() else 0
    for (row, column), value in np.ndenumerate(values if len(order) <= _NUMBERS else np.empty((0, 0))):
        axes.text(column, row, f"{value:.3g}" if np.isfinite(value) else "", ha="center", va="center", fontsize=7,
                  color="white" if value < middle else "black")
    names = [_short(name) for name in order]
    axes.set_xticks(range(len(order)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(order)), names, fontsize=8)
    axes.spines[:].set_visible(False)
    axes.set_title("Mean distance of two cells,\nby their classes (diagonal: of one class)")
    figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def _short(name):
    return name if len(name) <= 26 else name[:25] + "…"
