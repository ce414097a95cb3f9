"""Tiny training runs in folders of their own: started, traced, killed, gone on with, and compared with an unbroken one."""
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import uuid

CONFIG = """
data: {format: synthetic, synthetic_cells: 120, synthetic_genes: 12, synthetic_categories: [2], chunk_cells: 30}
model: {cycle_autoencoder: {latent: 2, classifier_hidden: [2]}}
train: {global_batch: 32, epochs: EPOCHS, device: cpu}
checkpoint: {every_steps: 2, keep_last: 2}
output: {folder: run, log_every_steps: 1}
"""
MEASURED = re.compile("goodput_|cells_per_second|_seconds$|xxh3$")
MARK = "CELLMILL_CRASH_MATRIX"
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
            "OMPI_MCA_hwloc_base_binding_policy": "none"}
# rank 0 (or the only one) runs under strace with its own process id in the paths; $1 is how many words strace's are
TRACED = """
words=$1; shift
if [ "${OMPI_COMM_WORLD_RANK:-0}" = 0 ]; then set -- "${@//@PID@/$$}"; else shift "$words"; fi
exec "$@"
"""


class NotHeld(Exception):
    """What was seen instead of what is wanted."""


def require(condition, text, said=""):
    if not condition:
        raise NotHeld(f"{text}\n{said[-3000:]}" if said else text)


class Programs:
    def __init__(self, cellmill, mpirun):
        self.cellmill, self.mpirun = os.path.abspath(cellmill), mpirun


class Ended:
    def __init__(self, code, said, seconds):
        self.code, self.said, self.seconds = code, said, seconds


class Running:
    """A started run; every process of it carries a mark in its environment."""

    def __init__(self, command, cwd, preexec=None):
        self.mark = uuid.uuid4().hex
        self.said = cwd / f"said-{self.mark[:8]}"
        self.start = time.monotonic()
        with open(self.said, "wb") as said:
            self.process = subprocess.Popen(command, cwd=cwd, stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            start_new_session=True, preexec_fn=preexec,
                                            env={**os.environ, **OPEN_MPI, "OMP_NUM_THREADS": "1", MARK: self.mark})

    def processes(self):
        """{process id: rank} of what lives of it; rank None outside the world of ranks."""
        found = {}
        for folder in os.listdir("/proc"):
            if not folder.isdigit():
                continue
            try:
                words = pathlib.Path(f"/proc/{folder}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"{MARK}={self.mark}".encode() in words:
                rank = [int(w.split(b"=")[1]) for w in words if w.startswith(b"OMPI_COMM_WORLD_RANK=")]
                found[int(folder)] = rank[0] if rank else None
        return found

    def end(self, limit=120):
        """Waits for its end; nobody may be left ten seconds later."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise NotHeld(f"still running after {limit} s\n{self.said.read_text()[-3000:]}") from None
        ended = Ended(code, "", time.monotonic() - self.start)
        until = time.monotonic() + 10
        while left := self.processes():
            if time.monotonic() > until:
                self.kill_all()
                raise NotHeld(f"processes left over 10 s after the end: {left}")
            time.sleep(0.005)
        ended.said = self.said.read_text(errors="replace")
        return ended

    def kill_all(self):
        for process in self.processes():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


def outcome(run):
    """Everything of a finished run that may not depend on what befell it."""
    checkpoints = run / "checkpoints"
    files = sorted(f for f in checkpoints.rglob("*") if f.is_file())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    points = [{k: v for k, v in line.items() if not MEASURED.search(k)} for line in lines]
    return {"checkpoints": {str(f.relative_to(checkpoints)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
            "metrics": points,
            "left over": sorted(f.name for f in run.rglob(".unfinished-*"))}


class Place:
    """A folder in which the run is called `run`, so that all places give the same bytes."""

    def __init__(self, path, programs, epochs=2):
        self.path, self.programs = pathlib.Path(path), programs
        self.path.mkdir(parents=True, exist_ok=True)
        self.run = self.path / "run"
        (self.path / "run.yaml").write_text(CONFIG.replace("EPOCHS", str(epochs)))

    def start(self, *arguments, ranks=1, strace=None, part="save", preexec=None):
        program = [self.programs.cellmill, "train", "--config", "run.yaml", "--resume", *arguments]
        if strace:
            tracer = [*strace, *self.watched(part), "--"]
            program = ["bash", "-c", TRACED, "bash", str(len(tracer)), *tracer, *program]
        launcher = [self.programs.mpirun, "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        return Running([*launcher, *program], self.path, preexec)

    def watched(self, part):
        """strace's -P for everything that a save ("save") or a start and its curves ("start") touch under names that can be known
        before. The event file's cannot: random moments are for that."""
        own = f".unfinished-{socket.gethostname()}-@PID@-"
        paths = ["run", "run/config.yaml", "run/metrics.jsonl", "run/log"] + [f"run/{own}{n}" for n in range(32)]
        if part == "curves":
            paths = ["run/metrics.jsonl"]
        if part == "save":
            paths = ["run/checkpoints", "run/checkpoints/best.json"]
            for folder in (f"run/checkpoints/{own}{n}" for n in range(32)):
                n = int(folder.rsplit("-", 1)[1])
                paths += [folder, f"{folder}/state.h5", f"{folder}/manifest.json", f"{folder}/{own}{n + 1}"]
            for step in range(10):
                for prefix in ("step-", ".unfinished-again-step-", ".unfinished-removed-step-"):
                    paths.append(f"run/checkpoints/{prefix}{step:09}")
        return [word for path in paths for word in ("-P", path, "-P", f"{self.path.resolve()}/{path}")]

    def steps(self):
        folder = self.run / "checkpoints"
        return sorted(int(f.name[5:]) for f in folder.glob("step-*")) if folder.exists() else []

    def outcome(self):
        return outcome(self.run)

    def require_outcome(self, expected, said):
        for what, found in self.outcome().items():
            wanted = expected[what]
            if isinstance(found, dict):  # what both have alike says nothing
                found, wanted = ({k: v for k, v in a.items() if b.get(k) != v} for a, b in ((found, wanted), (wanted, found)))
            require(found == wanted, f"{what}: {found} instead of the unbroken run's {wanted}", said)

    def go_on(self, expected, ranks=1, passed_over=0):
        """Resumes to the end: from the newest checkpoint that is there, nothing passed over, to the unbroken run's bits."""
        there = self.steps()
        ended = self.start(ranks=ranks).end()
        require(ended.code == 0, f"the resumed run ended with {ended.code}", ended.said)
        require(ended.said.count("passed over:") <= passed_over, "a checkpoint was passed over", ended.said)
        if there and not passed_over:
            require(f"step-{there[-1]:09}: step " in ended.said, f"not resumed from step {there[-1]}", ended.said)
        self.require_outcome(expected, ended.said)
