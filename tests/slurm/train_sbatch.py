#!/usr/bin/env python3
"""slurm/train.sbatch with stand-ins for srun, scancel and scontrol: what does the batch shell do with signals and exit codes?

A real cluster is the better judge; slurm/README.md has the lines to type there.
"""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "slurm" / "train.sbatch"
# srun waits for `end`, which holds its exit code; scancel is the ranks' signal: they save, and exit 75
STAND_INS = {
    "srun": 'echo "srun $*" >>calls; touch began; while [ ! -s end ]; do sleep 0.02; done; exit "$(cat end)"',
    "scancel": 'echo "scancel $*" >>calls; sleep 0.1; echo 75 >end',
    "scontrol": 'echo "scontrol $*" >>calls; kill -KILL "$PPID"',
}


def run(end=None, sent=None):
    """(exit code, calls, log) of one job: srun ends with `end`, or the shell gets the signal `sent`."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for command, body in STAND_INS.items():
            (place / command).write_text("#!/bin/bash\n" + body + "\n")
            (place / command).chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1",
                       "SLURM_CPUS_PER_TASK": "3", "CONFIG": "a.yaml b.yaml", "FOLDER": "runs/x"}
        job = subprocess.Popen(["bash", SCRIPT, "--set", "train.epochs=2"], cwd=place, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for(place / "began")
        if sent:
            job.send_signal(sent)
        if sent == signal.SIGTERM:  # Slurm sends it to the ranks itself
            time.sleep(0.2)
            end = 75
        if end is not None:
            (place / "end").write_text(str(end))
        log, _ = job.communicate(timeout=30)
        return job.returncode, (place / "calls").read_text(), log


def wait_for(path):
    for _ in range(500):
        if path.exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{path.name} was never written")


def main():
    requeue, ranks = "scontrol requeue 7", "scancel --signal=USR1 7"
    code, calls, log = run(end=0)
    assert code == 0, log
    assert calls == ("srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=3 build/release/cellmill train --config a.yaml b.yaml "
                     "--set output.folder=runs/x --resume --set train.epochs=2\n"), calls
    # bad data
    code, calls, log = run(end=65)
    assert code == 65 and requeue not in calls and "ended with 65" in log, (code, calls, log)
    # saved of itself
    code, calls, log = run(end=75)
    assert requeue in calls and ranks not in calls, calls
    # time limit
    code, calls, log = run(sent=signal.SIGUSR1)
    assert calls.count(ranks) == 1 and calls.endswith(requeue + "\n") and "ended with 75" in log, (calls, log)
    # cancelled or preempted
    code, calls, log = run(sent=signal.SIGTERM)
    assert code == 75 and requeue not in calls and "ended with 75" in log, (code, calls, log)


main()
