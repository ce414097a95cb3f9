"""The questions that real cells put to the factor model, each with what it is judged beside. A part is a generator of results:
{"what": ..., "who": ..., figures}, for one seed."""
import json
import os

import anndata
import numpy as np
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold

import factor_cells as source
import factor_measures as measure
import program

GENES = {"pbmc3k": 3000, "sc_mixology": 1000, "kang": 2000}  # most variable over the training cells; baselines read the same


class Trained:
    """One training of the program, and its answers."""

    def __init__(self, tools, place, name, cells, configs, settings, seed):
        self.tools, self.stem = tools, os.path.join(place, name)
        self.log, self.run = self.stem + ".log", self.stem
        os.makedirs(place, exist_ok=True)
        asked = {"configs": [self._text(name) for name in configs], "set": {**tools.set, **settings}, "seed": seed,
                 "cells": source.digest(cells)}
        record = self.stem + ".settings.json"
        if os.path.exists(record) and json.load(open(record)) == asked:
            return  # trained before, and kept
        source.write(cells, self.stem + ".train.h5ad")
        own = {"data.path": self.stem + ".train.h5ad", "data.fields": list(cells.labels), "data.split.seed": seed, "train.seed": seed,
               "train.threads": 1, "output.folder": self.run, "evaluation.every_steps": 1_000_000,
               "checkpoint.every_steps": 1_000_000, "checkpoint.every_minutes": 0, "checkpoint.keep_last": 1}
        program.train(tools.program, [os.path.join(tools.configs, name) for name in configs], {**own, **tools.set, **settings}, self.run,
                      self.log)
        os.remove(self.stem + ".train.h5ad")
        with open(record, "w") as out:
            json.dump(asked, out)

    def _text(self, name):
        with open(os.path.join(self.tools.configs, name)) as text:
            return text.read()

    def ask(self, cells, context=()):
        """-> AnnData: obsm probability_FIELD and latent_GROUP; with a context ("field=value", ...) X and layer `metadata`."""
        source.write(cells, self.stem + ".input.h5ad")
        command = [self.tools.answers, "--checkpoint", self.run, "--input", self.stem + ".input.h5ad", "--output",
                   self.stem + ".answer.h5ad"]
        program.call(command + (["--set", *context] if context else []), self.log)
        answer = anndata.read_h5ad(self.stem + ".answer.h5ad")
        os.remove(self.stem + ".input.h5ad")
        os.remove(self.stem + ".answer.h5ad")
        return answer

    def probabilities(self, answer, field):
        return list(answer.uns[f"probability_{field}_names"]), np.asarray(answer.obsm["probability_" + field])


def folds(texts, seed):
    return StratifiedKFold(5, shuffle=True, random_state=seed).split(texts, texts)


def pickrell_sex(tools, place, seed):
    """Five folds; half of the training labels hidden. The program chooses the markers, by the labels that are left."""
    cells = source.load(tools.data("bulk_pickrell.h5ad"), {"sex": "sex"})
    truth, random = cells.labels["sex"], np.random.RandomState(seed)
    probability, linear, hidden_right = np.zeros((len(truth), 2)), np.empty(len(truth), dtype=object), []
    y = source.log_expression(cells.counts, 1e6).toarray()
    for fold, (train, test) in enumerate(folds(truth, seed)):
        training, hidden = source.hide(cells.rows(train), 0.5, random)
        model = Trained(tools, place, f"fold-{fold}", training, ["factor_bulk.yaml"], {"model.factor_model.markers.fields": ["sex"]}, seed)
        words, probability[test] = model.probabilities(model.ask(cells.rows(test)), "sex")
        _, of_hidden = model.probabilities(model.ask(cells.rows(train[hidden["sex"]])), "sex")
        hidden_right.append((np.array(words)[of_hidden.argmax(1)] == truth[train[hidden["sex"]]]).mean())
        seen = train[~hidden["sex"]]
        score = np.nan_to_num(f_classif(y[seen], truth[seen])[0]) * (y[seen].var(0) > 0.1)
        markers = np.argsort(-score, kind="stable")[:50]
        linear[test] = LogisticRegression(C=0.1, max_iter=1000).fit(y[np.ix_(seen, markers)], truth[seen]).predict(y[np.ix_(test, markers)])
    yield {"what": "sex", "who": "cellmill", **measure.heads(truth, words, probability), "hidden": float(np.mean(hidden_right))}
    yield {"what": "sex", "who": "logistic regression", **measure.told(truth, linear)}


def pbmc_types(tools, place, seed):
    """Five folds of the labelled cells; a tenth of the training cells finds the temperature."""
    cells = source.load(tools.data("pbmc3k.h5ad"), {"cell_type": "cell_type_author"})
    cells = cells.rows(np.where(cells.labels["cell_type"] != "")[0])
    truth = cells.labels["cell_type"]
    words = sorted(set(truth))
    probability, linear, ridge = (np.zeros((len(truth), len(words))) for _ in range(3))
    for fold, (train, test) in enumerate(folds(truth, seed)):
        chosen = cells.most_variable(train, GENES["pbmc3k"])
        y = source.log_expression(chosen.counts)
        fit, read = y[train], y[test]
        model = Trained(tools, place, f"fold-{fold}", chosen.rows(train), ["factor_labels.yaml"], {}, seed)
        told, probability[test] = model.probabilities(model.ask(chosen.rows(test)), "cell_type")
        assert told == words
        linear[test] = LogisticRegression(C=1.0, max_iter=1000).fit(fit, truth[train]).predict_proba(read)
        ridge[test] = RidgeClassifier(100.0).fit(fit, truth[train]).decision_function(read)
    yield {"what": "cell type", "who": "cellmill", **measure.heads(truth, words, probability)}
    yield {"what": "cell type", "who": "logistic regression", **measure.heads(truth, words, linear)}
    yield {"what": "cell type", "who": "ridge", **measure.told(truth, np.array(words, dtype=object)[ridge.argmax(1)])}


