"""The questions that real cells put to the factor model, each with what it is judged beside. A part is a generator of results:
{"what": ..., "who": ..., figures}, for one seed."""
import csv
import gzip
import json
import os

import anndata
import numpy as np
import scipy.sparse as sp
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

    def _asked(self, cells, command):
        """The answer to `command` (a list, with the option that names its input last), as AnnData."""
        source.write(cells, self.stem + ".input.h5ad")
        program.call([self.tools.program, command[0], "--checkpoint", self.run, "--output", self.stem + ".answer.h5ad", *command[1:],
                      self.stem + ".input.h5ad"], self.log)
        answer = anndata.read_h5ad(self.stem + ".answer.h5ad")
        os.remove(self.stem + ".input.h5ad")
        os.remove(self.stem + ".answer.h5ad")
        return answer

    def predict(self, cells, *options):
        """-> AnnData: obsm probability_FIELD and X_GROUP."""
        return self._asked(cells, ["predict-metadata", "--distribution", *options, "--input"])

    def complete(self, cells):
        """-> AnnData: obs FIELD, FIELD_source, FIELD_confidence."""
        return self._asked(cells, ["complete-metadata", "--input"])

    def expression_of(self, perturbation, references):
        """Mean over the references of log1p of counts per 10,000, as generated with their biology and technique, at the means."""
        made = self._asked(references, ["generate", "--set", "perturbation=" + perturbation, "--deterministic-latents", "--fixed-total-count",
                                        "--total-count", "1e9", "--reference"])
        return np.log1p(np.asarray(made.X, dtype="f8") / 1e5).mean(0)

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
        words, probability[test] = model.probabilities(model.predict(cells.rows(test)), "sex")
        _, of_hidden = model.probabilities(model.predict(cells.rows(train[hidden["sex"]])), "sex")
        hidden_right.append((np.array(words)[of_hidden.argmax(1)] == truth[train[hidden["sex"]]]).mean())
        seen = train[~hidden["sex"]]
        score = np.nan_to_num(f_classif(y[seen], truth[seen])[0]) * (y[seen].var(0) > 0.1)
        markers = np.argsort(-score, kind="stable")[:50]
        linear[test] = LogisticRegression(C=0.1, max_iter=1000).fit(y[np.ix_(seen, markers)], truth[seen]).predict(y[np.ix_(test, markers)])
    yield {"what": "sex", "who": "cellmill", **measure.heads(truth, words, probability), "hidden": float(np.mean(hidden_right))}
    yield {"what": "sex", "who": "logistic regression", **measure.told(truth, linear)}


def strata(cells):
    """What folds are to spread evenly: all labels of a cell together; combinations of fewer than five cells are one."""
    together = np.array([" ".join(texts) for texts in zip(*cells.labels.values())], dtype=object)
    rare = [text for text in set(together) if (together == text).sum() < 5]
    return np.where(np.isin(together, rare), "rare", together)


def labels_in_folds(tools, place, seed, cells, genes, settings, share_hidden=0.0):
    """Five folds, `factor_labels.yaml`; `share_hidden` of each field's training labels are hidden. Every cell is asked once."""
    words = {field: sorted(set(texts)) for field, texts in cells.labels.items()}
    asked = {field: {who: np.zeros((len(texts), len(words[field]))) for who in ("cellmill", "logistic regression", "ridge, no label hidden")}
             for field, texts in cells.labels.items()}
    hidden_right = {field: [] for field in words}
    for fold, (train, test) in enumerate(folds(strata(cells), seed)):
        chosen = cells.most_variable(train, genes)
        training, hidden = source.hide(chosen.rows(train), share_hidden, np.random.RandomState(seed))
        model = Trained(tools, place, f"fold-{fold}", training, ["factor_labels.yaml"], settings, seed)
        answer, y = model.predict(chosen), source.log_expression(chosen.counts)
        for field, truth in cells.labels.items():
            def put(who, told, of):
                asked[field][who][np.ix_(test, [words[field].index(word) for word in told])] = of
            told, probability = model.probabilities(answer, field)
            put("cellmill", told, probability[test])
            of_hidden = train[hidden[field]]
            hidden_right[field] += list(np.array(told)[probability[of_hidden].argmax(1)] == truth[of_hidden])
            seen = train[~hidden[field]]
            logistic = LogisticRegression(C=1.0, max_iter=1000).fit(y[seen], truth[seen])
            put("logistic regression", logistic.classes_, logistic.predict_proba(y[test]))
            ridge = RidgeClassifier(100.0).fit(y[train], truth[train])
            put("ridge, no label hidden", ridge.classes_, measure.one_hot(ridge.predict(y[test]), ridge.classes_))
    for field, truth in cells.labels.items():
        for who, probability in asked[field].items():
            figures = measure.heads(truth, words[field], probability)
            if who == "cellmill" and share_hidden:
                figures["hidden"] = float(np.mean(hidden_right[field]))
            yield {"what": field, "who": who, **{name: of for name, of in figures.items() if name != "ece" or not who.startswith("ridge")}}


