"""The table of results: mean and spread per method, the held-out types one by one, and the acceptance bars."""
import numpy as np

from cells import HELD_TYPES

COLUMNS = [("all", "cor"), ("all", "err"), ("all", "err100"), ("type", "cor"), ("type", "err"), ("type", "err100"), ("type", "E"),
           ("held", "cor"), ("held", "err"), ("held", "err100"), ("held", "E")]
# group, read-out, metric, is the bar a floor, bar
BARS = [("all", "direct", "cor", True, 0.95), ("all", "direct", "err", False, 0.08), ("all", "direct", "err100", False, 0.015),
        ("type", "direct", "err", False, 0.31), ("type", "delta", "err", False, 0.55), ("type", "delta", "E", False, 0.2),
        ("held", "delta", "err", False, 0.58)]


def methods(lines):
    """{(method, read-out): lines}, in the order of first sight."""
    found = {}
    for line in lines:
        found.setdefault((line["method"], line["read_out"]), []).append(line)
    return found


def values(lines, group, metric):
    """One value a line that has it."""
    return [line["scores"][group][metric] for line in lines if metric in line["scores"].get(group, {})]


def cell(numbers, metric):
    if not numbers:
        return ""
    digits = 2 if metric == "E" else 3
    return f"{np.mean(numbers):.{digits}f} ± {np.std(numbers):.{digits}f}"


def table(header, rows):
    line = lambda row: "| " + " | ".join(row) + " |\n"
    return line(header) + "|" + "---|" * len(header) + "\n" + "".join(map(line, rows)) + "\n"


def count(lines):
    seeds = {line["seed"] for line in lines if line["seed"] is not None}
    splits = {line["split"] for line in lines}
    return f"{len(splits)} × {len(seeds)}" if seeds else str(len(splits))


def summary(lines):
    rows = [[method, read_out or "", count(of)] + [cell(values(of, *column), column[1]) for column in COLUMNS]
            for (method, read_out), of in methods(lines).items()]
    return table(["method", "read-out", "splits × seeds"] + [" ".join(column) for column in COLUMNS], rows)


def held_types(lines):
    rows = []
    for (method, read_out), of in methods(lines).items():
        per = [[line for line in of if line["split"] == number] for number in range(len(HELD_TYPES))]
        pick = lambda metric: [f"{np.mean(values(p, 'held', metric)):.3f}" if values(p, "held", metric) else "" for p in per]
        if any(pick("err")):
            rows.append([method, read_out or ""] + [f"{a} / {b}" if b else a for a, b in zip(pick("err"), pick("err100"))])
    return table(["method", "read-out"] + HELD_TYPES, rows)


def judged(lines):
    """[(method, read-out, group, metric, bar text, value, met)] for every trained method, and against ridge."""
    by_method = methods(lines)
    ridge = values(by_method.get(("ridge shift", None), []), "held", "err")
    found = []
    for method in dict.fromkeys(m for m, read_out in by_method if read_out):
        for group, read_out, metric, floor, bar in BARS:
            measured = values(by_method.get((method, read_out), []), group, metric)
            if measured:
                value = float(np.mean(measured))
                found.append((method, read_out, group, metric, f"{'≥' if floor else '≤'} {bar}", value,
                              value >= bar if floor else value <= bar))
        held = values(by_method.get((method, "delta"), []), "held", "err")
        if held and ridge:
            found.append((method, "delta", "held", "err", f"< ridge {np.mean(ridge):.3f}", float(np.mean(held)),
                          bool(np.mean(held) < np.mean(ridge))))
    return found


def bars(lines):
    rows = [[method, read_out, group, metric, bar, f"{value:.3f}", "pass" if met else "MISS"]
            for method, read_out, group, metric, bar, value, met in judged(lines)]
    return table(["method", "read-out", "group", "metric", "bar", "measured", ""], rows)


def markdown(lines, genes):
    return (f"## Kang, control -> interferon-beta, {genes:,} genes\n\nMean ± standard deviation over splits and training seeds.\n\n"
            + summary(lines) + "Held-out type, err / err100:\n\n" + held_types(lines) + "Acceptance bars:\n\n" + bars(lines))
