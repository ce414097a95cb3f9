"""What interrupts jobs: each goes on from its newest checkpoint, and ends with the bits of a run that nothing interrupted."""
import re
import time

from job_runs import require
from mini_slurm import KILL_WAIT


def chain(shop):
    """Five links: USR1 to the batch shell ends four of them; all ranks stop after one step, and the next goes on from there."""
    shop.straight()
    job = shop.train("chain")
    for link in range(1, 5):
        shop.slurm.wait(f"link {link} to train", lambda: shop.log(job).count("first step done") == link, 60)
        shop.slurm.must("scancel", "--batch", "--signal=USR1", job)
        shop.slurm.go(job, link)
    shop.wait_end(job, "COMPLETED")
    log = shop.log(job)
    saved, resumed = re.findall(r"saved at step (\d+), asking", log), re.findall(r"resuming from .*: step (\d+),", log)
    require(len(saved) == 4 and saved == resumed, f"saved at {saved}, resumed at {resumed}", log)
    require(log.count("ended with 75") == 4 and log.count("ended with 0") == 1, "exit codes", log)
    shop.require_straight("chain", job)
    shop.require_rest(job, 4)


def early(shop):
    """USR1 again and again while the program loads and no rank listens yet: none is killed, all save and say 75."""
    job = shop.train("early", epochs=100000)
    shop.slurm.wait("four programs", lambda: len(shop.processes()) == 4, 30)
    shop.slurm.must("scancel", "--batch", "--signal=USR1", job)
    until = time.monotonic() + 60
    while "ended with" not in shop.log(job) and time.monotonic() < until:
        shop.slurm.ask("timeout", "2", "scancel", "--signal=USR1", job)  # tries for a minute while a job changes its state
    log = shop.log(job)
    require("ended with 75" in log and "saved at step" in log, "not ended with 75", log)
    cancel(shop, job)
    shop.slurm.wait("processes to be gone", lambda: not shop.processes(), 15)


def cancel(shop, job):
    """Again and again: one that comes while the batch script puts the job back is forgotten."""

    def gone():
        shop.slurm.ask("scancel", job)
        return not shop.slurm.must("squeue", "--noheader").strip()

    shop.slurm.wait("the job to be gone", gone, 30)


def warned(shop):
    """Slurm's own warning of the time limit: USR1 to the batch shell. With a limit of a minute it comes within half a one."""
    job = shop.train("warned", "--time=1", "--signal=B:USR1@120", epochs=100000)
    shop.slurm.wait("the warning to end the run", lambda: "asking to be started again" in shop.log(job), 60)
    before = shop.log(job).split("asking to be started again")[0]
    require("USR1, telling the ranks" in before and "TERM" not in before, "not by the warning", before)
    require_going_on(shop, job)


def require_going_on(shop, job):
    """It is put back and resumes; it is endless, so that is enough."""
    shop.slurm.wait("the job to be put back", lambda: shop.slurm.job(job)["JobState"] == "PENDING", 60)
    shop.slurm.go(job, 1)
    shop.slurm.wait("the run to go on", lambda: "resuming from" in shop.log(job), 30)
    shop.slurm.must("scancel", job)
    shop.wait_end(job, "CANCELLED")
    shop.slurm.wait("processes to be gone", lambda: not shop.processes(), 15)


def preempted(shop):
    """A job of a higher partition takes the nodes; Slurm puts ours back."""
    shop.straight()
    job = shop.train("preempted")
    shop.wait_step("preempted", 60)
    other = shop.slurm.submit("--partition=high", "--nodes=3", "--ntasks-per-node=4", "--wrap", "true")
    shop.wait_end(other, "COMPLETED")
    shop.slurm.go(job, 1)
    shop.wait_end(job, "COMPLETED")
    log = shop.log(job)
    require("PREEMPTION" in log and "TERM; the ranks have it too" in log and "resuming from" in log, "not preempted", log)
    shop.require_straight("preempted", job)
    shop.require_rest(job, 1)


def graced(shop):
    """Preempted with a GraceTime: only the ranks hear of it, by TERM; they save, and the shell puts the job back."""
    shop.straight()
    shop.slurm.must("scontrol", "update", "partitionname=low", "GraceTime=30")
    try:
        job = shop.train("graced")
        shop.wait_step("graced", 60)
        other = shop.slurm.submit("--partition=high", "--nodes=3", "--ntasks-per-node=4", "--wrap", "true")
        shop.wait_end(other, "COMPLETED")
    finally:
        shop.slurm.must("scontrol", "update", "partitionname=low", "GraceTime=0")
    shop.slurm.go(job, 1)
    shop.wait_end(job, "COMPLETED")
    log = shop.log(job)
    require("asking to be started again" in log and "start 2" in log and "start 3" not in log, "not saved and put back once", log)
    shop.require_straight("graced", job)


def power_cut(shop, noticed_by_slurm=False):
    """A node is gone with all that ran on it: the job goes on with the nodes that are left."""
    shop.straight()
    job = shop.train("cut", "--nodelist=n[2-3]")
    shop.wait_step("cut", 60)
    shop.slurm.power_cut(3)
    if not noticed_by_slurm:  # which takes half a minute
        shop.slurm.must("scontrol", "update", "nodename=n3", "state=down", "reason=test")
    shop.slurm.wait("the job to be put back", lambda: shop.slurm.job(job)["JobState"] == "PENDING", 90)
    shop.slurm.must("scontrol", "update", f"jobid={job}", "ReqNodeList=")
    shop.slurm.go(job, 1)
    shop.wait_end(job, "COMPLETED")
    require("start 2 on n[1-2]," in shop.log(job) and "resuming from" in shop.log(job), "not on the rest", shop.log(job))
    shop.require_straight("cut", job)
    shop.slurm.power_back(3)
    shop.slurm.wait("the node to be back", lambda: shop.slurm.idle_nodes() == 3, 40)


def power_cut_noticed(shop):
    """The same, left to Slurm to notice."""
    (shop.folder / "cut").rename(shop.folder / "cut-before")
    power_cut(shop, noticed_by_slurm=True)


def limit(shop):
    """The limit itself, without a warning: TERM to all, KILL half a minute later, as by default. The ranks save, the shell puts the job back."""
    shop.slurm.set_kill_wait(30)
    try:
        job = shop.train("limit", "--time=1", "--signal=B:URG@1", epochs=100000)
        shop.slurm.wait("the limit", lambda: "ended with 75" in shop.log(job), 130)
    finally:
        shop.slurm.set_kill_wait(KILL_WAIT)
    require_going_on(shop, job)


def add(tests, long):
    tests += [chain, early, warned, preempted, power_cut]
    if long:
        tests += [power_cut_noticed, limit, graced]
