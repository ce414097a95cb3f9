"""A corpus of hostile pickles: none runs anything, each is refused in words; and the child that reads them can do nothing else."""

import copyreg
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

import confined
import hostile_pickles
import pickled_dictionary
import pickled_frames
from failing import Failure

HOSTILE = hostile_pickles.all()


def test_there_are_many():
    assert len(HOSTILE) >= 50 and len(set(HOSTILE.values())) == len(HOSTILE)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copyreg.add_extension("os", "system", 42)
    yield tmp_path
    copyreg.remove_extension("os", "system", 42)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("reader", [pickled_frames, pickled_dictionary])
def test_nothing_runs_and_each_is_refused(place, reader, name):
    path = place / "file.pkl"
    path.write_bytes(HOSTILE[name])
    began = time.monotonic()
    with pytest.raises(Failure) as caught:
        reader.read(path)
    assert caught.value.code == 65 and str(path) in str(caught.value)
    assert "nothing was executed" in str(caught.value) or "not a pickle of protocol 2 to 5" in str(caught.value)
    assert time.monotonic() - began < 60


def test_the_corpus_would_run_if_it_were_loaded(tmp_path):
    """So that the test above can fail."""
    ran = 0
    for name, data in hostile_pickles.calls().items():
        (tmp_path / "a.pkl").write_bytes(data)
        if name.startswith(("os.system", "eval", "exec", "getattr", "map", "open", "subprocess", "pickle.loads", "compile", "functools")):
            subprocess.run([sys.executable, "-c", "import pickle; pickle.load(open('a.pkl', 'rb'))"], cwd=tmp_path, check=False,
                           capture_output=True)
            ran += (tmp_path / "canary").exists()
            (tmp_path / "canary").unlink(missing_ok=True)
    assert ran >= 18


def attempt(function):
    """What came of it in the child: "done", or the name of the exception."""

    def child():
        try:
            function()
        except Exception as error:
            return type(error).__name__.encode()
        return b"done"

    return confined.call(child, 0, "file").decode()


def test_the_child_can_compute():
    assert confined.call(lambda: b"%d" % sum(range(1000)), 0, "file") == b"499500"


@pytest.mark.parametrize("forbidden", [
    lambda: open("canary", "w"), lambda: open("/etc/passwd"), lambda: os.unlink("metadata.pkl"), lambda: os.rename("metadata.pkl", "canary"),
    lambda: os.mkdir("canary"), lambda: os.symlink("metadata.pkl", "canary"), lambda: os.fork(), lambda: os.execv("/bin/true", ["true"]),
    lambda: subprocess.run(["touch", "canary"]), lambda: socket.socket(), lambda: os.pipe(), lambda: os.chmod("metadata.pkl", 0),
    lambda: os.kill(os.getppid(), signal.SIGTERM), lambda: os.listdir("."),
], ids=["write", "read", "unlink", "rename", "mkdir", "symlink", "fork", "exec", "subprocess", "socket", "pipe", "chmod", "kill", "list"])
def test_the_child_can_do_nothing_else(place, forbidden):
    if ctypes.CDLL(None).prctl(21, 0, 0, 0, 0) < 0:  # PR_GET_SECCOMP
        pytest.skip("this kernel has no seccomp; the limits alone do not hold back unlink and rename")
    (place / "metadata.pkl").write_bytes(b"")
    assert attempt(forbidden) in ("PermissionError", "OSError", "BlockingIOError")
    assert (place / "metadata.pkl").exists() and (place / "metadata.pkl").stat().st_mode & 0o400


def test_descriptors_of_the_parent_are_closed_in_it(place):
    with open("open", "w") as file:
        assert attempt(lambda: os.write(file.fileno(), b"x")) == "OSError"
    assert (place / "open").stat().st_size == 0


def test_memory_and_time_are_limited(monkeypatch):
    with pytest.raises(Failure, match="needs more than 512 MB; nothing was executed"):
        confined.call(lambda: bytes(1 << 31), 0, "file")
    confine = confined.confine
    monkeypatch.setattr(confined, "confine", lambda keep, seconds, memory: confine(keep, 1, memory))

    def forever():
        while True:
            pass

    began = time.monotonic()
    with pytest.raises(Failure, match="took more than .* s; nothing was executed"):
        confined.call(forever, 0, "file")
    assert time.monotonic() - began < 60


def test_a_child_that_dies_is_told():
    with pytest.raises(Failure, match=r"broke its reader \(signal 11\)"):
        confined.call(lambda: ctypes.string_at(0), 0, "file")
