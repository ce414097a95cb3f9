"""A dictionary of texts to numbers or texts from its pickle or its JSON. A pickle is read as in pickled_frames.py: an inert tree in
a confined child, out of which only JSON comes."""

import json

import confined
from allowlist_unpickler import load
from failing import DATA, Failure
from pickled_frames import Malformed, element

_HINT = "Geneformer's own .pkl files and JSON objects are read"
_PLAIN = (str, int, float, type(None))


def read(path):
    """{text: text, number or None}; Failure (65) for anything else."""
    with open(path, "rb") as file:
        data = file.read()
    pickled = str(path).endswith((".pkl", ".pickle"))
    text = confined.call(lambda: _unpickled(data, path), len(data), path) if pickled else data
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(DATA, "not JSON", file=path, found=error, hint=_HINT) from None
    if not isinstance(found, dict):
        raise Failure(DATA, "no dictionary", file=path, expected="{text: text or number}", found=type(found).__name__, hint=_HINT)
    for key, value in found.items():
        if not isinstance(value, _PLAIN) or isinstance(value, bool):
            raise Failure(DATA, "no text or number", file=path, where=f"entry {key!r:.60}", found=f"{value!r:.60}", hint=_HINT)
    return found


def _unpickled(data, path):
    tree = load(data, path, _HINT)
    try:
        if type(tree) is not dict:
            raise Malformed(f"a {type(tree).__name__}")
        plain = {}
        for key, value in tree.items():
            if type(key) is not str:
                raise Malformed(f"a key that is a {type(key).__name__}")
            plain[key] = element(value)
        return json.dumps(plain).encode()
    except (Malformed, TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
    raise Failure(DATA, "not a dictionary of texts and numbers; nothing was executed", file=path, found=reason, hint=_HINT)
