"""The bias report as three pictures; which there are depends on the data."""

import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of the backend)
import numpy as np  # noqa: E402

_TOP, _TABLE, _TABLES = 6, 12, 6
_ROWS = 10  # a category, on average, for a table to say something


def draw(result):
    """{name: Figure}: what each field holds, which field tells which, and the tables of the pairs that tell most."""
    figures = {"bias_fields.png": _fields(result)}
    pairs = [pair for pair in result["pairs"] if pair["b_told_by_a"] is not None or pair["a_told_by_b"] is not None]
    if pairs:
        figures["bias_pairs.png"] = _pairs(pairs, [name for name in result["fields"] if any(name in (pair["a"], pair["b"]) for pair in pairs)])
    crossed = [pair for pair in pairs if min(len(pair["a_values"]), len(pair["b_values"])) > 1 and
               pair["rows"] >= _ROWS * max(len(pair["a_values"]), len(pair["b_values"]))]
    if crossed:
        crossed.sort(key=lambda pair: -max(pair["b_told_by_a"] or 0, pair["a_told_by_b"] or 0))
        figures["bias_tables.png"] = _tables(crossed[:_TABLES])
    return figures


def _fields(result):
    fields = list(result["fields"].items())
    figure, axes = plt.subplots(figsize=(12, 1.2 + 0.62 * len(fields)), layout="constrained")
    colours = plt.get_cmap("tab20c").colors
    for place, (name, field) in enumerate(fields):
        parts = list(field["counts"].items())
        shown = [*parts[:_TOP], *([(f"{len(parts) - _TOP} others", sum(count for _, count in parts[_TOP:]))] if len(parts) > _TOP else [])]
        left = 0.0
        for rank, (label, count) in enumerate([*shown, ("missing", field["missing"])]):
            share = 100 * count / max(result["rows"], 1)
            missing = rank == len(shown)
            axes.barh(place, share, left=left, height=0.8, color="white" if missing else colours[2 * rank], edgecolor="grey",
                      linewidth=0.5, hatch="///" if missing else None)
            letters = int(share * 1.3)
            if letters >= min(len(label), 7):
                lines = textwrap.wrap(label, letters)
                lines = lines[:3] if len(lines) <= 3 else [*lines[:2], lines[2][: letters - 1] + "…"]
                axes.text(left + share / 2, place, "\n".join(lines), ha="center", va="center", fontsize=7, linespacing=0.9,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1} if missing else None)
            left += share
    axes.set_yticks(range(len(fields)), [f"{name} ({field['categories']})" for name, field in fields])
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="share of the rows, %",
             title=f"What each field holds: the {_TOP} largest of its categories ({result['rows']} rows)")
    return figure


def _pairs(pairs, names):
    told = np.full((len(names), len(names)), np.nan)
    for pair in pairs:
        a, b = names.index(pair["a"]), names.index(pair["b"])
        told[a, b], told[b, a] = (np.nan if value is None else value for value in (pair["b_told_by_a"], pair["a_told_by_b"]))
    figure, axes = plt.subplots(figsize=(3 + 0.7 * len(names), 2.2 + 0.6 * len(names)), layout="constrained")
    image = axes.imshow(told, vmin=0, vmax=1, cmap="magma_r")
    for (row, column), value in np.ndenumerate(told):
        axes.text(column, row, "" if np.isnan(value) else f"{value:.2f}", ha="center", va="center", fontsize=8,
                  color="white" if value > 0.6 else "black")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="is told", ylabel="this field", title="How far a field tells another\n(1: settles it; empty: it does not vary)")
    figure.colorbar(image, ax=axes, label="U", shrink=0.8)
    return figure


def _tables(pairs):
    rows = -(-len(pairs) // 2)
    figure, grid = plt.subplots(rows, min(2, len(pairs)), figsize=(15 if len(pairs) > 1 else 8, 4.8 * rows), layout="constrained",
                                squeeze=False)
    for axes, pair in zip(grid.flat, pairs, strict=False):
        counts = np.array(pair["counts"])
        kept_a, kept_b = (np.sort(np.argsort(-counts.sum(1 - side))[:_TABLE]) for side in (0, 1))
        shares = counts[np.ix_(kept_a, kept_b)] / counts.sum()
        axes.imshow(shares, cmap="Blues", aspect="auto", vmin=0)
        for (row, column), share in np.ndenumerate(shares):
            if share:
                axes.text(column, row, f"{100 * share:.1f}", ha="center", va="center", fontsize=7,
                          color="white" if share > 0.6 * shares.max() else "black")
        axes.set_xticks(range(len(kept_b)), [_short(pair["b_values"][place]) for place in kept_b], rotation=40, ha="right", fontsize=8)
        axes.set_yticks(range(len(kept_a)), [_short(pair["a_values"][place]) for place in kept_a], fontsize=8)
        axes.set_title(f"{pair['a']} x {pair['b']}, % of {pair['rows']} rows", fontsize=10)
    for axes in grid.flat[len(pairs) :]:
        axes.axis("off")
    return figure


def _short(label):
    return label if len(label) <= 30 else label[:29] + "…"
