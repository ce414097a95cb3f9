"""Terms of the ontologies, as the package cellxgene-ontology-guide has them: only what is not deprecated can be an answer, and an id
that has been replaced leads to its replacement. The package keeps exact synonyms, and does not say which of them a source calls related."""

import functools
import importlib.metadata
import re

from cellxgene_ontology_guide.supported_versions import CXGSchema

_ID = re.compile(r"(?P<prefix>[A-Za-z]+)[:_](?P<number>[A-Za-z0-9]+)")


@functools.lru_cache(maxsize=1)
def _guide():
    return CXGSchema()


def versions(names):
    """{package or ontology: version} of all that an answer depends on."""
    packages = {name: importlib.metadata.version(name) for name in ("cellxgene-ontology-guide", "rapidfuzz", "pandas")}
    ontologies = {name: _guide().supported_ontologies[name]["version"] for name in sorted(names)}
    return {"packages": packages, "cellxgene_schema": _guide().version, "ontologies": ontologies}


def ontology(name):
    """{id: {"label", "ancestors", "deprecated", "synonyms"?, "replaced_by"?, "consider"?}}"""
    return _guide().ontology(name)


def known_id(text, name):
    """`text` as an id of the ontology is written, or None: CL_0000084 and cl:0000084 are CL:0000084."""
    found = _ID.fullmatch(text.strip())
    if not found or found["prefix"].casefold() != name.casefold():
        return None
    identifier = f"{name}{'_' if name == 'CVCL' else ':'}{found['number'].upper() if name == 'CVCL' else found['number']}"
    return identifier if identifier in ontology(name) else None


def looks_like_id(text):
    found = _ID.fullmatch(text.strip())
    return bool(found) and (found["prefix"] == "CVCL" or found["number"].isdigit() and len(found["number"]) >= 7)


def current(identifier, name):
    """(id to use or None, ids to consider instead) of an id of the ontology."""
    terms, seen = ontology(name), set()
    while identifier in terms and terms[identifier]["deprecated"]:
        seen.add(identifier)
        successor = terms[identifier].get("replaced_by")
        if successor in seen or successor not in terms:
            return None, [other for other in terms[identifier].get("consider") or [] if other in terms and not terms[other]["deprecated"]]
        identifier = successor
    return (identifier, []) if identifier in terms else (None, [])


def phrases(name, below=(), only=()):
    """Yields (phrase, id, how) for the terms that can be answers; how is label, synonym, or a deprecated term's label."""
    terms = ontology(name)
    for identifier, term in terms.items():
        target, _ = current(identifier, name)
        if target is None or (only and target not in only) or (below and not any(root in terms[target]["ancestors"] for root in below)):
            continue
        if term["deprecated"]:
            yield term["label"].removeprefix("obsolete "), target, "deprecated label"
            continue
        yield term["label"], target, "label"
        for synonym in term.get("synonyms") or []:
            if synonym != term["label"]:
                yield synonym, target, "synonym"


def is_ancestor(above, below):
    """Whether `above` is an ancestor of `below`; False for ids of different ontologies."""
    name = re.split("[:_]", below)[0]
    return name in _guide().supported_ontologies and above in ontology(name).get(below, {}).get("ancestors", ())
