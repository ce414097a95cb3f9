"""The harmonised schema (schema.yaml, which says what each key means) as data."""

import dataclasses
import functools
import pathlib

import yaml

_FOLDER = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Field:
    name: str
    group: str
    columns: tuple
    ontology: str = ""
    below: tuple = ()
    only: tuple = ()
    also: tuple = ()
    generic: tuple = ()
    words: dict = dataclasses.field(default_factory=dict)
    choices: dict = dataclasses.field(default_factory=dict)
    measure: str = ""
    text: bool = False
    control: tuple = ()

    @property
    def outputs(self):
        """The columns of a harmonised table that are the field's."""
        if self.measure == "age":
            return self.name, "development_stage", "development_stage_ontology_term_id"
        return (self.name, f"{self.name}_ontology_term_id") if self.ontology else (self.name,)

    @property
    def ontologies(self):
        """Names of all whose terms can be answers."""
        return tuple(dict.fromkeys([self.ontology, *(identifier.split(":")[0] for identifier in self.also)])) if self.ontology else ()


@functools.lru_cache(maxsize=1)
def fields():
    """{name: Field} in the order of schema.yaml."""
    return {name: Field(name, **{key: tuple(map(str, value)) if isinstance(value, list) else value for key, value in entry.items()})
            for name, entry in _read("schema.yaml").items()}


@functools.lru_cache(maxsize=1)
def units():
    return _read("units.yaml")


def _read(name):
    return yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))
