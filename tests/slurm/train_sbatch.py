#!/usr/bin/env python3
"""slurm/train.sbatch with stand-ins for srun, scancel and scontrol: what does the batch shell do with signals and exit codes?

The cases that a real cluster (tests/slurm/cluster) meets only by luck, or is not there for.
"""
import os
import pathlib
import signal
import subprocess
import tempfile
import time

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "slurm" / "train.sbatch"
# srun waits for `end`, which holds its exit code; scancel is the ranks' signal: they save, and exit 75, but not the deaf ones'
STAND_INS = {
    "srun": 'echo "srun $*" >>calls; touch began; while [ ! -s end ]; do sleep 0.02; done; exit "$(cat end)"',
    "scancel": 'echo "scancel $*" >>calls; [ -e deaf ] && rm deaf || { sleep 0.1; echo 75 >end; }',
    "scontrol": 'case "$*" in *requeue*) echo "scontrol $*" >>calls; kill -KILL "$PPID";; *) cat reason;; esac',
}
REQUEUE, RANKS = "scontrol requeue 7", "scancel --quiet --signal=USR1 7"


class Job:
    """A folder in which job 7 may be started again and again."""

    def __init__(self, folder, steps=(0,), reason="None"):
        self.place = pathlib.Path(folder)
        for command, body in STAND_INS.items():
            (self.place / command).write_text("#!/bin/bash\n" + body + "\n")
            (self.place / command).chmod(0o755)
        (self.place / "reason").write_text(f"JobId=7 JobState=COMPLETING Reason={reason} Dependency=(null)\n")
        for step in steps:
            self.save(step)

    def save(self, step):
        manifest = self.place / f"runs/x/checkpoints/step-{step:09}/manifest.json"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.touch()

    def run(self, end=None, sent=None, deaf=False):
        """(exit code, calls, log): srun ends with `end`, or the shell gets the signal `sent`, at first to deaf ranks."""
        for name in ("calls", "began", "end"):
            (self.place / name).unlink(missing_ok=True)
        if deaf:
            (self.place / "deaf").touch()
        environment = {**os.environ, "PATH": f"{self.place}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1",
                       "SLURM_CPUS_PER_TASK": "3", "CONFIG": "a.yaml b.yaml", "FOLDER": "runs/x"}
        job = subprocess.Popen(["bash", SCRIPT, "--set", "train.epochs=2"], cwd=self.place, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        began = self.place / "began"
        while job.poll() is None and not began.exists():
            time.sleep(0.02)
        if sent and job.poll() is None:
            job.send_signal(sent)
        if sent == signal.SIGTERM:  # Slurm sends it to the ranks itself
            time.sleep(0.2)
            end = 75
        if end is not None:
            (self.place / "end").write_text(str(end))
        log, _ = job.communicate(timeout=30)
        calls = self.place / "calls"
        return job.returncode, calls.read_text() if calls.exists() else "", log


def once(*, steps=(0,), reason="None", **more):
    with tempfile.TemporaryDirectory() as folder:
        return Job(folder, steps, reason).run(**more)


def exit_codes():
    code, calls, log = once(end=0)
    assert code == 0, log
    assert calls == ("srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=3 build/release/cellmill train --config a.yaml b.yaml "
                     "--set output.folder=runs/x --resume --set train.epochs=2\n"), calls
    for bad in (65, 70, 78, 137):
        code, calls, log = once(end=bad)
        assert code == bad and REQUEUE not in calls and f"ended with {bad}" in log, (code, calls, log)
    code, calls, log = once(end=75)  # saved of itself
    assert REQUEUE in calls and RANKS not in calls, calls
    code, calls, log = once(end=75, steps=())  # no manifest, no requeue
    assert code == 75 and REQUEUE not in calls, (code, calls, log)


def signals():
    _, calls, log = once(sent=signal.SIGUSR1)
    assert calls.count(RANKS) == 1 and calls.endswith(REQUEUE + "\n") and "ended with 75" in log, (calls, log)
    _, calls, log = once(sent=signal.SIGUSR1, deaf=True)  # before the ranks were there
    assert calls.count(RANKS) == 2 and calls.endswith(REQUEUE + "\n"), (calls, log)
    code, calls, log = once(sent=signal.SIGTERM)  # cancelled or preempted
    assert code == 75 and REQUEUE not in calls and "ended with 75" in log, (code, calls, log)
    code, calls, log = once(sent=signal.SIGTERM, reason="TimeLimit")  # time was up, and the ranks saved
    assert calls.endswith(REQUEUE + "\n"), (code, calls, log)


def starts():
    with tempfile.TemporaryDirectory() as folder:
        job = Job(folder, steps=(10,))
        for step in (10, 10, 11, 11, 11):  # what each start finds
            job.save(step)
            _, calls, log = job.run(end=75)
            assert REQUEUE in calls and f"newest checkpoint: step-{step:09}" in log, (calls, log)
        code, calls, log = job.run(end=75)
        assert code == 70 and not calls and "3 starts brought no new checkpoint: giving up" in log, (code, calls, log)


exit_codes()
signals()
starts()
