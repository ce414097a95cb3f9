"""Training itself with a rank that dies, hangs or lags: who is named, the code, failure.json, and that the run can go on.

usage: watched_runs.py CELLMILL MPIRUN [--only TEXT]
"""
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "crash_matrix"))
from runs import NotHeld, Place, Programs, require  # noqa: E402

PROGRAMS = Programs(*sys.argv[1:3])
ONLY = sys.argv[4] if sys.argv[3:4] == ["--only"] else ""
QUICK = [w for phase in ("start", "step", "save", "evaluation") for w in ("--set", f"watchdog.{phase}_seconds=3")]
ENDLESS = ["--set", "train.epochs=100000", "--set", "checkpoint.every_steps=100000", "--set", "evaluation.every_steps=100000"]


def until(running, text, limit=60):
    end = time.monotonic() + limit
    while text not in running.said.read_text(errors="replace"):
        if running.process.poll() is not None or time.monotonic() > end:
            running.kill_all()
            raise NotHeld(f"never said {text!r}\n{running.said.read_text()[-3000:]}")
        time.sleep(0.02)


def process_of(running, rank):
    """The rank's own process; with the launcher's shell, none."""
    found = [p for p, r in running.processes().items() if r == rank and b"cellmill" in pathlib.Path(f"/proc/{p}/exe").resolve().name.encode()]
    require(len(found) == 1, f"rank {rank} is {found}")
    return found[0]


def judged(path, ended, codes, rank, message, stack):
    require(ended.code in codes, f"ended with {ended.code}, expected one of {codes}", ended.said)
    require(path.exists(), f"no {path.name}", ended.said)
    failure = json.loads(path.read_text())
    require(failure["size"] == 2 and (rank is None or failure["rank"] == rank), f"rank {failure['rank']} of {failure['size']}", ended.said)
    require(message in failure["message"], f"message: {failure['message']}", ended.said)
    require(failure["message"] in ended.said, "the console does not say it", ended.said)
    require(ended.said.count("error: ") == 1, "not one cause", ended.said)
    require(failure["pid"] > 1 and failure["host"] and failure["phase"], str(failure))
    require(any(stack in line for line in failure["backtrace"]), f"no {stack} in {failure['backtrace']}")
    return failure


def killed_while_training(place):
    running = place.start(*QUICK, *ENDLESS, ranks=2)
    until(running, "first step done")
    time.sleep(0.5)  # more than a heartbeat: what is known of the dead is what it said last
    os.kill(process_of(running, 1), signal.SIGKILL)
    ended = running.end(20)
    failure = judged(place.run / "failure.json", ended, {71, 137}, 1, "rank 1 is gone", "no stack: the process is gone")
    require(failure["phase"].startswith("step ") and failure["step"] >= 1, str(failure))
    ended = place.start("--set", "train.epochs=2", "--set", "evaluation.every_steps=100000", ranks=2).end()
    require(ended.code == 0, f"the resumed run ended with {ended.code}", ended.said)
    require(not (place.run / "failure.json").exists(), "failure.json outlives the run that went on")


def stopped_while_training(place):
    running = place.start(*QUICK, *ENDLESS, ranks=2)
    until(running, "first step done")
    os.kill(process_of(running, 0), signal.SIGSTOP)
    judged(place.run / "failure.json", running.end(20), {72}, 0, "rank 0 hangs: no heartbeat for", "cellmill::")


def store_of(place):
    """A store that takes for ever to open."""
    path = place.path / "cells.cmpack"
    os.mkfifo(path)
    return ["--set", "data.format=pack", "--set", f"data.path={path}"]


def blocked_while_opening(place):
    ended = place.start(*QUICK, *store_of(place), ranks=2).end(30)
    failure = judged(place.path / "run.failure.json", ended, {72}, None, "hangs: no progress for 3 s", "cellmill::")  # both hang
    require(failure["phase"] == "opening data" and not place.run.exists(), str(failure))


def killed_while_opening(place):
    running = place.start(*QUICK, *store_of(place), "--set", "watchdog.start_seconds=60", ranks=2)
    time.sleep(2)
    os.kill(process_of(running, 1), signal.SIGKILL)
    failure = judged(place.path / "run.failure.json", running.end(20), {71, 137}, 1, "rank 1 is gone", "no stack")
    require(failure["phase"] == "opening data", str(failure))


def blocked_while_saving(place):
    """The tracer holds the thread, so that it cannot show its stack, as a disk that hangs in the kernel may."""
    if not shutil.which("strace"):
        return "no strace (apt-get install strace)"
    delay = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=60000000"]
    ended = place.start(*QUICK, ranks=2, strace=delay).end(40)
    failure = judged(place.run / "failure.json", ended, {72}, 0, "rank 0 hangs: no progress for 3 s", "state t (tracing stop)")
    require(failure["phase"] == "saving at step 0" and failure["step"] == 0, str(failure))


def lagging(place):
    """Rank 1 is stopped half of the time."""
    running = place.start(*ENDLESS, "--set", "train.global_batch=2048", "--set", "data.synthetic_cells=8192", "--set",
                          "data.synthetic_genes=2000", "--set", "data.chunk_cells=1024", "--set",
                          "model.cycle_autoencoder.latent=64", ranks=2)
    until(running, "first step done")
    rank, over = process_of(running, 1), threading.Event()

    def hold():
        while not over.is_set():
            os.kill(rank, signal.SIGSTOP)
            time.sleep(0.012)
            os.kill(rank, signal.SIGCONT)
            time.sleep(0.006)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        until(running, "rank 1 is slow in compute")
    finally:
        over.set()
        holder.join()
        running.kill_all()


CASES = [killed_while_training, stopped_while_training, blocked_while_opening, killed_while_opening, blocked_while_saving, lagging]


def main():
    failed = 0
    for case in CASES:
        name = case.__name__.replace("_", " ")
        if ONLY not in name:
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="watched-") as folder:
            try:
                skipped = case(Place(folder, PROGRAMS))
                print(f"SKIPPED {name}: {skipped}" if skipped else f"held: {name} ({time.monotonic() - start:.1f} s)", flush=True)
            except NotHeld as why:
                failed += 1
                print(f"NOT HELD: {name}: {why}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
