"""One spelling for the many of a phrase: case, accents, Greek letters, separators, plurals, British spelling, the sign after a marker.

Words are folded on both sides of a comparison, so a folded word need not be one of any language.
"""

import functools
import re
import unicodedata

_GREEK = {letter: f" {unicodedata.name(letter).split()[-1].lower()} " for letter in map(chr, (*range(0x3B1, 0x3C2), *range(0x3C3, 0x3CA)))}
_SILENT = {"of", "the"}
_WORD, _APOSTROPHE, _PLUS = re.compile(r"[^\W_]+"), re.compile(r"'s\b|'"), re.compile(r"(?<=[a-z0-9])\+")
_MINUS = re.compile(r"(?<=cd\d)(\d*[a-z]?)-(?=[\s,;)]|cd|$)")
_ROMAN = re.compile("[ivx]+")
_SPELLINGS = (("ae$", "a"), ("ae|oe", "e"), ("our", "or"), (r"([iy])s(?=(?:e|ed|es|er|ers|ing|ation|ations)$)", r"\1z"), ("sulph", "sulf"),
              ("leuco", "leuko"), ("(?<=[bt])re$", "er"), ("isc$", "isk"), ("grey", "gray"))
_REGULAR = [(re.compile(found), wanted) for found, wanted in _SPELLINGS]
_ANY = re.compile("|".join(found for found, _ in _SPELLINGS))


def plain(text):
    """Lower case, no accents, Greek letters by name."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(_GREEK.get(letter, letter) for letter in text if not unicodedata.combining(letter))


def fold(text):
    """The words of a phrase, folded, one blank between them."""
    return folded(words(text))


def folded(found):
    return " ".join(_word(word) for word in found if word not in _SILENT)


def joined(found):
    """Words without separators, folded as one."""
    whole = _regular("".join(found))
    return whole if whole.endswith("i") else _stem(whole)  # who knows whether ...vi is a plural or a six


def squeeze(text):
    """Letters, digits and + alone: for names in which nothing but separators and case may differ."""
    return re.sub(r"[^a-z0-9+]", "", plain(text))


def column(text):
    """A column's name as a phrase: camelCase and digits at the end of a word taken apart."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").replace(".", " ")


def words(text):
    """The words of a phrase as they are, whatever separates them."""
    text = plain(text)
    if "'" in text or "’" in text:
        text = _APOSTROPHE.sub("", text.replace("’", "'"))
    if "+" in text:
        text = _PLUS.sub(" positive ", text)
    if "-" in text and "cd" in text:
        text = _MINUS.sub(r"\1 negative ", text)
    return _WORD.findall(text)


@functools.lru_cache(maxsize=1 << 18)
def _word(word):
    return _stem(_regular(word)) if word.isalpha() and not _ROMAN.fullmatch(word) else word


def _regular(word):
    if len(word) > 3 and _ANY.search(word):
        for found, wanted in _REGULAR:
            word = found.sub(wanted, word)
    return word


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
