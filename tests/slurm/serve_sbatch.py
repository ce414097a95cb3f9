#!/usr/bin/env python3
"""slurm/serve.sbatch with stand-ins for srun, scancel and scontrol: when is a server started again, and when not?"""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "slurm" / "serve.sbatch"
# srun waits for `end`, which holds its exit code; scancel is the server's signal: it ends in order, but not a deaf one
STAND_INS = {
    "srun": 'echo "srun $*" >>calls; touch began; while [ ! -s end ]; do sleep 0.02; done; exit "$(cat end)"',
    "scancel": 'echo "scancel $*" >>calls; [ -e deaf ] && rm deaf || { sleep 0.1; echo 0 >end; }',
    "scontrol": 'echo "scontrol $*" >>calls; kill -KILL "$PPID"',
}
REQUEUE, STOP = "scontrol requeue 7", "scancel --quiet --signal=USR1 7"


def run(end=None, sent=None, deaf=False, **settings):
    """(exit code, calls, log): srun ends with `end`, or the shell gets the signal `sent`, at first to a deaf server."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for command, body in STAND_INS.items():
            (place / command).write_text("#!/bin/bash\n" + body + "\n")
            (place / command).chmod(0o755)
        if deaf:
            (place / "deaf").touch()
        environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1",
                       "SLURM_CPUS_PER_TASK": "3", **settings}
        job = subprocess.Popen(["bash", SCRIPT, "--model", "gem-1-sc=runs/a b"], cwd=place, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while job.poll() is None and not (place / "began").exists():
            time.sleep(0.02)
        if sent:
            job.send_signal(sent)
        if sent == signal.SIGTERM:  # Slurm sends it to the server itself
            time.sleep(0.2)
            end = 0
        if end is not None:
            (place / "end").write_text(str(end))
        log, _ = job.communicate(timeout=30)
        return job.returncode, (place / "calls").read_text(), log


code, calls, log = run(end=0)
assert code == 0 and "ended with 0" in log, log
assert calls == ("srun --mpi=pmix --cpus-per-task=3 build/release/cellmill serve --address 127.0.0.1 --port 8000 --jobs runs/serve "
                 "--model gem-1-sc=runs/a b\n"), calls
assert " --port 8001 --jobs /x --tokens t --model" in run(end=0, PORT="8001", FOLDER="/x", TOKENS="t")[1]
for bad in (64, 66, 74, 137):
    code, calls, log = run(end=bad)
    assert code == bad and REQUEUE not in calls and f"ended with {bad}" in log, (code, calls, log)
_, calls, log = run(sent=signal.SIGUSR1)
assert calls.count(STOP) == 1 and calls.endswith(REQUEUE + "\n") and "ended with 0" in log, (calls, log)
_, calls, log = run(sent=signal.SIGUSR1, deaf=True)  # before the server was there
assert calls.count(STOP) == 2 and calls.endswith(REQUEUE + "\n"), (calls, log)
code, calls, log = run(sent=signal.SIGTERM)  # cancelled or preempted
assert code == 0 and REQUEUE not in calls, (code, calls, log)
