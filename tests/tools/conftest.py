import contextlib
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import sys
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
os.environ["CELLMILL_IN_VENV"] = "1"  # the tools stay in this process


def load(name):
    """The program tools/NAME as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def tool(monkeypatch):
    """Runs tools/NAME with arguments, in this process; what came of it has returncode, stdout, stderr."""
    import failing

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            with pytest.raises(SystemExit) as left:
                failing.run(load(name).main)
        return types.SimpleNamespace(returncode=left.value.code or 0, stdout=out.getvalue(), stderr=err.getvalue())

    return run


@pytest.fixture
def shared_data():
    """Real cells that some machines have beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout")
    return folder
