"""The system calls with which a run saves and starts, one by one through strace: killed there, or refused there."""
import collections
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from runs import Place, require

CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat",
         "rmdir", "ftruncate", "openat")
LINE = re.compile(r"^(\d+) +(\w+)\((.*)")
SAYING = {"ENOSPC": "No space left on device", "EIO": "Input/output error", "EDQUOT": "Disk quota exceeded"}


def strace(out, *inject, calls=CALLS):
    """-D: the program keeps the process id that its temporary names carry. (--seccomp-bpf would be faster; signals are not
    delivered under it.)"""
    return ["strace", "-D", "-f", "-qq", "-o", str(out), "-e", "trace=" + ",".join(calls), *inject]


def refusal():
    """Why strace cannot be used here, or nothing."""
    if not shutil.which("strace"):
        return "no strace (apt-get install strace)"
    done = subprocess.run([*strace("/dev/null"), "true"], capture_output=True, text=True)
    return f"strace: {done.stderr.strip()}" if done.returncode or done.stderr else ""


class Scenario:
    """A way for a run to begin: `prepare(place)` leaves the folder as it is then."""

    def __init__(self, name, programs, root, part="save", prepare=lambda place: None, passed_over=0):
        self.name, self.programs, self.root, self.part = name, programs, root, part
        self.prepare, self.passed_over = prepare, passed_over

    def place(self, name):
        place = Place(self.root / name, self.programs)
        self.prepare(place)
        return place

    @functools.cache
    def points(self, ranks=1):
        """{(call, how manieth): its arguments}, counted by thread of rank 0 as strace's `when` does; of two threads, the first's.
        openat only where it makes a file."""
        place = self.place(f"traced-{self.name}-{ranks}")
        out = place.path / "trace"
        ended = place.start(ranks=ranks, strace=strace(out), part=self.part).end()
        require(ended.code == 0, f"a traced run ended with {ended.code}", ended.said)
        counts, points = collections.Counter(), {}
        for line in out.read_text().splitlines():
            if found := LINE.match(line):
                thread, call, text = found.groups()
                counts[thread, call] += 1
                if call != "openat" or "O_CREAT" in text:
                    points.setdefault((call, counts[thread, call]), text)
        shutil.rmtree(place.path)
        return points

    def with_call(self, name, call, when, what, ranks=1):
        """Runs with something done to the `when`-th such call of a thread of rank 0: (place, end)."""
        place = self.place(name)
        inject = ("-e", f"inject={call}:{what}:when={when}")
        return place, place.start(ranks=ranks, strace=strace("/dev/null", *inject, calls=[call]), part=self.part).end()


def scenarios(programs, root, ranks):
    """A fresh run's saves; those of one whose newest checkpoint is damaged, so that it is passed over and saved once more in its
    place; and how each starts."""
    fresh = Scenario(f"fresh-{ranks}", programs, root)
    saves = max(when for call, when in fresh.points(ranks) if call == "mkdir")
    broken, ended = fresh.with_call(f"broken-{ranks}", "mkdir", saves, "signal=SIGKILL", ranks)
    require(len(broken.steps()) > 1, "too few checkpoints before the kill", ended.said)
    newest = broken.run / f"checkpoints/step-{broken.steps()[-1]:09}/state.h5"
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)

    def copy(place):
        shutil.copytree(broken.run, place.run)

    return [fresh, Scenario(f"again-{ranks}", programs, root, "save", copy, passed_over=1),
            Scenario(f"start-{ranks}", programs, root, "start"),
            Scenario(f"restart-{ranks}", programs, root, "start", copy, passed_over=1)]


def killed(scenario, call, when, expected, ranks, name):
    """The world ends, nobody is left; resumed, it goes on from a whole checkpoint to the unbroken run's bits."""
    place, ended = scenario.with_call(name, call, when, "signal=SIGKILL", ranks)
    require(ended.code != 0, f"not killed at {call} {when}", ended.said)
    require(ended.seconds < 100, f"all ended only after {ended.seconds:.0f} s", ended.said)
    place.go_on(expected, ranks, scenario.passed_over)
    shutil.rmtree(place.path)