def heads_and_leakage(tools, place, seed, cells, genes, groups, configs, settings):
    """A fifth of the cells held out, 30 % of the training labels hidden. `groups`: field -> its latent."""
    together = np.array([" ".join(texts) for texts in zip(*cells.labels.values())], dtype=object)
    rare = {text for text in set(together) if (together == text).sum() < 5}
    train, test = next(folds(np.where(np.isin(together, list(rare)), "rare", together), seed))
    cells = cells.most_variable(train, genes)
    training, hidden = source.hide(cells.rows(train), 0.3, np.random.RandomState(seed))
    model = Trained(tools, place, "labels", training, configs, settings, seed)
    of_train, of_test = model.ask(cells.rows(train)), model.ask(cells.rows(test))
    latents = sorted({"latent_" + group for group in groups.values()})
    y = source.log_expression(cells.counts)
    for field, group in groups.items():
        truth = cells.labels[field]
        words, probability = model.probabilities(of_test, field)
        _, of_hidden = model.probabilities(of_train, field)
        right = np.array(words, dtype=object)[of_hidden.argmax(1)] == truth[train]
        yield {"what": field, "who": "cellmill", **measure.heads(truth[test], words, probability), "hidden": float(right[hidden[field]].mean())}
        ridge = RidgeClassifier(100.0).fit(y[train], truth[train]).predict(y[test])
        yield {"what": field, "who": "ridge, no label hidden", **measure.told(truth[test], ridge)}
        for latent in latents:
            own = latent == "latent_" + group
            reading = measure.probe(of_train.obsm[latent], truth[train], of_test.obsm[latent], truth[test])
            result = {"what": f"{field} in the {latent[7:]} latent", "who": "own" if own else "leakage", "probe": reading,
                      "chance": 1 / len(set(truth))}
            others = [other for other in groups if "latent_" + groups[other] == latent]
            if not own:  # what the other group's true labels tell: no latent that knows them can tell less
                known = np.hstack([measure.one_hot(cells.labels[other]) for other in others])
                result["labels"] = measure.probe(known[train], truth[train], known[test], truth[test])
            yield result


def mixology(tools, place, seed):
    cells = source.load(tools.data("sc_mixology.h5ad"), {"cell_line": "cell_line", "assay": "assay", "batch": "batch"})
    yield from heads_and_leakage(tools, place, seed, cells, GENES["sc_mixology"], {"cell_line": "biological", "assay": "technical", "batch": "technical"},
                                 ["factor_default.yaml"], {"model.factor_model.fields.technical": ["assay", "batch"], "train.global_batch": 64})


KANG = {"cell_type": "cell_type_author", "perturbation": "condition"}


def kang_labels(tools, place, seed):
    yield from heads_and_leakage(tools, place, seed, source.load(tools.data("kang_ifnb.h5ad"), KANG), GENES["kang"],
                                 {"cell_type": "biological", "perturbation": "perturbation"}, ["factor_default.yaml"], {})


def kang_generation(tools, place, seed):
    """No stimulated cell of one type is trained on; its control cells are the references. Every shift is read in one way: the
    difference of two means over the same cells, of the model's own decoder means for it (stimulated less control)."""
    whole = source.load(tools.data("kang_ifnb.h5ad"), KANG)
    kind, stimulated = whole.labels["cell_type"], whole.labels["perturbation"] == "STIM"
    for held in ["CD14 Mono", "B"]:
        wanted, control = np.where((kind == held) & stimulated)[0], np.where((kind == held) & ~stimulated)[0]
        train = np.setdiff1d(np.arange(len(kind)), wanted)
        cells = whole.most_variable(train, GENES["kang"])
        y = source.log_expression(cells.counts)
        truth = measure.mean_of(y, wanted) - measure.mean_of(y, control)
        model = Trained(tools, place, "held-" + held.replace(" ", "-"), cells.rows(train), ["factor_default.yaml"], {}, seed)
        answers = {value: model.ask(cells.rows(control), ["perturbation=" + value]) for value in ("STIM", "CTRL")}
        mean = lambda matrix: np.asarray(matrix.mean(0)).ravel()
        shifts = {"cellmill, reference": mean(answers["STIM"].X) - mean(answers["CTRL"].X),
                  "cellmill, metadata": mean(answers["STIM"].layers["metadata"]) - mean(answers["CTRL"].layers["metadata"])}
        shifts.update(measure.guessed_shifts(y[train], kind[train], stimulated[train], held))
        for who, shift in shifts.items():
            yield {"what": "shift of " + held, "who": who, **measure.shift_scores(truth, shift)}


PARTS = {"bulk_pickrell": pickrell_sex, "pbmc3k": pbmc_types, "sc_mixology": mixology, "kang": kang_labels, "kang, generation": kang_generation}
