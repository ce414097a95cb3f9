"""What a data set is biased to: what dominates each field, what is missing, and how far one field tells another (confounding).

`told` of a pair is Theil's uncertainty coefficient U(b | a) over the rows in which both have a value: 1 where a settles b, 0 where it says
nothing about it.
"""

import collections

import numpy as np

_DOMINANT, _MISSING, _TOLD = 0.5, 0.2, 0.9
_RARE = 10  # rows below which a category is hardly learnt
_WIDE = 1000  # categories of a field above which it is not crossed with others


class Bias:
    """Counts file by file; a field that has no value anywhere stays in."""

    def __init__(self, fields):
        self._rows = 0
        self._counts = {field: collections.Counter() for field in fields}
        self._pairs = {(a, b): collections.Counter() for place, a in enumerate(fields) for b in fields[place + 1 :]}

    def add(self, harmonised, rows):
        self._rows += rows
        labels, codes = {}, {}
        for field, values in harmonised.values.items():
            labels[field] = [_category(field, value) for value in values]
            codes[field] = harmonised.codes[field]
            counts = np.bincount(codes[field][codes[field] >= 0], minlength=len(values)).tolist()
            for label, count in zip(labels[field], counts, strict=True):
                self._counts[field][label] += count
        for (a, b), counter in self._pairs.items():
            if a not in codes or b not in codes or self._too_wide(a, b):
                continue
            both = (codes[a] >= 0) & (codes[b] >= 0)
            found, counts = np.unique(np.stack([codes[a][both], codes[b][both]]), axis=1, return_counts=True)
            for (one, other), count in zip(found.T.tolist(), counts.tolist(), strict=True):
                counter[labels[a][one], labels[b][other]] += count

    def result(self):
        """The object of bias.json."""
        fields = {field: self._field(counts) for field, counts in self._counts.items()}
        pairs = [self._pair(a, b, counter) for (a, b), counter in self._pairs.items() if counter and not self._too_wide(a, b)]
        return {"rows": self._rows, "findings": _findings(fields, pairs, self._rows), "fields": fields, "pairs": pairs}

    def _too_wide(self, a, b):
        return max(len(self._counts[a]), len(self._counts[b])) > _WIDE

    def _field(self, counts):
        present = sum(counts.values())
        shares = np.array([count for count in counts.values() if count]) / max(present, 1)
        return {
            "rows": present,
            "missing": self._rows - present,
            "categories": int(np.count_nonzero(shares)),
            "effective_categories": round(float(np.exp(-(shares * np.log(shares)).sum())), 3) if present else 0.0,
            "counts": dict(sorted(((label, count) for label, count in counts.items() if count), key=lambda pair: (-pair[1], pair[0]))),
        }

    def _pair(self, a, b, counter):
        rows, columns = (list(dict.fromkeys(sorted(key[place] for key in counter))) for place in (0, 1))
        table = np.zeros((len(rows), len(columns)), np.int64)
        for (one, other), count in counter.items():
            table[rows.index(one), columns.index(other)] = count
        return {"a": a, "b": b, "rows": int(table.sum()), "b_told_by_a": _told(table), "a_told_by_b": _told(table.T), "a_values": rows,
                "b_values": columns, "counts": table.tolist()}


def _category(field, value):
    if field != "age" or not value[0]:
        return value[0] or value[1]
    decade = int(float(value[0].split()[0]) // 10) * 10
    return f"{decade:02} to {decade + 9} years"


def _told(table):
    """U(columns | rows), or None if the columns do not vary."""
    total = table.sum()
    columns, rows = table.sum(0) / total, table.sum(1) / total
    joint = table / total
    entropy = -_plogp(columns)
    return round(float(1 - (_plogp(rows) - _plogp(joint)) / entropy), 4) if entropy > 1e-12 else None


def _plogp(shares):
    shares = shares[shares > 0]
    return (shares * np.log(shares)).sum()


def _findings(fields, pairs, rows):
    """What a reader should know first, in words."""
    said = []
    for name, field in fields.items():
        if not field["rows"]:
            said.append(f"{name} has no value in any row")
            continue
        top, count = next(iter(field["counts"].items()))
        if field["categories"] == 1:
            said.append(f"{name} is {top} wherever it is known: nothing can be learnt about it")
        elif count >= _DOMINANT * field["rows"]:
            said.append(f"{top} dominates {name}: {100 * count / field['rows']:.1f} % of the rows that have one")
        if field["missing"] >= _MISSING * rows:
            said.append(f"{name} is missing in {100 * field['missing'] / rows:.1f} % of the rows")
        if field["categories"] > _WIDE:
            said.append(f"{name} has {field['categories']} categories and was not crossed with other fields")
        rare = [label for label, count in field["counts"].items() if count < _RARE]
        if rare and field["categories"] <= _WIDE and field["rows"] >= 10 * _RARE:
            said.append(f"{len(rare)} of {field['categories']} categories of {name} have fewer than {_RARE} rows")
    for pair in pairs:
        for one, other, told in ((pair["a"], pair["b"], pair["b_told_by_a"]), (pair["b"], pair["a"], pair["a_told_by_b"])):
            by_nature = (one, other) == ("perturbation", "perturbation_type")
            enough = pair["rows"] >= _RARE * len(pair["a_values" if one == pair["a"] else "b_values"])
            if told is not None and told >= _TOLD and enough and not by_nature:
                said.append(f"{one} all but settles {other} (U = {told:.2f}): their effects cannot be told apart")
    return said


def text(result, most=12):
    lines = [f"{result['rows']} rows", "", "findings", *("  " + finding for finding in result["findings"] or ["none"]), ""]
    for name, field in result["fields"].items():
        lines.append(f"{name}: {field['rows']} rows, {field['missing']} missing, {field['categories']} categories, "
                     f"as many as {field['effective_categories']:.1f} equal ones")
        for label, count in list(field["counts"].items())[:most]:
            lines.append(f"  {count:10} {100 * count / field['rows']:6.1f} %  {label}")
        lines += [f"  and {field['categories'] - most} more"] if field["categories"] > most else []
    lines += ["", "pairs: how far the first tells the second, and the second the first"]
    for pair in sorted(result["pairs"], key=lambda pair: -max(pair["b_told_by_a"] or 0, pair["a_told_by_b"] or 0)):
        if pair["b_told_by_a"] is not None or pair["a_told_by_b"] is not None:
            forth, back = ("   -" if told is None else f"{told:4.2f}" for told in (pair["b_told_by_a"], pair["a_told_by_b"]))
            lines.append(f"  {pair['a']:18} {pair['b']:18} {forth}  {back}  {pair['rows']:10} rows")
    for pair in result["pairs"]:
        if max(len(pair["a_values"]), len(pair["b_values"])) <= most and min(len(pair["a_values"]), len(pair["b_values"])) > 1:
            lines += ["", *_table(pair)]
    return "\n".join(lines) + "\n"


def _table(pair):
    names = [label[:22] for label in pair["b_values"]]
    width = max(9, *map(len, names))
    yield f"{pair['a']} x {pair['b']}"
    yield " " * 34 + " ".join(f"{name:>{width}}" for name in names)
    for label, counts in zip(pair["a_values"], pair["counts"], strict=True):
        yield f"  {label[:31]:31} " + " ".join(f"{count:{width}}" for count in counts)
