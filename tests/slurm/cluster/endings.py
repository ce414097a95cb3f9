"""How jobs end that are not to start again, and what is written on the way."""
import os
import re
import signal

from job_runs import RUN_FILE, STEPS, require


def finishes(shop):
    """2 nodes x 2 ranks: one world of four, trained to its end."""
    job = shop.train("finishes")
    shop.wait_end(job, "COMPLETED")
    log = shop.log(job)
    require("over 4 ranks" in log and shop.steps("finishes")[-1] == STEPS, "not one world of four", log)
    hosts = re.findall(r"start 1 on (\S+)", log)
    require(hosts == ["n[1-2],"], f"ran on {hosts}", log)
    shop.require_rest(job, 0)


def submitted(shop):
    """cellmill submit: the config is kept beside the folder, the job does as the script that --dry-run shows."""
    place = shop.folder / "submitted"
    place.mkdir()
    (place / "mine.yaml").write_text(RUN_FILE.replace("EPOCHS", "2"))

    def submit(*more):
        words = ["env", f"--chdir={place}", shop.program, "submit", "mine.yaml", "--nodes", "2", "--ranks", "2", "--cpus", "1"]
        return shop.slurm.ask(*words, "--time", "10", "--sbatch", "comment=ours", "--set", "output.folder=runs/a", *more)

    script = submit("--dry-run").stdout
    require("#SBATCH --nodes=2\n" in script and "#SBATCH --comment=ours\n" in script, "script", script)
    require([p.name for p in place.iterdir()] == ["mine.yaml"], "a dry run wrote something", str(list(place.iterdir())))
    refused = submit("train.epohcs=3")
    require(refused.returncode == 78 and "did you mean train.epochs?" in refused.stderr, "not refused", refused.stderr)
    done = submit()
    require(done.returncode == 0, "not submitted", done.stderr)
    job = re.search(r"Submitted batch job (\d+)", done.stdout).group(1)
    (place / "mine.yaml").write_text("edited: while it waits")
    shop.wait_end(job, "COMPLETED")
    found = shop.slurm.job(job)
    require((found["NumNodes"], found["NumTasks"], found["Comment"]) == ("2", "4", "ours"), "not as asked for", str(found))
    log = (place / "runs" / f"a-{job}.log").read_text()
    require("over 4 ranks" in log and "58 steps in all" in log, "not the run", log)
    require((place / "runs" / "a.sbatch").read_text().strip() == script.strip(), "another script than --dry-run showed")
    refused = submit("train.seed=9")
    require(refused.returncode == 78, "edited", refused.stderr)
    (place / "mine.yaml").write_text(RUN_FILE.replace("EPOCHS", "2"))
    refused = submit("train.seed=9")
    require(refused.returncode == 64 and "train.seed: there 0, here 9" in refused.stderr, "folder of another", refused.stderr)
    require(not shop.slurm.must("squeue", "--noheader").strip(), "something is in the queue")


def bad_config(shop):
    """A typing error ends the job with 78 and its place; it is not tried again."""
    job = shop.train("bad", arguments=["--set", "train.epohcs=3"])
    found = shop.wait_end(job, "FAILED")
    log = shop.log(job)
    require(found["ExitCode"] == "78:0", f"ended with {found['ExitCode']}", log)
    require("did you mean train.epochs?" in log and "start 2" not in log, "not said, or said twice", log)
    shop.require_rest(job, 0)


def cancelled(shop):
    """scancel: the ranks save, the job is not put back."""
    job = shop.train("cancelled", epochs=100000)
    shop.wait_step("cancelled", 20)
    shop.slurm.must("scancel", job)
    shop.wait_end(job, "CANCELLED")
    shop.slurm.wait("the ranks to save", lambda: "ended with 75" in shop.log(job), 20)
    saved = int(re.search(r"saved at step (\d+)", shop.log(job)).group(1))
    require(shop.steps("cancelled")[-1] == saved, f"step {saved} is not the newest", shop.log(job))
    shop.require_rest(job, 0)


def dead_rank(shop):
    """kill -9 of one of two ranks on a node ends the other within ten seconds; not tried again."""
    job = shop.train("dead", "--nodes=1", epochs=100000)
    shop.wait_step("dead", 20)
    victim = shop.slurm.hosts.hosts[1].must("pgrep", "^cellmill-c").split()[0]
    shop.slurm.hosts.hosts[1].must("kill", f"-{signal.SIGKILL.value}", victim)
    shop.slurm.wait("the other rank to end", lambda: not shop.processes(), 10)
    found = shop.wait_end(job, "FAILED")
    require(found["ExitCode"] != "0:0", "ended well", shop.log(job))
    shop.require_rest(job, 0)


def fruitless(shop):
    """A program that always says 75 and saves nothing new is given up."""
    stand_in = shop.folder / "stand-in"
    stand_in.write_text("#!/bin/bash\nmkdir -p run/checkpoints/step-000000007\ntouch run/checkpoints/step-000000007/manifest.json\nexit 75\n")
    os.chmod(stand_in, 0o755)
    job = shop.train("fruitless", "--nodes=1", "--ntasks-per-node=1", PROGRAM=str(stand_in))
    for restart in (1, 2, 3, 4):
        shop.slurm.go(job, restart)
    found = shop.wait_end(job, "FAILED")
    log = shop.log(job)
    require(found["ExitCode"] == "70:0" and log.count("ended with 75") == 4 and "3 starts brought no new" in log, "wrong end", log)
    shop.require_rest(job, 4)


def sweep(shop):
    """An array: run N is line N of the file, in a folder of its own; one beyond the end is refused."""
    seeds = shop.folder / "seeds.txt"
    seeds.write_text("# seeds\ntrain.seed=1 train.max_steps=20\n\ntrain.seed=2 train.max_steps=30\n")
    job = shop.submit("sweep", "sweep.sbatch", "--nodes=1", "--array=1-3%2", arguments=["--set", "train.global_batch=32"],
                      SWEEP=str(seeds))
    for run, steps in ((1, 20), (2, 30)):
        shop.wait_end(f"{job}_{run}", "COMPLETED")
        require(shop.steps("sweep", f"run/{run}")[-1] == steps, f"run {run} did not come to step {steps}", shop.log(f"{job}_{run}"))
        text = (shop.folder / "sweep" / "run" / str(run) / "config.yaml").read_text()
        require(f"seed: {run}\n" in text and "global_batch: 32\n" in text, f"settings of run {run}", text)
    require(shop.wait_end(f"{job}_3", "FAILED")["ExitCode"] == "64:0", "the third has no line")
    require("seeds.txt has 2 runs, and this is number 3" in shop.log(f"{job}_3"), "not said", shop.log(f"{job}_3"))


def add(tests, long):
    tests += [finishes, submitted, bad_config, cancelled, dead_rank, fruitless, sweep]
