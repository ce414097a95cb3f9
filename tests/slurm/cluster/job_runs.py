"""Runs of slurm/train.sbatch in a small cluster: tiny, with planted cells; watched by their checkpoints and their log."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "fault" / "crash_matrix"))
from runs import outcome  # noqa: E402

SLURM = pathlib.Path(__file__).resolve().parents[3] / "slurm"
RUN_FILE = """
data: {format: synthetic, synthetic_cells: 512, synthetic_genes: 24, synthetic_categories: [3, 2], chunk_cells: 128}
model: {cycle_autoencoder: {latent: 4, classifier_hidden: [4]}}
train: {global_batch: 16, epochs: EPOCHS, device: cpu}
evaluation: {every_steps: 40}
checkpoint: {every_steps: 40}
"""
EPOCHS = 40
STEPS = 29 * EPOCHS
PLACES = ["--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=1"]
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")


def require(condition, what, found=""):
    if not condition:
        raise AssertionError(f"{what}\n{found[-2500:]}")


class Workshop:
    """A cluster and a folder; jobs are submitted from folders of their own below it, where the run is called `run`, so that all
    runs give the same bytes."""

    def __init__(self, slurm, folder, program):
        self.slurm, self.folder, self.program = slurm, folder, program
        self.straight_outcome, self.place_of = None, {}

    def submit(self, name, script, *options, arguments=(), epochs=EPOCHS, **environment):
        """On 2 nodes x 2 ranks; what stands in `options` wins."""
        place = self.folder / name
        place.mkdir()
        (place / "run.yaml").write_text(RUN_FILE.replace("EPOCHS", str(epochs)))
        settings = {"PROGRAM": self.program, "CONFIG": "run.yaml", "FOLDER": "run", "TRAIN": str(SLURM / "train.sbatch")}
        job = self.slurm.submit(*PLACES, "--time=10", f"--chdir={place}", *options, SLURM / script, *arguments,
                                environment={**settings, **environment})
        self.place_of[job] = place
        return job

    def set_crash_aside(self):
        """True if a job of this test met Open MPI's crash at its start, before a word of cellmill's; its folders are moved away."""
        logs = [log.read_text(errors="replace") for place in self.place_of.values() for log in place.glob("cellmill-*.log")]
        if not any("Failing at address: (nil)" in log.split(" info [")[0] for log in logs):
            return False
        self.slurm.ask("scancel", "--user=root")
        self.slurm.wait("an empty queue", lambda: not self.slurm.must("squeue", "--noheader").strip(), 30)
        for place in self.place_of.values():
            place.rename(f"{place}.crashed")
        return True

    def train(self, name, *options, **more):
        return self.submit(name, "train.sbatch", *options, **more)

    def log(self, job):
        path = self.place_of.get(job.split("_")[0], self.folder) / f"cellmill-{job}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def steps(self, name, run="run"):
        return sorted(int(m.parent.name[5:]) for m in self.folder.glob(f"{name}/{run}/checkpoints/step-*/manifest.json"))

    def wait_step(self, name, step):
        self.slurm.wait(f"step {step} of {name}", lambda: (self.steps(name) or [-1])[-1] >= step, 180)

    def wait_end(self, job, state):
        found = self.slurm.wait_state(job, *ENDED, seconds=240)
        require(found["JobState"] == state, f"job {job} is {found['JobState']} instead of {state}", self.log(job))
        return found

    def straight(self):
        """What a run without any trouble comes to."""
        if self.straight_outcome is None:
            self.wait_end(self.train("straight"), "COMPLETED")
            self.straight_outcome = self.outcome("straight")
        return self.straight_outcome

    def outcome(self, name):
        return outcome(self.folder / name / "run")

    def require_straight(self, name, job):
        require((self.steps(name) or [-1])[-1] == STEPS, f"{name} did not come to step {STEPS}", self.log(job))
        for what, expected in self.straight().items():
            found = self.outcome(name)[what]
            require(found == expected, f"{what} of {name} differ from the straight run's", f"{found}\n{expected}\n{self.log(job)}")

    def processes(self):
        """Of the program (cellmill-cpu or -cuda), on all nodes."""
        lists = [self.slurm.hosts.hosts[i].run("ps", "-e", "-o", "stat=,comm=").stdout for i in range(1, len(self.slurm.hosts.hosts))]
        return [line for text in lists for line in text.splitlines() if "cellmill-c" in line and not line.startswith("Z")]

    def require_rest(self, job, restarts):
        """The job has ended, stays so, and left nothing that runs."""
        require(self.slurm.job(job)["Restarts"] == str(restarts), f"not {restarts} restarts", str(self.slurm.job(job)))
        self.slurm.wait("processes to be gone", lambda: not self.processes(), 15)
        self.slurm.wait("an empty queue", lambda: not self.slurm.must("squeue", "--noheader").strip(), 15)
