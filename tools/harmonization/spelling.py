"""One spelling for the many of a phrase: case, accents, Greek letters, separators, plurals, British spelling, the sign after a marker.

Words are folded on both sides of a comparison, so a folded word need not be one of any language.
"""

import functools
import re
import unicodedata

_GREEK = {letter: f" {unicodedata.name(letter).split()[-1].lower()} " for letter in map(chr, (*range(0x3B1, 0x3C2), *range(0x3C3, 0x3CA)))}
_SILENT = {"of", "the"}
_REGULAR = [(re.compile(found), wanted) for found, wanted in (
    ("ae$", "a"),
    ("ae|oe", "e"), ("our", "or"), ("([iy])s(?=(?:e|ed|es|er|ers|ing|ation|ations)$)", r"\1z"), ("sulph", "sulf"), ("leuco", "leuko"),
    ("(?<=[bt])re$", "er"), ("isc$", "isk"), ("grey", "gray"))]


def plain(text):
    """Lower case, no accents, Greek letters by name."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(_GREEK.get(letter, letter) for letter in text if not unicodedata.combining(letter))


def fold(text):
    """The words of a phrase, folded, one blank between them."""
    return " ".join(_word(word) for word in _words(text) if word not in _SILENT)


def join(text):
    """A phrase without separators, as one folded word."""
    return _word("".join(_words(text)))


def squeeze(text):
    """Letters, digits and + alone: for names in which nothing but separators and case may differ."""
    return re.sub(r"[^a-z0-9+]", "", plain(text))


def column(text):
    """A column's name as a phrase: camelCase and digits at the end of a word taken apart."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").replace(".", " ")


def _words(text):
    text = re.sub(r"'s\b|'", "", plain(text).replace("’", "'"))
    text = re.sub(r"(?<=[a-z0-9])\+", " positive ", text)
    text = re.sub(r"(?<=cd\d)(\d*[a-z]?)-(?=[\s,;)]|cd|$)", r"\1 negative ", text)
    return re.findall(r"[^\W_]+", text)


@functools.lru_cache(maxsize=1 << 18)
def _word(word):
    for found, wanted in _REGULAR if word.isalpha() and len(word) > 3 else ():
        word = found.sub(wanted, word)
    return _stem(word) if word.isalpha() else word


def _stem(word):
    """Without the ending in which singular and plural differ, English or Latin; four letters stay."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")):
        word = word[:-1]
    for ending in ("us", "um", "on", "a", "e", "i"):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and (ending != "on" or word.endswith("ion")):
            return word[: -len(ending)]
    return word
