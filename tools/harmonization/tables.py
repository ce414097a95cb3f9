"""Tables, file by file: which texts their columns hold, which columns are which field, and the harmonised rows."""

import collections
import dataclasses

import numpy as np
import pandas as pd

import metadata_fields
from harmonization import columns, schema, terms

_MANY = 1000  # distinct texts of a column that is looked at though its name says nothing
_FEW = 0.3  # of a column's texts: if fewer can be the field's, it is another field


@dataclasses.dataclass
class Plan:
    """What each column is. `sources`: {field: [Column], the one that is believed first}; `units`: {field: column of units};
    `answers`: {column: {(text, unit): Answer}}; `texts`: {column: Counter of (text, unit)}; `others`: {column: why it is no field}."""

    sources: dict
    units: dict
    answers: dict
    texts: dict
    others: dict


def column_texts(frame, name, unit_column=None):
    """(code of every row, -1 = missing; [(text, unit)])"""
    codes, values = metadata_fields.factorize(frame[name])
    texts = [_text(value) for value in values]
    codes = _recoded(codes, [text is None for text in texts])
    if unit_column is None or unit_column not in frame:
        return codes, [(text or "", "") for text in texts]
    unit_codes, units = metadata_fields.factorize(frame[unit_column])
    pairs, firsts = np.unique(np.stack([codes, unit_codes]), axis=1, return_inverse=True)
    written = [("" if code < 0 else texts[code], "" if unit < 0 else _text(units[unit]) or "") for code, unit in pairs.T]
    return np.where(codes < 0, -1, firsts), written


def _text(value):
    value, _ = metadata_fields.normalise(value)
    if value is metadata_fields.MISSING:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _recoded(codes, missing):
    table = np.where([*missing, True], -1, np.arange(len(missing) + 1))
    return table[codes]


def plan(files, read, readers, decisions):
    """First pass over the files: the Plan, and the rows of each file."""
    recognised, texts, rows, units = {}, {}, [], {}
    for file in files:
        frame = read(file)
        rows.append(len(frame))
        for name in frame.columns:
            if name not in recognised:
                decided, column = decisions.column(name)
                recognised[name] = column if decided else columns.recognise(name)
        units |= {column.field: name for name, column in recognised.items() if column and column.role == "unit"}
        for name in frame.columns:
            column = recognised[name]
            if column is None and (frame[name].dtype.kind in "iufbM" or len(texts.get(name, ())) > _MANY):
                continue
            codes, written = column_texts(frame, name, units.get(column.field) if column and column.role == "value" else None)
            counts = np.bincount(codes[codes >= 0], minlength=len(written)).tolist()
            texts.setdefault(name, collections.Counter()).update({text: count for text, count in zip(written, counts, strict=True) if count})
    return _decide(recognised, texts, units, readers, decisions), rows


def _decide(recognised, texts, units, readers, decisions):
    sources, answers, others = {}, {}, {}
    for name, column in recognised.items():
        if column is None:
            decided = decisions.column(name)[0]
            others[name] = "decision" if decided else _suggestion(texts.get(name, {}), readers)
        elif column.role == "unit":
            others[name] = f"unit of {column.field}"
        else:
            read = {key: answer_to(readers[column.field], decisions, column, *key) for key in texts.get(name, {})}
            given = [answer for answer in read.values() if answer.status != "missing"]
            share = sum(answer.status != "left" for answer in given) / len(given) if given else 1.0
            if share < _FEW and column.how != "decision" and column.confidence < 1.0:
                others[name] = f"its name is like {column.field}, but {100 * (1 - share):.0f} % of its values are none"
                continue
            sources.setdefault(column.field, []).append(column)
            answers[name] = read
    for field, found in sources.items():  # ids are surer than words, but a stage of life says less than an age
        ids_first = not schema.fields()[field].measure
        found.sort(key=lambda column: (column.how != "decision", (column.role == "id") != ids_first, -column.confidence))
    return Plan({field: sources[field] for field in schema.fields() if field in sources}, units, answers, texts, others)


def answer_to(reader, decisions, column, text, unit):
    decided, answer = decisions.value(reader.field.name, text)
    if decided:
        return answer if answer is not None else dataclasses.replace(reader.read(""), how="decision: missing")
    return reader.read(text, unit or column.unit)


def _suggestion(texts, readers):
    """Why a column of an unknown name is no field, with the field that its values look like."""
    words = [text for text, _ in texts if len(text) > 2 and not text.replace(".", "").isdigit()]
    if not words or len(words) > _MANY:
        return "no field has this name"
    for name in ("sex", "cell_type", "tissue", "disease", "assay"):
        found = sum(readers[name].surely(text) for text in words)
        if found >= max(2, 0.6 * len(words)):
            return f"no field has this name; {found} of its {len(words)} values could be of {name}"
    return "no field has this name"


class Harmonised:
    """One file's rows: `codes` {field: code of every row in `values[field]`, -1 = missing}; `disagreements`: {field: Counter of
    (column, text, other column, its text)}, rows in which two columns say different things, neither broader than the other."""

    def __init__(self, frame, plan):
        self.codes, self.values, self.disagreements = {}, {}, {}
        for field, sources in plan.sources.items():
            self._field(frame, plan, field, [column for column in sources if column.name in frame])

    def _field(self, frame, plan, field, sources):
        chosen, known, first = np.full(len(frame), -1), {}, None
        for column in sources:
            codes, written = column_texts(frame, column.name, plan.units.get(field))
            read = [plan.answers[column.name].get(key) for key in written]
            mapped_or_not = [known.setdefault(answer.values, len(known)) if answer and answer.status == "mapped" else -1 for answer in read]
            table = np.array([*mapped_or_not, -1])
            mapped = table[codes]
            if first is not None:
                self._compare(field, list(known), chosen, mapped, (first.name, column.name))
            chosen = np.where(chosen < 0, mapped, chosen)
            first = first or column
        self.codes[field], self.values[field] = chosen, list(known)

    def _compare(self, field, known, chosen, mapped, names):
        both = (chosen >= 0) & (mapped >= 0) & (chosen != mapped)
        pairs, counts = np.unique(np.stack([chosen[both], mapped[both]]), axis=1, return_counts=True)
        for (one, other), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            one, other = known[one], known[other]
            if not (terms.is_ancestor(one[-1], other[-1]) or terms.is_ancestor(other[-1], one[-1])):
                key = (names[0], one[0] or one[-1], names[1], other[0] or other[-1])
                self.disagreements.setdefault(field, collections.Counter())[key] += count

    def frame(self, source, kept):
        """The harmonised table, with the columns `kept` of the source as they are."""
        columns_ = {}
        for field, codes in self.codes.items():
            values = [*self.values[field], ("",) * len(schema.fields()[field].outputs)]
            for place, name in enumerate(schema.fields()[field].outputs):
                words = np.array([value[place] for value in values], dtype=object)
                columns_[name] = pd.Categorical(words[codes]) if len(codes) else words[:0]
        return pd.DataFrame(columns_ | {name: source[name].to_numpy() for name in kept if name in source}, index=range(len(source)))
