"""What one text of one field stands for: terms, words of a fixed list, measures, with a confidence and the alternatives."""

import dataclasses
import functools
import re

from harmonization import measures, schema, spelling, terms
from harmonization.lexicon import AMBIGUOUS, Lexicon

ACCEPT = 0.76  # the confidence from which an answer is used
_MISSING = {"", "na", "n a", "nan", "nil", "null", "unknown", "unspecified", "not available", "not applicable", "not collected", "not provided",
            "not determined", "not reported", "not recorded", "missing", "unlabelled", "unlabeled", "unannotated", "unassigned", "unclassified",
            "undetermined", "to be determined", "tbd", "nd", "restricted access", "missing not provided", "none provided"}
_SEPARATOR = re.compile(r"\s*(?:\|\|?|;)\s*")
_COMBINED = re.compile(r"\s*(?:\|\|?|;|(?<=\w)\+(?=\w)| \+ | and )\s*")


@dataclasses.dataclass(frozen=True)
class Alternative:
    id: str  # "" for a word of a fixed list
    label: str
    confidence: float


@dataclasses.dataclass(frozen=True)
class Answer:
    """`values`: one for each of the field's output columns, all empty unless the status is "mapped"."""

    status: str  # mapped | ambiguous | left | missing
    values: tuple
    confidence: float
    how: str
    alternatives: tuple = ()


class Reader:
    """Reads the texts of one field. Builds what it needs when it is first asked; answers are remembered."""

    def __init__(self, field):
        self.field = field
        self._empty = ("",) * len(field.outputs)
        self._answers = {}

    def read(self, text, unit=""):
        key = (text, unit)
        if key not in self._answers:
            self._answers[key] = self._read(text.strip(), unit)
        return self._answers[key]

    def decided(self, text):
        """The Answer for what a person wrote as a value: an id, a label or a choice; None if it is nothing the field can hold."""
        if self.field.text:
            return Answer("mapped", (text,), 1.0, "decision")
        answer = self.read(text)
        settled = answer.status == "mapped" and answer.how != "edit distance"
        return dataclasses.replace(answer, confidence=1.0, how=f"decision: {answer.how}", alternatives=()) if settled else None

    def surely(self, text):
        """Whether a text of some other column could be a value of this field, typing errors aside."""
        match = None if _is_missing(text) else _lexicon(self.field.name).surely(text)
        return bool(match and match.meaning)

    def _read(self, text, unit):
        if _is_missing(text):
            return Answer("missing", self._empty, 0.0, "says that it is missing")
        if self.field.text:
            return self._free_text(text)
        if self.field.measure:
            return self._measure(text, unit)
        if self.field.ontology and terms.looks_like_id(text):
            return self._identifier(text)
        match = _lexicon(self.field.name).surely(text)
        parts = _SEPARATOR.split(text)
        if match is None and len(parts) > 1:
            return self._several([self.read(part) for part in parts if part])
        return self._answer(match or _lexicon(self.field.name).look_up(text))

    def _free_text(self, text):
        if not self.field.control:
            return Answer("mapped", (text,), 1.0, "as written")
        kept = [part for part in _COMBINED.split(text) if part and not _is_control(part, self.field.control)]
        whole = _is_control(text, self.field.control)
        return Answer("mapped", ("control" if whole or not kept else "|".join(sorted(set(kept))),), 0.97 if whole or not kept else 1.0,
                      "control" if whole or not kept else "as written")

    def _measure(self, text, unit):
        try:
            if self.field.measure == "age":
                return self._age(text, unit)
            number, target, given = measures.quantity(self.field.measure, text, unit)
            return Answer("mapped", (measures.text_of(number, target),), 1.0 if given else 0.97, "unit" if given else "unit of the column")
        except measures.Unreadable as error:
            return Answer("left", self._empty, 0.0, str(error))

    def _age(self, text, unit):
        if terms.looks_like_id(text):
            return self._identifier(text)
        try:
            years, stage, given = measures.age(text, unit)
        except measures.Unreadable:
            match = _lexicon(self.field.name).look_up(text)
            if match.meaning or match.confidence:
                return self._answer(match)
            raise
        values = (measures.text_of(years, "year") if years is not None else "", _label(stage) if stage else "", stage or "")
        return Answer("mapped", values, 1.0 if given else 0.9, "unit" if given else "taken as years")

    def _identifier(self, text):
        for name in self.field.ontologies:
            identifier = terms.known_id(text, name)
            if identifier is None:
                continue
            target, others = terms.current(identifier, name)
            if target is None:
                return Answer("ambiguous" if others else "left", self._empty, 0.0, "id deprecated without replacement",
                              tuple(Alternative(other, _label(other), AMBIGUOUS) for other in others))
            return Answer("mapped", self._values(target), 1.0, "id" if target == identifier else f"id {identifier} replaced")
        return Answer("left", self._empty, 0.0, f"no id of {' or '.join(self.field.ontologies)} in the versions used")

    def _several(self, answers):
        present = [answer for answer in answers if answer.status != "missing"]
        if len(present) == 1:
            return present[0]
        if not present or any(answer.status != "mapped" for answer in present):
            return Answer("left", self._empty, 0.0, "several values, not all of them known")
        distinct = sorted({answer.values for answer in present})
        return Answer("mapped", tuple("|".join(column) for column in zip(*distinct, strict=True)), min(answer.confidence for answer in present),
                      "several: " + ", ".join(dict.fromkeys(answer.how for answer in present)))

    def _answer(self, match):
        alternatives = tuple(Alternative(*self._named(meaning), confidence) for meaning, confidence in match.alternatives)
        if match.meaning and match.confidence >= ACCEPT:
            return Answer("mapped", self._values(match.meaning), match.confidence, match.how, alternatives)
        if match.meaning:
            alternatives = (Alternative(*self._named(match.meaning), match.confidence), *alternatives)
        open_ = any(other.confidence >= AMBIGUOUS for other in alternatives)
        return Answer("ambiguous" if open_ else "left", self._empty, match.confidence, match.how, alternatives)

    def _values(self, meaning):
        if not self.field.ontology:
            return (meaning,)
        label = _label(meaning)
        if self.field.measure != "age":
            return label, meaning
        years = re.fullmatch(r"(\d+)-year-old stage", label)
        return measures.text_of(int(years[1]), "year") if years else "", label, meaning

    def _named(self, meaning):
        return (meaning, _label(meaning)) if self.field.ontology else ("", meaning)