def refused(scenario, call, when, error, text, expected, name):
    """A refused call of a save is said and does no harm. It may end the run, clearly, before the first step; and after the last
    one, when all is saved but the curves cannot be synced."""
    place, ended = scenario.with_call(name, call, when, f"error={error}")
    require(ended.code in (0, 74), f"ended with {ended.code}, not 0 or 74", ended.said)
    require(SAYING[error] in ended.said, f"nothing is said of {error} at {text}", ended.said)
    if ended.code == 74:
        require("error: " in ended.said and (error == "EIO" or "hint: " in ended.said), "no error, or no hint", ended.said)
        last = f"step-{place.steps()[-1]:09}/state.h5" if place.steps() else ""
        require("first step done" not in ended.said or last == max(f for f in expected["checkpoints"] if f.endswith("state.h5")),
                f"{error} at {text} ended a run under way", ended.said)
    if ended.code == 74 or "old checkpoints are still there" in ended.said:  # the next start makes up for it
        place.go_on(expected, passed_over=scenario.passed_over)
    place.require_outcome(expected, ended.said)
    shutil.rmtree(place.path)


def stopped(place, error):
    """A run that is told to stop, and whose curves cannot be synced at its end, is saved, says both and ends with 75: to be put back."""
    syncs = 2  # of the start, of the save: an epoch, and its save, is far away
    running = place.start("--set", "data.synthetic_cells=40000", "checkpoint.every_steps=0", strace=strace(
        "/dev/null", "-e", f"inject=fsync:error={error}:when={syncs + 1}+", calls=["fsync"]), part="curves")
    until = time.monotonic() + 60
    while "first step done" not in running.said.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    for process in running.processes():
        if pathlib.Path(f"/proc/{process}/comm").read_text() != "strace\n":
            os.kill(process, signal.SIGUSR1)
    ended = running.end()
    require(ended.code == 75, f"a stopped run whose curves could not be synced ended with {ended.code}, not 75", ended.said)
    require(SAYING[error] in ended.said, f"nothing is said of {error}", ended.said)
    require(place.steps() and f"step {place.steps()[-1]} is saved" in ended.said, "does not say what is saved", ended.said)
    shutil.rmtree(place.path)


def sampled(points, every, of_pwrite):
    """Every `every`-th call, of pwrite64 (HDF5's many) every `of_pwrite`-th."""
    seen = collections.Counter()
    for point in points:
        bulk = point[0] == "pwrite64"
        if seen[bulk] % (of_pwrite if bulk else every) == 0:
            yield point
        seen[bulk] += 1


def add_kills(matrix):
    if why := refusal():
        matrix.skipped["SIGKILL at system calls"] = why
        return
    for ranks in (1, 4):
        matrix.unbroken(ranks)
        every = (1, 1) if matrix.long else (2, 30) if ranks == 1 else (20, 200)
        for scenario in scenarios(matrix.programs, matrix.root, ranks):
            if ranks > 1 and scenario.part == "start" and not matrix.long:
                continue
            for call, when in sampled(scenario.points(ranks), *every):
                matrix.add(f"SIGKILL at a system call of a {scenario.part}, {ranks} rank{'s' * (ranks > 1)}",
                           f"kill-{scenario.name}-{call}-{when}",
                           lambda path, s=scenario, c=call, w=when, r=ranks: killed(s, c, w, matrix.unbroken(r), r, path.name))


def add_refusals(matrix):
    if why := refusal():
        matrix.skipped["ENOSPC, EIO, EDQUOT at system calls"] = why
        return
    errors = list(SAYING)
    for error in SAYING:
        matrix.add("ENOSPC, EIO or EDQUOT at the last sync of a stopped run's curves", f"{error}-stopped",
                   lambda path, e=error: stopped(Place(path, matrix.programs, epochs=10000), e))
    matrix.unbroken(1)
    for scenario in scenarios(matrix.programs, matrix.root, 1):
        points = scenario.points()
        for n, point in enumerate(points if matrix.long else sampled(points, 4, 60)):
            for error in errors if matrix.long else [errors[n % 3]]:
                matrix.add(f"ENOSPC, EIO or EDQUOT at a system call of a {scenario.part}",
                           f"{error}-{scenario.name}-{point[0]}-{point[1]}",
                           lambda path, s=scenario, p=point, e=error, text=points[point]: refused(
                               s, *p, e, text, matrix.unbroken(1), path.name))
