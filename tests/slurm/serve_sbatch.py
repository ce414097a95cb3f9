#!/usr/bin/env python3
"""slurm/serve.sbatch: when is a server started again, and when not?"""
import signal
import tempfile

from batch_script import REQUEUE, STOP, BatchScript


def run(end=None, sent=None, deaf=False, **settings):
    with tempfile.TemporaryDirectory() as folder:
        return BatchScript(folder, "serve.sbatch", "--model", "gem-1-sc=runs/a b", in_order=0, **settings).run(end, sent, deaf)


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
