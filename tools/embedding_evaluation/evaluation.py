"""One evaluation, from files to files."""

import dataclasses
import io
import pathlib

import numpy as np
import pandas as pd

import atomic_files
import progress
from embedding_evaluation import consistency, inputs, page, quality, scores
from failing import USAGE, Failure

FACTS = ["model", "hidden_state", "method", "precision", "batch_size", "device", "seconds", "cells_per_second"]  # of metadata.json, for the page
CAPTIONS = {"pca.png": "principal components", "umap.png": "UMAP", "distance_correlation.png": "distances in both embeddings",
            "class_distances.png": "mean distances of classes"}  # fmt: skip


@dataclasses.dataclass
class Request:
    """The options of tools/evaluate_embeddings."""

    embeddings: str
    output_dir: str
    key: str = ""
    baseline: str = ""
    baseline_key: str = ""
    label: str = ""
    labels: str = ""
    no_label: list = dataclasses.field(default_factory=list)
    control: str = ""
    by_order: bool = False
    pairs_of: int = 5000
    seed: int = 42
    plots: bool = True


def run(options):
    embedding = inputs.read(options.embeddings, options.key)
    baseline = inputs.read(options.baseline, options.baseline_key or options.key, "--baseline-key") if options.baseline else None
    said = inputs.align(embedding, baseline, options.by_order) if baseline else []
    column, labels, said_of_labels = inputs.labels(embedding, options.labels, options.label, options.no_label, options.by_order)
    if baseline is None and labels is None:
        raise Failure(USAGE, "neither --baseline nor --label: nothing to judge by", file=embedding.source, hint=said_of_labels[0])
    labels, said_of_nowhere = inputs.without_nowhere(embedding, baseline, labels)
    control = known_control(labels, options.control)
    folder = pathlib.Path(options.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    done = evaluate(embedding, baseline, labels, control, options)
    done["said"] = [*said, *said_of_labels, *said_of_nowhere, *done["said"]]
    write(folder, embedding, baseline, labels, column, control, done, options)
    show(done, folder)


def known_control(labels, control):
    classes = [] if labels is None else sorted(set(labels) - {""})
    if control and control not in classes:
        raise Failure(USAGE, f"--control {control}: no cell has this label", found=", ".join(classes[:20]) or "no labels")
    return control or "control"


def sample(cells, options):
    """The cells whose pairs are looked at."""
    if cells <= options.pairs_of:
        return np.arange(cells)
    return np.sort(np.random.default_rng(options.seed).choice(cells, options.pairs_of, replace=False))


def evaluate(embedding, baseline, labels, control, options):
    cells = len(embedding.values)
    done = {"consistency": [], "cosines": None, "pairs": None, "qualities": {}, "said": []}
    if cells > options.pairs_of:
        done["said"].append(f"All pairs are those of {options.pairs_of:,} of {cells:,} cells, drawn with seed {options.seed}: correlations "
                            "of distances, silhouette, mean distances. The pictures show cells drawn in the same way.")
    repeated = cells - len(np.unique(embedding.values, axis=0))
    if repeated:
        done["said"].append(f"{repeated} cells have exactly the embedding of another; which of them are nearest neighbours is chance.")
    if baseline is not None:
        progress.say("comparing with the baseline")
        done["consistency"], done["cosines"], *done["pairs"] = consistency.compare(baseline.values, embedding.values, sample(cells, options))
    if labels is not None:
        known = np.flatnonzero(labels != "")
        for name, values in spaces(embedding, baseline).items():
            progress.say(f"judging the {name} by its labels")
            judged = quality.judge(values[known], labels[known], sample(len(known), options), control)
            done["qualities"][name] = judged
            done["said"] += [f"{name.capitalize()}: {sentence}" for sentence in judged.said]
    return done


def spaces(embedding, baseline):
    return {"embedding": embedding.values, **({} if baseline is None else {"baseline": baseline.values})}


def write(folder, embedding, baseline, labels, column, control, done, options):
    summary, geometry = tables(embedding, baseline, labels, done)
    for name, frame in (("evaluation_summary.csv", summary), ("geometry_metrics.csv", geometry)):
        with atomic_files.replacing(folder / name) as temporary:
            frame.to_csv(temporary, index=False)
    pictures = draw(folder, embedding, baseline, labels, control, done, options) if options.plots else {}
    own = done["qualities"].get("embedding")
    facts = {"cells": f"{len(embedding.values):,}", "components": f"{embedding.values.shape[1]:,}"}
    if own:
        facts[f"classes of {column}"] = f"{len(own.classes):,}"
    if done["consistency"]:
        facts["cosine, distances and neighbours within their bands"] = {1.0: "acceptable", 0.0: "not acceptable"}.get(done["consistency"][-1].value, "undecided")
    said = [f"Embedding: {embedding.source}{described(embedding)}", *([f"Baseline: {baseline.source}{described(baseline)}"] if baseline else []), *done["said"]]
    text = page.page("Evaluation of embeddings", facts, said, done["consistency"], {name: found.scores for name, found in done["qualities"].items()},
                     own.classes if own else None, pictures)  # fmt: skip
    atomic_files.write_text(folder / "report.html", text)


def described(embedding):
    parts = [f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name in FACTS if (value := embedding.facts.get(name, "")) != ""]
    return f" ({', '.join(parts)})" if parts else ""


def tables(embedding, baseline, labels, done):
    """-> (a row a metric, a row an embedding)."""
    groups = [("consistency", "embedding", done["consistency"]), *(("quality", name, found.scores) for name, found in done["qualities"].items())]
    summary = [{"group": group, "embedding": name, "metric": score.name, "value": score.value, "good_above": scores.band(score.name),
                "within_band": scores.within(score), "reason": score.reason} for group, name, found in groups for score in found]  # fmt: skip
    geometry = []
    for name, values in spaces(embedding, baseline).items():
        found = [*(done["consistency"] if name == "embedding" else []), *(done["qualities"][name].scores if done["qualities"] else [])]
        known = {"num_classes": len(done["qualities"][name].classes), "num_labelled": int((labels != "").sum())} if done["qualities"] else {}
        source = embedding.source if name == "embedding" else baseline.source
        geometry.append({"embedding": name, "source": source, "num_samples": len(values), "width": values.shape[1], **known,
                         **{score.name: score.value for score in found}})  # fmt: skip
    return pd.DataFrame(summary), pd.DataFrame(geometry)


def draw(folder, embedding, baseline, labels, control, done, options):
    from embedding_evaluation import plots  # matplotlib takes a second

    progress.say("drawing")
    shown = sample(len(embedding.values), options)
    places = {name: values[shown] for name, values in reversed(spaces(embedding, baseline).items())}
    own = done["qualities"].get("embedding")
    figures = plots.draw(places, None if labels is None else labels[shown], control, done["pairs"], done["cosines"], own.distances if own else None)
    pictures = {}
    for name, figure in figures.items():
        with io.BytesIO() as png, atomic_files.replacing(folder / name) as temporary:
            figure.savefig(png, format="png", dpi=110)
            temporary.write_bytes(png.getvalue())
            pictures[name] = png.getvalue(), CAPTIONS[name]
    return pictures


def show(done, folder):
    tables = {"consistency": done["consistency"]} if done["consistency"] else {}
    tables |= {f"quality of the {name}": judged.scores for name, judged in done["qualities"].items()}
    for title, found in tables.items():
        print(title)
        for score in found:
            limit = scores.band(score.name)
            value = f"({score.reason})" if score.value is None else f"{page.number(score.value):>12}"
            against = "" if limit is None or score.value is None else f"  {'>' if score.value > limit else 'not >'} {limit:g}"
            print(f"  {score.name:38}{value}{against}")
    for sentence in done["said"]:
        progress.say(sentence)
    progress.say(f"wrote evaluation_summary.csv, geometry_metrics.csv and report.html into {folder}")