def _is_missing(text):
    return re.sub(r"[\W_]+", " ", text).strip().casefold() in _MISSING


@functools.lru_cache(maxsize=1)
def _control_words(words):
    return {spelling.fold(word) for word in words}


def _is_control(text, words):
    return spelling.fold(text) in _control_words(words)


@functools.lru_cache(maxsize=None)
def _lexicon(name):
    """One for all readers of a field: those of large ontologies take seconds to build."""
    field = schema.fields()[name]
    return Lexicon(_phrases(field), field.generic, names=field.ontology == "CVCL")


def _phrases(field):
    if not field.ontology:
        known = {choice: choice for choice in field.choices}
        yield from ((choice, choice, "label") for choice in field.choices)
        yield from ((str(other), choice, "word") for choice, others in field.choices.items() for other in others)
    else:
        phrases = list(terms.phrases(field.ontology, field.below, field.only))
        known = {phrase: identifier for phrase, identifier, how in phrases if how == "label"}
        known |= {_label(identifier): identifier for identifier in field.also}
        yield from phrases
        if field.ontology == "CVCL":  # NCI-H1975 is mostly called H1975
            yield from ((phrase.removeprefix("NCI-"), identifier, "synonym") for phrase, identifier, _ in phrases if phrase.startswith("NCI-"))
        yield from ((_label(identifier), identifier, "label") for identifier in field.also)
    for phrase, meant in field.words.items():
        for label in meant if isinstance(meant, list) else [meant]:
            yield str(phrase), label if terms.looks_like_id(label) else known[label], "word"


def _label(identifier):
    return terms.ontology(re.split("[:_]", identifier)[0])[identifier]["label"]
