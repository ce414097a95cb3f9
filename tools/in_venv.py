"""Imported first by each Python tool: goes on under the checkout's .venv, so that a tool runs whichever python3 finds it."""

import os
import pathlib
import sys

_VENV = pathlib.Path(__file__).resolve().parent.parent / ".venv"
if pathlib.Path(sys.prefix) != _VENV and (_VENV / "bin" / "python").exists() and not os.environ.get("CELLMILL_IN_VENV"):
    os.environ["CELLMILL_IN_VENV"] = "1"
    os.execv(_VENV / "bin" / "python", [str(_VENV / "bin" / "python"), *sys.argv])
