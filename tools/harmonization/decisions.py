"""The YAML of human decisions, which overrides what the names of columns and the matching say:

  columns:
    body_location: tissue                # this column is that field
    dosage: {field: dose, unit: um}      # numbers without a unit are in this one
    condition: null                      # this column is no field
  values:
    cell_type:
      CD16 Mono: CL:0002396              # an id, a label, or a word of the field's list
      doublet: null                      # missing

A key or value that means nothing is a Failure (78) naming file, line and the nearest known one.
"""

import difflib

import yaml

from failing import CONFIG, NO_INPUT, Failure
from harmonization import measures, schema
from harmonization.columns import Column


class Decisions:
    """`columns`: {name: Column or None}; `values`: {field: {text: Answer or None}}. `unused` gathers what met no data."""

    def __init__(self, path=None, readers=None):
        self.columns, self.values, self._used = {}, {}, set()
        if path is None:
            return
        for key, node in _pairs(path, _document(path), ("columns", "values")):
            if key == "columns":
                self.columns = {name: _column(path, name, value) for name, value in _pairs(path, node)}
            else:
                for field, values in _pairs(path, node, schema.fields()):
                    self.values[field] = {text: _value(path, readers[field], text, value) for text, value in _pairs(path, values)}

    def column(self, name):
        """(was there a decision, its Column or None)"""
        self._used.add(("columns", name))
        return name in self.columns, self.columns.get(name)

    def value(self, field, text):
        """(was there a decision, its Answer or None)"""
        self._used.add((field, text))
        values = self.values.get(field, {})
        return text in values, values.get(text)

    @property
    def unused(self):
        said = [("columns", name) for name in self.columns] + [(field, text) for field, values in self.values.items() for text in values]
        return [f"{where}: {what}" for where, what in said if (where, what) not in self._used]


def _document(path):
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.compose(file, Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise Failure(NO_INPUT, "no such file", file=path) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Failure(CONFIG, "not YAML", file=path, found=" ".join(str(error).split())) from None


def _pairs(path, node, known=None):
    """[(key, node)] of a mapping; no document and an empty one have none."""
    if node is None or _is_null(node):
        return []
    if not isinstance(node, yaml.MappingNode):
        raise _failure(path, node, "not a mapping", expected="KEY: VALUE")
    pairs, seen = [], set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _failure(path, key, "not a name", expected="a text as key")
        name = key.value.strip()
        if name in seen:
            raise _failure(path, key, f"{name} is there twice")
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise _failure(path, key, f"{name} is not known here", expected="one of " + ", ".join(known),
                           hint=f"did you mean {near[0]}?" if near else "")
        seen.add(name)
        pairs.append((name, value))
    return pairs


def _column(path, name, node):
    if _is_null(node):
        return None
    settings = dict(_pairs(path, node, ("field", "unit"))) if isinstance(node, yaml.MappingNode) else {"field": node}
    if "field" not in settings:
        raise _failure(path, node, f"no field for {name}", expected="field: FIELD")
    field, unit = _text(path, settings["field"]), _text(path, settings["unit"]) if "unit" in settings else ""
    if field not in schema.fields():
        near = difflib.get_close_matches(field, schema.fields(), 1)
        raise _failure(path, settings["field"], f"there is no field {field}", expected="one of " + ", ".join(schema.fields()),
                       hint=f"did you mean {near[0]}?" if near else "")
    measure = schema.fields()[field].measure
    if unit and not (measure and (measures.find_unit(measure, unit) or measure == "age" and measures.prenatal_lag(unit) is not None)):
        raise _failure(path, settings["unit"], f"no unit of {field}", found=unit)
    return Column(name, field, 1.0, "decision", unit=unit)


def _value(path, reader, text, node):
    if _is_null(node):
        return None
    meant = _text(path, node)
    answer = reader.decided(meant)
    if answer is None:
        near = reader.read(meant).alternatives
        raise _failure(path, node, f"{text} cannot be that", found=meant, expected=f"an id, a label or a word of {reader.field.name}",
                       hint=f"did you mean {near[0].label}?" if near else "")
    return answer


def _is_null(node):
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _text(path, node):
    if not isinstance(node, yaml.ScalarNode):
        raise _failure(path, node, "not a text")
    return node.value.strip()


def _failure(path, node, what, **values):
    return Failure(CONFIG, what, file=path, where=f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}", **values)