def pbmc_types(tools, place, seed):
    cells = source.load(tools.data("pbmc3k.h5ad"), {"cell_type": "cell_type_author"})
    yield from labels_in_folds(tools, place, seed, cells.rows(np.where(cells.labels["cell_type"] != "")[0]), GENES["pbmc3k"], {})


def heads_and_leakage(tools, place, seed, cells, genes, groups, configs, settings):
    """A fifth of the cells held out, 30 % of the training labels hidden. `groups`: field -> its latent."""
    train, test = next(folds(strata(cells), seed))
    cells = cells.most_variable(train, genes)
    training, hidden = source.hide(cells.rows(train), 0.3, np.random.RandomState(seed))
    model = Trained(tools, place, "labels", training, configs, settings, seed)
    of_train, of_test = model.predict(cells.rows(train)), model.predict(cells.rows(test))
    latents = sorted({"X_" + group for group in groups.values()})
    y = source.log_expression(cells.counts)
    for field, group in groups.items():
        truth = cells.labels[field]
        words, probability = model.probabilities(of_test, field)
        _, of_hidden = model.probabilities(of_train, field)
        right = np.array(words, dtype=object)[of_hidden.argmax(1)] == truth[train]
        yield {"what": field, "who": "cellmill", **measure.heads(truth[test], words, probability), "hidden": float(right[hidden[field]].mean())}
        ridge = RidgeClassifier(100.0).fit(y[train], truth[train]).predict(y[test])
        yield {"what": field, "who": "ridge, no label hidden", **measure.told(truth[test], ridge)}
        seen = train[~hidden[field]]
        logistic = LogisticRegression(C=1.0, max_iter=1000).fit(y[seen], truth[seen]).predict(y[test])
        yield {"what": field, "who": "logistic regression", **measure.told(truth[test], logistic)}
        for latent in latents:
            own = latent == "X_" + group
            reading = measure.probe(of_train.obsm[latent], truth[train], of_test.obsm[latent], truth[test])
            result = {"what": f"{field} in the {latent[2:]} latent", "who": "own" if own else "leakage", "probe": reading,
                      "chance": 1 / len(set(truth))}
            others = [other for other in groups if "X_" + groups[other] == latent]
            if not own:  # what the other group's true labels tell: no latent that knows them can tell less
                known = np.hstack([measure.one_hot(cells.labels[other]) for other in others])
                result["labels"] = measure.probe(known[train], truth[train], known[test], truth[test])
            yield result


def mixology(tools, place, seed):
    cells = source.load(tools.data("sc_mixology.h5ad"), {"cell_line": "cell_line", "assay": "assay", "batch": "batch"})
    yield from heads_and_leakage(tools, place, seed, cells, GENES["sc_mixology"], {"cell_line": "biological", "assay": "technical", "batch": "technical"},
                                 ["factor_latents.yaml"],
                                 {"model.factor_model.fields.technical": ["assay", "batch"], "model.factor_model.latents.biological": 8,
                                  "model.factor_model.loss.labels": 200, "model.factor_model.loss.adversary": 50, "model.factor_model.loss.kl": 15,
                                  "train.global_batch": 64, "train.epochs": 80, "train.warmup_steps": 100})


