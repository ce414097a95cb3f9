"""Phrases and what each means, and how sure one can be that a text means one of them.

A text is looked up as it stands, then in the folded spelling (spelling.py), with its words in any order, without separators, without the
words that change nothing, and last by edit distance (rapidfuzz). The first way that finds something answers; if it finds several meanings,
none is chosen. An answer by edit distance never reaches a confidence above 0.9, and a word that is known is never taken for a
misspelt other one: "type 1" is no typo of "type 2", nor "ileum" of "ilium".
"""

import collections
import dataclasses

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from harmonization import spelling

AMBIGUOUS = 0.5
_SURE = {"label": 1.0, "synonym": 0.97, "deprecated label": 0.93}
_SPELT = {"word": 0.9, "label": 0.98, "synonym": 0.95, "deprecated label": 0.91}
_FOLDED, _JOINED, _ORDER, _FEWER, _EDITED = 0.9, 0.9, 0.9, 0.88, 0.9
_LOSS = 0.6  # of confidence, for the share of letters that were edited
_DOUBTFUL = 0.6  # edited more than a typo would, or into another known word
_CONTESTED = 0.9  # others could be meant, were it spelt another way
_SUGGESTED = 0.4
_KNOWN = 2  # phrases with a word: in one alone, and it may itself be a typing error in an ontology
_SHORT, _ABBREVIATED = 4, 0.9  # a synonym of so few letters: MDD is a term's alone in the ontology, not in the world
_PREFERENCE = ("word", "label", "synonym", "deprecated label")


@dataclasses.dataclass(frozen=True)
class Match:
    meaning: str  # "" if there is none, or more than one
    confidence: float
    how: str
    alternatives: tuple = ()  # (meaning, confidence), best first, without `meaning`


