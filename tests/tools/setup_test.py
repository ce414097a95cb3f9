"""tools/setup: what it does without a package, without rights, with a wrong option; which machine it picks."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import ROOT


@pytest.fixture
def checkout():
    """A copy of the scripts that another user can read, with a folder `bin` first in PATH."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        (folder / "tools").mkdir()
        (folder / "bin").mkdir()
        for name in ("setup", "requirements.txt"):
            shutil.copy(ROOT / "tools" / name, folder / "tools" / name)
        yield folder


def stub(checkout, name, body):
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def setup(checkout, *arguments, user=None, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("CUDA_HOME", "Torch_DIR")}
    kept["PATH"] = f"{checkout}/bin:/usr/bin:/bin"
    return subprocess.run([checkout / "tools" / "setup", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env=kept | environment, user=user, timeout=60)


def test_without_rights_the_one_line_to_type_is_printed(checkout):
    stub(checkout, "dpkg-query", 'case "$*" in *libdeflate-dev|*catch2) exit 1;; esac; echo install ok installed')
    stub(checkout, "apt-get", "echo called")
    stub(checkout, "sudo", "exit 1")
    done = setup(checkout, user="nobody" if os.geteuid() == 0 else None)
    assert done.returncode == 69 and done.stdout == ""
    assert done.stderr == ("error: some packages are missing, and this is neither root nor sudo\n"
                           "  hint: sudo apt-get install -y catch2 libdeflate-dev\n")


def test_with_rights_what_is_missing_is_installed(checkout):
    stub(checkout, "dpkg-query", 'case "$*" in *libdeflate-dev) exit 1;; esac; echo install ok installed')
    stub(checkout, "apt-get", f'echo "$@" >> {checkout}/calls; [ "$1" = update ]')
    stub(checkout, "sudo", 'case "$*" in "-n true") ;; *) exec "$@";; esac')
    done = setup(checkout)
    assert done.returncode == 1, "the stub's refusal to install ends it"
    assert "[setup] installing 1 packages: libdeflate-dev" in done.stdout
    calls = (checkout / "calls").read_text().splitlines()
    assert calls[0] == "update -qq" and calls[1].startswith("install -y --no-install-recommends") and calls[1].endswith("libdeflate-dev")


def test_an_unknown_option(checkout):
    done = setup(checkout, "--presets", "x")
    assert done.returncode == 64 and done.stderr == "error: tools/setup: unknown option --presets\n  hint: tools/setup --help\n"


def test_help(checkout):
    done = setup(checkout, "--help")
    assert done.returncode == 0 and "--preset NAME" in done.stdout and "Torch_DIR" in done.stdout and "set -e" not in done.stdout


@pytest.mark.parametrize(("wheel", "toolkit", "gpu", "said"), [
    ("13.0", None, False, "CPU: no CUDA toolkit (nvcc not found)"),
    ("13.0", None, True, "CPU: no CUDA toolkit (nvcc not found); there is a GPU: install the CUDA toolkit 13.0 to use it"),
    ("13.0", "12.4", True, "CPU: the CUDA toolkit is 12.4 ({bin}/nvcc), libtorch wants 13.0"),
    ("13.0", "13.1", False, "CUDA, compiled and not run: toolkit 13.1 ({bin}/nvcc), no GPU"),
    ("13.0", "13.0", True, "CUDA: toolkit 13.0 ({bin}/nvcc) and a GPU"),
    ("13.0", "broken", False, "CPU: no CUDA toolkit ({bin}/nvcc not found to run)"),
    (None, "13.0", True, "CPU: the libtorch in {torch} has no CUDA part"),
])
def test_the_kinds_of_machine(checkout, wheel, toolkit, gpu, said):
    if os.path.exists("/dev/nvidia0") and not gpu:
        pytest.skip("this machine has a GPU")
    torch = checkout / "torch"
    (torch / "lib").mkdir(parents=True)
    (torch / "share" / "cmake" / "Torch").mkdir(parents=True)
    if wheel:
        (torch / "version.py").write_text(f"from typing import Optional\ncuda: Optional[str] = '{wheel}'\n")
        (torch / "lib" / "libtorch_cuda.so").touch()
    if toolkit:
        stub(checkout, "nvcc", "exit 127" if toolkit == "broken" else f'echo "Cuda compilation tools, release {toolkit}, V{toolkit}.88"')
    stub(checkout, "nvidia-smi", 'echo "GPU 0: a stub"' if gpu else "exit 9")
    done = setup(checkout, "--machine", Torch_DIR=str(torch / "share" / "cmake" / "Torch"), CUDA_HOME=str(checkout))
    assert done.returncode == 0, done.stderr
    assert done.stdout == said.format(bin=checkout / "bin", torch=torch) + "\n"
