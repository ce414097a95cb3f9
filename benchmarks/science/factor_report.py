"""The table of the factor model's results: mean and range over seeds, each beside its baseline, and what was asked."""
import numpy as np

from report import table

FIGURES = ["accuracy", "macro_f1", "hidden", "ece", "probe", "labels", "chance", "r", "rmse"]
# part, what, figure, is the bar a floor, bar: a number, or (who, figure, more) of the same seed
OURS, LOGISTIC, ECE = "cellmill", "logistic regression", 0.05
BARS = [("bulk_pickrell", "sex", "accuracy", True, 0.99), ("pbmc3k", "cell_type", "accuracy", True, 0.91),
        ("pbmc3k", "cell_type", "macro_f1", True, 0.90), ("pbmc3k", "cell_type", "accuracy", True, (LOGISTIC, "accuracy", 0)),
        ("pbmc3k", "cell_type", "macro_f1", True, (LOGISTIC, "macro_f1", 0))]
BARS += [("sc_mixology", field, "accuracy", True, 0.99) for field in ("cell_line", "assay", "batch")]
BARS += [("kang, labels", "perturbation", "accuracy", True, 0.99), ("kang, labels", "cell_type", "accuracy", True, ("ridge, no label hidden", "accuracy", 0))]
BARS += [("kang, generation", "shift of " + kind, "r", True, (guess, "r", 0)) for kind in ("CD14 Mono", "B")
         for guess in ("additive", "nearest type's shift")]
JUDGED = {"kang, generation": "cellmill, reference"}


def results(lines):
    """{(part, what, who): its lines}, in the order of first sight."""
    found = {}
    for line in lines:
        found.setdefault((line["part"], line["what"], line["who"]), []).append(line)
    return found


def figure(values):
    low, high = min(values), max(values)
    return f"**{np.mean(values):.3f}**" + (f" ({low:.3f} to {high:.3f})" if high - low > 5e-4 else "")


def summary(lines):
    columns = [name for name in FIGURES if any(name in line for line in lines)]
    rows = [[what, who, *(figure([line[name] for line in of]) if name in of[0] else "" for name in columns), str(len(of))]
            for (_, what, who), of in results(lines).items()]
    return table(["what", "who", *columns, "seeds"], rows)


def bars_of(lines):
    """All bars: those above, the calibration of every head of ours, and the leakage of sc_mixology."""
    found = list(BARS)
    for (part, what, who), of in results(lines).items():
        if who == OURS and "ece" in of[0]:
            found.append((part, what, "ece", False, ECE))
        if who == "leakage" and part == "sc_mixology":
            found.append((part, what, "probe", False, ("leakage", "labels", 0.1)))
    return found


def judged(lines):
    """[(part, what, figure, bar text, by how much it is met in the mean, seeds that meet it, seeds)]"""
    by, found = results(lines), []
    for part, what, name, floor, bar in bars_of(lines):
        ours = by.get((part, what, "leakage" if name == "probe" else JUDGED.get(part, OURS)), [])
        if not ours:
            continue
        if isinstance(bar, tuple):
            who, other, more = bar
            against = {line["seed"]: line[other] + more for line in by.get((part, what, who), [])}
            text = f"{who if who != 'leakage' else 'what true labels tell'} {np.mean(list(against.values())) - more:.3f}" + (f" + {more}" if more else "")
        else:
            against, text = {line["seed"]: bar for line in ours}, str(bar)
        gains = [(line[name] - against[line["seed"]]) * (1 if floor else -1) for line in ours if line["seed"] in against]
        if gains:
            found.append((part, what, name, ("≥ " if floor else "≤ ") + text, float(np.mean([line[name] for line in ours])),
                          float(np.mean(gains)), sum(gain >= -1e-9 for gain in gains), len(gains)))
    return found


def markdown(lines):
    text = ""
    for part in dict.fromkeys(line["part"] for line in lines):
        text += f"### {part}\n\n" + summary([line for line in lines if line["part"] == part])
    rows = [[part, what, name, bar, f"{value:.3f}", "met" if gain >= -1e-9 else f"**missed** by {-gain:.3f}", f"{met} of {seeds}"]
            for part, what, name, bar, value, gain, met, seeds in judged(lines)]
    return text + "### What was asked\n\n" + table(["data", "what", "figure", "asked", "mean", "", "seeds that meet it"], rows)
