#!/usr/bin/env python3
"""slurm/train.sbatch: what does the batch shell do with signals and exit codes?

The cases that a real cluster (tests/slurm/cluster) meets only by luck, or is not there for.
"""
import pathlib
import signal
import tempfile

from batch_script import REQUEUE, STOP, BatchScript


def job_in(folder, **more):
    return BatchScript(folder, "train.sbatch", "--set", "train.epochs=2", in_order=75, CONFIG="a.yaml b.yaml", FOLDER="runs/x", **more)


def save(folder, step):
    manifest = pathlib.Path(folder) / f"runs/x/checkpoints/step-{step:09}/manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.touch()


def once(*, steps=(0,), reason="None", **more):
    with tempfile.TemporaryDirectory() as folder:
        for step in steps:
            save(folder, step)
        return job_in(folder, reason=reason).run(**more)


def exit_codes():
    code, calls, log = once(end=0)
    assert code == 0, log
    assert calls == ("srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=3 build/release/cellmill train --config a.yaml b.yaml "
                     "--set output.folder=runs/x --resume --set train.epochs=2\n"), calls
    for bad in (65, 70, 78, 137):
        code, calls, log = once(end=bad)
        assert code == bad and REQUEUE not in calls and f"ended with {bad}" in log, (code, calls, log)
    code, calls, log = once(end=75)  # saved of itself
    assert REQUEUE in calls and STOP not in calls, calls
    code, calls, log = once(end=75, steps=())  # no manifest, no requeue
    assert code == 75 and REQUEUE not in calls, (code, calls, log)


def signals():
    _, calls, log = once(sent=signal.SIGUSR1)
    assert calls.count(STOP) == 1 and calls.endswith(REQUEUE + "\n") and "ended with 75" in log, (calls, log)
    _, calls, log = once(sent=signal.SIGUSR1, deaf=True)  # before the ranks were there
    assert calls.count(STOP) == 2 and calls.endswith(REQUEUE + "\n"), (calls, log)
    code, calls, log = once(sent=signal.SIGTERM)  # cancelled or preempted
    assert code == 75 and REQUEUE not in calls and "ended with 75" in log, (code, calls, log)
    code, calls, log = once(sent=signal.SIGTERM, reason="TimeLimit")  # time was up, and the ranks saved
    assert calls.endswith(REQUEUE + "\n"), (code, calls, log)


def starts():
    with tempfile.TemporaryDirectory() as folder:
        job = job_in(folder)
        for step in (10, 10, 11, 11, 11):  # what each start finds
            save(folder, step)
            _, calls, log = job.run(end=75)
            assert REQUEUE in calls and f"newest checkpoint: step-{step:09}" in log, (calls, log)
        code, calls, log = job.run(end=75)
        assert code == 70 and not calls and "3 starts brought no new checkpoint: giving up" in log, (code, calls, log)


exit_codes()
signals()
starts()
