"""Which field of the schema a column of a table is, by its name: known names and misspelt ones, ids, units, units in the name."""

import dataclasses
import functools
import re

from harmonization import measures, schema, spelling
from harmonization.answers import ACCEPT
from harmonization.lexicon import Lexicon

_BESIDE = """author donor patient sample subject original reported annotation annotated label labels name curated predicted harmonized cell
coarse fine final text value characteristics ch1 level ontology major minor""".split()
_ID = re.compile(r"(.+?)[\s_]*(?:ontology[\s_]*(?:term[\s_]*)?id|term[\s_]*id|ontology)", re.IGNORECASE)
_UNIT = re.compile(r"(.+?)[\s_]*units?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Column:
    name: str
    field: str
    confidence: float
    how: str
    role: str = "value"  # value | id | unit
    unit: str = ""  # of numbers without one


def recognise(name):
    """The Column, or None if the name is that of no field."""
    text = spelling.column(name).strip()
    stage = re.fullmatch(r"(development(?:al)? stage).*", text, re.IGNORECASE)
    found = _ID.fullmatch(text)
    if found and (field := _field(found[1])):
        return Column(name, *field, role="id")
    if stage:
        return Column(name, "age", 0.97, "synonym")
    found = _UNIT.fullmatch(text)
    if found and (field := _field(found[1])) and schema.fields()[field[0]].measure:
        return Column(name, *field, role="unit")
    words = re.findall(r"[^\s()\[\]]+", text)
    for end in range(len(words) - 1, 0, -1):
        field, unit = _field(" ".join(words[:end])), " ".join(words[end:])
        measure = field and schema.fields()[field[0]].measure
        if measure and (measures.find_unit(measure, unit) or measure == "age" and measures.prenatal_lag(unit) is not None):
            return Column(name, *field, unit=unit)
    field = _field(text)
    return Column(name, *field) if field else None


def _field(text):
    """(field, confidence, how), or None."""
    match = _lexicon().look_up(text)
    return (match.meaning, match.confidence, match.how) if match.meaning and match.confidence >= ACCEPT else None


@functools.lru_cache(maxsize=1)
def _lexicon():
    return Lexicon(((phrase, field.name, how) for field in schema.fields().values()
                    for phrase, how in [(field.name.replace("_", " "), "label"), *((name, "synonym") for name in field.columns)]), _BESIDE)