class Lexicon:
    """`phrases` yields (phrase, meaning, how). `generic` words may be left out of a text. With `names`, only case and separators
    may differ from a phrase: the neighbours of a name are other names."""

    def __init__(self, phrases, generic=(), names=False):
        self._names = names
        self._generic = {spelling.fold(word) for word in generic}
        self._exact, self._folded, self._sorted, self._joined, self._core = ({} for _ in range(5))
        self._separated = set()
        for phrase, meaning, how in phrases:
            words = () if names else spelling.words(phrase)
            folded = spelling.squeeze(phrase) if names else spelling.folded(words)
            if not folded:
                continue
            _add(self._exact, phrase if names else phrase.lower(), meaning, how)
            _add(self._folded, folded, meaning, how)
            if not names:
                _add(self._joined, spelling.joined(words), meaning, how)
                self._separated.add(" ".join(words))
        if not names:
            for folded, meanings in self._folded.items():
                for meaning, how in meanings.items():
                    _add(self._sorted, _sorted(folded), meaning, how)
                    core = self._without(folded)
                    if core != folded:
                        _add(self._core, core, meaning, how)
            self._choices = [folded for folded in self._folded if len(folded) >= 4]
            counts = collections.Counter(word for folded in self._folded for word in folded.split())
            self._known = {word for word, count in counts.items() if count >= _KNOWN}

    def look_up(self, text):
        """The Match; its meaning is "" and its confidence 0 if nothing is near."""
        if self._names:
            return self._name(text)
        return self._spelt(text) or self._without_generic(text) or self._edited(spelling.fold(text))

    def surely(self, text):
        """The Match without edit distance, or None."""
        return self._name(text) if self._names else self._spelt(text) or self._without_generic(text)

    def _name(self, text):
        found = self._exactly(text, spelling.squeeze(text))
        if found is None:
            kept = " ".join(word for word in text.split() if spelling.fold(word) not in self._generic)
            found = self._of(self._folded, spelling.squeeze(kept), _FEWER, ", generic words")
        return found or Match("", 0.0, "nothing near")

    def _exactly(self, text, folded):
        if "word" in self._folded.get(folded, {}).values():
            return self._of(self._folded, folded, _SPELT, "")
        same = self._of(self._exact, text if self._names else text.lower(), _SURE, "")
        if same or self._names or " ".join(spelling.words(text)) in self._separated:
            return same or self._of(self._folded, folded, _SPELT, ", separators")
        return self._of(self._folded, folded, _FOLDED, ", spelling")

    def _spelt(self, text):
        folded = spelling.fold(text)
        return (self._exactly(text, folded) or self._of(self._sorted, _sorted(folded), _ORDER, ", order of words")
                or self._of(self._joined, spelling.joined(spelling.words(text)), _JOINED, ", joined words"))

    def _without_generic(self, text):
        """With words that change nothing left out of the text, of the phrase, or of both."""
        folded = spelling.fold(text)
        kept = self._without(folded)
        ways = [(self._core, kept)]
        if kept != folded:
            ways = [(self._sorted, _sorted(kept)), (self._joined, spelling.joined(kept.split())), *ways]
        return next((found for table, key in ways if (found := self._of(table, key, _FEWER, ", generic words"))), None)

    def _without(self, folded):
        return " ".join(word for word in folded.split() if word not in self._generic) or folded

    def _of(self, table, key, confidence, suffix):
        meanings = table.get(key)
        if not meanings:
            return None
        best = next(how for how in _PREFERENCE if how in meanings.values())
        chosen = [meaning for meaning, how in meanings.items() if how == best]
        sure = confidence[best] if isinstance(confidence, dict) else confidence
        if len(chosen) > 1:
            return Match("", AMBIGUOUS, best + suffix, tuple((meaning, AMBIGUOUS) for meaning in sorted(meanings)))
        if best == "synonym" and len(key) <= _SHORT:
            sure = min(sure, _ABBREVIATED)
        others = tuple((meaning, AMBIGUOUS) for meaning in sorted(meanings) if meaning != chosen[0])
        if others and table is not self._exact and best != "word":
            sure = min(sure, _CONTESTED)
        return Match(chosen[0], sure, best + suffix, others)

    def _edited(self, folded):
        scores = {}
        near = process.extract(folded, self._choices, scorer=OSA.normalized_similarity, score_cutoff=0.7, limit=25) if len(folded) > 3 else []
        for candidate, _, _ in near:
            score = self._typo(folded, candidate)
            for meaning in self._folded[candidate]:
                scores[meaning] = max(score, scores.get(meaning, 0.0))
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        if not ranked:
            return self._suggested(folded)
        (meaning, best), rest = ranked[0], tuple((other, round(score, 3)) for other, score in ranked[1:6])
        if rest and rest[0][1] >= best - 0.02:
            return Match("", min(AMBIGUOUS, best), "edit distance", tuple((other, round(score, 3)) for other, score in ranked[:6]))
        return Match(meaning, round(best, 3), "edit distance", rest)

    def _suggested(self, folded):
        """What a person may want to choose from: phrases that share most words or parts of them."""
        near = process.extract(folded, self._choices, scorer=fuzz.token_sort_ratio, score_cutoff=70, limit=12) if len(folded) > 3 else []
        scores = {}
        for candidate, score, _ in near:
            for meaning in self._folded[candidate]:
                scores.setdefault(meaning, round(_SUGGESTED * score / 100, 3))
        return Match("", 0.0, "nothing near", tuple(scores.items())[:4])

    def _typo(self, folded, candidate):
        """How sure `folded` is `candidate` with typing errors in it."""
        letters = len(candidate.replace(" ", ""))
        edits = OSA.distance(folded, candidate)
        given, wanted = (collections.Counter(phrase.split()) for phrase in (folded, candidate))
        changed, meant = given - wanted, wanted - given
        other_word = any(word in self._known or len(word) < 4 or any(map(str.isdigit, word)) or _restarted(word, meant) for word in changed)
        digits = any(any(map(str.isdigit, word)) for word in meant)
        too_many = given.total() > wanted.total() or edits > (1 if letters < 8 else 2 if letters < 14 else 3)
        sure = _EDITED - _LOSS * edits / letters
        return min(sure, _DOUBTFUL) if other_word or digits or too_many or not changed else sure


def _restarted(word, meant):
    """Whether what `word` seems to stand for begins otherwise and differs in more: extra- is no intra- mistyped."""
    nearest = min(meant, key=lambda other: OSA.distance(word, other), default="")
    return nearest[:1] != word[0] and OSA.distance(word, nearest) > 1


def _sorted(folded):
    return " ".join(sorted(folded.split()))


def _add(table, key, meaning, how):
    """Keeps the best `how` of a meaning."""
    meanings = table.setdefault(key, {})
    if meaning not in meanings or _PREFERENCE.index(how) < _PREFERENCE.index(meanings[meaning]):
        meanings[meaning] = how
