"""A batch script of slurm/, run as Slurm runs it, with stand-ins for srun, scancel and scontrol."""
import os
import pathlib
import signal
import subprocess
import time

SLURM = pathlib.Path(__file__).resolve().parents[2] / "slurm"
# srun waits for `end`, which holds its exit code; scancel is the program's signal, which then ends in order, unless it is deaf
STAND_INS = {
    "srun": 'echo "srun $*" >>calls; touch began; while [ ! -s end ]; do sleep 0.02; done; exit "$(cat end)"',
    "scancel": 'echo "scancel $*" >>calls; [ -e deaf ] && rm deaf || { sleep 0.1; cat in_order >end; }',
    "scontrol": 'case "$*" in *requeue*) echo "scontrol $*" >>calls; kill -KILL "$PPID";; *) cat reason;; esac',
}
REQUEUE, STOP = "scontrol requeue 7", "scancel --quiet --signal=USR1 7"


class BatchScript:
    """A folder in which job 7 may be started again and again. `in_order`: the exit code of a program that ends when it is told to."""

    def __init__(self, folder, script, *arguments, in_order, reason="None", **settings):
        self.place, self.in_order = pathlib.Path(folder), in_order
        self.command = ["bash", SLURM / script, *arguments]
        for command, body in STAND_INS.items():
            (self.place / command).write_text("#!/bin/bash\n" + body + "\n")
            (self.place / command).chmod(0o755)
        (self.place / "in_order").write_text(f"{in_order}\n")
        (self.place / "reason").write_text(f"JobId=7 JobState=COMPLETING Reason={reason} Dependency=(null)\n")
        self.environment = {**os.environ, "PATH": f"{self.place}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1",
                            "SLURM_CPUS_PER_TASK": "3", **settings}

    def run(self, end=None, sent=None, deaf=False):
        """(exit code, calls, log): srun ends with `end`, or the shell gets the signal `sent`, at first to a deaf program."""
        calls, began = self.place / "calls", self.place / "began"
        for left in (calls, began, self.place / "end"):
            left.unlink(missing_ok=True)
        if deaf:
            (self.place / "deaf").touch()
        job = subprocess.Popen(self.command, cwd=self.place, env=self.environment, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
        while job.poll() is None and not began.exists():
            time.sleep(0.02)
        if sent and job.poll() is None:
            job.send_signal(sent)
        if sent == signal.SIGTERM:  # Slurm sends it to the program itself
            time.sleep(0.2)
            end = self.in_order
        if end is not None:
            (self.place / "end").write_text(str(end))
        log, _ = job.communicate(timeout=30)
        return job.returncode, calls.read_text() if calls.exists() else "", log
