"""Ages, doses and times as a number with the unit of units.yaml; ages as a stage of HsapDv too."""

import functools
import re

from harmonization import schema, spelling, terms

_NUMBER = r"\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_DECADES = "third fourth fifth sixth seventh eighth ninth tenth eleventh".split()


class Unreadable(Exception):
    """Why a text is no measure."""


def quantity(measure, text, unit=""):
    """(number in the field's unit, that unit, was a unit given) of "10 µM", "30 min" or "7" with `unit`. Unreadable if it is none."""
    number, written = _parts(text)
    unit_text = written or unit
    if not unit_text:
        raise Unreadable("a number without a unit")
    found = find_unit(measure, unit_text)
    if found is None:
        raise Unreadable(f"no unit of {measure}: {unit_text}")
    return number * found[1], found[0], bool(written)


def text_of(number, unit):
    return f"{float(f'{number:.6g}'):.12g} {unit}"


def find_unit(measure, text):
    """(unit that the field is given in, how many of these `text` is), or None."""
    return _units(measure).get(_unit_key(text))


def prenatal_lag(text):
    """Weeks between the start of counting and fertilisation for a unit of age before birth, or None."""
    for lag, spellings in schema.units()["age"]["prenatal"].items():
        if _unit_key(text) in map(_unit_key, spellings):
            return int(lag)
    return None


def age(text, unit=""):
    """(years or None, HsapDv id or None, was a unit given). Unreadable if it is no age."""
    text = spelling.plain(text).strip()
    stage = _open_range(text) or _decade(text)
    if stage:
        return None, stage, True
    number, written = _parts(text)
    lag = prenatal_lag(written or unit)
    if lag is not None:
        return None, _week(number - lag), True
    found = find_unit("age", written or unit or "year")
    if found is None:
        raise Unreadable(f"no unit of age: {written or unit}")
    years = number * found[1]
    if years > 130:
        raise Unreadable("older than 130 years")
    return years, _stage(years), bool(written or unit)


def _parts(text):
    """(number, unit as written) of "10 um", "10um", "day 7", "t=6h", "0,5 h"."""
    text = spelling.plain(text.replace("µ", "u").replace("μ", "u")).strip().removeprefix("t=").lstrip("~ ")
    text = re.sub(r"(?<=\d),(?=\d{1,2}\b)", ".", text)
    found = re.fullmatch(rf"(?P<number>{_NUMBER})[\s_-]*(?P<unit>[^\d].*)?", text) or re.fullmatch(
        rf"(?P<unit>[a-z%/]+(?: [a-z]+)?)[\s_.-]*(?P<number>{_NUMBER})", text)
    if not found:
        raise Unreadable("no number with a unit")
    return float(found["number"]), (found["unit"] or "").strip()


def _unit_key(text):
    return re.sub(r"[\s_.()\[\]-]+", "", spelling.plain(text.replace("µ", "u").replace("μ", "u")))


@functools.lru_cache(maxsize=None)
def _units(measure):
    known = schema.units()[measure]
    dimensions = known.get("dimensions") or {known["unit"]: known["units"]}
    table = {}
    for target, units in dimensions.items():
        for name, (factor, *spellings) in units.items():
            table |= {_unit_key(spelling_): (target, float(factor)) for spelling_ in (name, *map(str, spellings))}
    return table


@functools.lru_cache(maxsize=1)
def _stages():
    return {phrase: identifier for phrase, identifier, how in terms.phrases("HsapDv") if how == "label"}


def _stage(years):
    months = int(years * 12 + 1e-6)
    if months < 1:
        return _stages()["newborn stage (0-28 days)" if years * 365.25 <= 28.5 else "nursing stage (0-11 months)"]
    return _stages().get(f"{int(years + 1e-9)}-year-old stage" if months >= 24 else f"{months}-month-old stage")


def _week(weeks):
    if not 0 <= weeks <= 42:
        raise Unreadable("not a week before birth")
    week = int(weeks)
    ordinal = f"{week}{'th' if 10 < week < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(week % 10, 'th')}"
    if week < 9:
        return _stages()["embryonic stage"]
    return _stages()["38th week post-fertilization and over stage" if week >= 38 else f"{ordinal} week post-fertilization stage"]


def _open_range(text):
    found = re.fullmatch(r"(?:(?:>=?|over)\s*(\d+)|(\d+)\s*(?:\+|and over|or older))\s*(?:y\w*)?", text)
    low = found and int(found[1] or found[2])
    return _stages()[{80: "80 year-old and over stage", 90: "90 year-old and over stage"}[low + (low == 89)]] if low in (80, 89, 90) else None


def _decade(text):
    found = re.fullmatch(r"(\d0)\s*(?:-|to|\u2013)\s*(\d+)\s*(?:y\w*)?", text)
    if not found or int(found[2]) - int(found[1]) not in (9, 10) or not 20 <= int(found[1]) <= 100:
        return None
    return _stages()[f"{_DECADES[int(found[1]) // 10 - 2]} decade stage"]