KANG = {"cell_type": "cell_type_author", "perturbation": "condition"}


def kang_labels(tools, place, seed):
    yield from labels_in_folds(tools, place, seed, source.load(tools.data("kang_ifnb.h5ad"), KANG), GENES["kang"],
                               {"model.factor_model.latents.perturbation": 16, "train.epochs": 160}, 0.3)


def kang_latents(tools, place, seed):
    latents = heads_and_leakage(tools, place, seed, source.load(tools.data("kang_ifnb.h5ad"), KANG), GENES["kang"],
                                {"cell_type": "biological", "perturbation": "perturbation"}, ["factor_latents.yaml"], {})
    yield from (line for line in latents if line["what"] not in KANG)


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
        model = Trained(tools, place, "held-" + held.replace(" ", "-"), cells.rows(train), ["factor_latents.yaml"], {}, seed)
        references = cells.rows(control)
        shifts = {"cellmill, reference": model.expression_of("STIM", references) - model.expression_of("CTRL", references)}
        shifts.update(measure.guessed_shifts(y[train], kind[train], stimulated[train], held))
        for who, shift in shifts.items():
            yield {"what": "shift of " + held, "who": who, **measure.shift_scores(truth, shift)}


def trained_on_sex(tools, place, seed):
    cells = source.load(tools.data("bulk_pickrell.h5ad"), {"sex": "sex"})
    return Trained(tools, place, "sex", cells, ["factor_bulk.yaml"], {"model.factor_model.markers.fields": ["sex"]}, seed)


def bodymap(tools, place, seed):
    """Counted without XIST and DDX3Y: the sex report of a model that was trained on other samples is to say so, not to guess."""
    model = trained_on_sex(tools, place, seed)
    model.predict(source.load(tools.data("bulk_bodymap.h5ad"), {"sex": "sex"}), "--sex-report", model.stem + ".csv", "--min-overlap", "0.3")
    with open(model.stem + ".csv") as text:
        rows = list(csv.DictReader(text))
    said = [row["markers_say"] for row in rows]
    known = [row for row in rows if row["label"]]
    yield {"what": "sex", "who": "cellmill", "says XIST is absent": float(np.mean(["marker absent" in text and "XIST" in text for text in said])),
           "accuracy": float(np.mean([row["predicted"] == row["label"] for row in known])), "said": said[0]}


def donor_sex(tools, place, seed):
    """The donor of pbmc3k, whom the source gives no sex: all cells' counts summed are one bulk sample."""
    model = trained_on_sex(tools, place, seed)
    cells = source.load(tools.data("pbmc3k.h5ad"), {"sex": "sex"})
    with gzip.open(tools.data("genes/genes_homo_sapiens.csv.gz"), "rt") as text:
        ids = {row[1]: row[0] for row in list(csv.reader(text))[::-1]}
    named = [gene for gene, name in enumerate(cells.genes) if name in ids]
    donor = source.Cells(sp.csr_matrix(cells.counts[:, named].sum(0), dtype="f4"), [ids[cells.genes[gene]] for gene in named],
                         {"sex": np.array([""], dtype=object)})
    row = model.complete(donor).obs.iloc[0]
    y_gene = {name: float(cells.counts[:, cells.genes.index(name)].sum()) for name in ("XIST", "RPS4Y1", "DDX3Y")}
    yield {"what": "sex of the donor", "who": "cellmill", "completed": str(row["sex"]), "confidence": float(row["sex_confidence"]), **y_gene}


PARTS = {"bulk_pickrell": pickrell_sex, "bulk_bodymap": bodymap, "donor of pbmc3k": donor_sex, "pbmc3k": pbmc_types, "sc_mixology": mixology,
         "kang, labels": kang_labels, "kang, latents": kang_latents, "kang, generation": kang_generation}
