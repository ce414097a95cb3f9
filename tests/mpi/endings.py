"""How a world ends, seen from outside: exit code through mpirun, what is printed and how often, failure.json, seconds.

usage: endings.py PROGRAM MPIRUN
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM, MPIRUN = sys.argv[1:3]
DATA = "cells.npz: row 7: bad value; expected a number; found NaN"


def run(how, who, ranks=2, launcher=(), **environment):
    with tempfile.TemporaryDirectory() as folder:
        command = [MPIRUN, "--oversubscribe", *launcher, "-n", str(ranks)] if ranks else []
        env = {k: v for k, v in {**os.environ, **environment}.items() if v is not None}
        start = time.monotonic()
        done = subprocess.run([*command, PROGRAM, how, who, folder], capture_output=True, text=True, timeout=60,
                              env=env)
        seconds = time.monotonic() - start
        names = os.listdir(folder)
        failure = json.load(open(os.path.join(folder, "failure.json"))) if "failure.json" in names else None
        assert set(names) <= {"failure.json"}, names
    return done.returncode, done.stdout + done.stderr, failure, seconds


def check(title, got, exit_code, text=None, times=1, **fields):
    returned, said, failure, seconds = got
    try:
        assert returned == exit_code, f"exit code {returned}, expected {exit_code}"
        assert seconds < 15, f"{seconds:.1f} s"
        if text:
            assert said.count(text) == times, f"{text!r} printed {said.count(text)} times, expected {times}"
        if fields:
            assert failure is not None, "no failure.json"
            wrong = {k: failure.get(k) for k, v in fields.items() if failure.get(k) != v}
            assert not wrong, f"failure.json: {wrong}"
        else:
            assert failure is None, failure
    except AssertionError as e:
        sys.exit(f"FAILED {title}: {e}\n{said}")
    print(f"ok {title} ({seconds:.1f} s)")


host = socket.gethostname()
check("no failure", run("none", "-"), 0, "all done")
check("no failure, no launcher", run("none", "-", ranks=0), 0, "all done")
check("a code of the body's own", run("requeue", "-"), 75)
for who in (0, 1):
    check(f"bad data on rank {who} alone", run("data", str(who)), 65,
          f"error: {DATA}\n  hint: fix it\n  at rank {who} of 2, host {host}, while step 12",
          rank=who, size=2, host=host, phase="step 12", code=65, message=DATA, hint="fix it")
check("a standard exception on one rank", run("standard", "1"), 70, 'error: plain "quoted"\ttext',
      rank=1, code=70, message='plain "quoted"\ttext')
check("out of memory on one rank", run("memory", "1"), 70, "error: std::bad_alloc", rank=1, code=70)
check("a torch error on one of three ranks", run("torch", "2", ranks=3), 70,
      "error: shape '[3]' is invalid for input of size 2\n", rank=2, code=70)
check("the same usage error on all", run("usage", "all"), 64, "error: no such option --x", rank=0, code=64)
check("agreed: bad data on rank 1", run("data", "agree:1"), 65, f"error: rank 1: {DATA}", rank=1, host=host, code=65,
      phase="step 12")
check("agreed in four", run("usage", "agree:3", ranks=4), 64, "error: rank 3: no such option --x", rank=3, code=64)
check("without a launcher", run("data", "0", ranks=0), 65, f"error: {DATA}\n  hint: fix it\n", rank=0, size=1, code=65)
check("a world of one under mpirun", run("data", "0", ranks=1), 65, f"error: {DATA}\n  hint: fix it\n", rank=0, code=65)
cores = len(os.sched_getaffinity(0))
check("ranks on one machine share its cores", run("threads", "-", launcher=["--bind-to", "none"], OMP_NUM_THREADS=None), 0,
      f"threads {max(1, cores // 2)}\n", times=2)
check("a launcher whose ranks are strangers", run("none", "-", ranks=0, SLURM_STEP_NUM_TASKS="2"), 64,
      "error: the launcher started 2 processes, but each is alone in its MPI world\n  hint: under Slurm: srun --mpi=pmix")
