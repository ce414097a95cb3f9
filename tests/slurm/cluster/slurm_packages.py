"""Slurm's programs: those installed, or Debian's packages unpacked into a folder of the tests, which no daemon is started from."""
import os
import pathlib
import shutil
import subprocess

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge", "libmunge2", "libpmix2", "libpmix-dev"]
COMMANDS = ["munged", "slurmctld", "slurmd", "slurmstepd", "scontrol", "sbatch", "srun", "squeue", "scancel", "sinfo"]


class Absent(Exception):
    """Why there is no Slurm here."""


class Programs:
    def __init__(self, root):
        self.root = root  # "" or the folder that packages were unpacked in
        self.environment = dict(os.environ)
        folders = [f"{root}/usr/sbin", f"{root}/usr/bin"]
        self.environment["PATH"] = ":".join([*folders, os.environ["PATH"]])
        missing = [c for c in COMMANDS if not self.which(c)]
        if missing:
            raise Absent(f"no {', '.join(missing)}")
        self.libraries = next(pathlib.Path(f"{root}/usr/lib").glob("*/slurm-wlm"), None)
        if not self.libraries:
            raise Absent(f"no plugins of Slurm in {root}/usr/lib")
        if root:
            self.environment["LD_LIBRARY_PATH"] = ":".join(
                [str(self.libraries.parent), str(self.libraries), os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(":")

    def which(self, command):
        """Debian's /usr/sbin/slurmd is a link that only the installer makes."""
        path = self.environment["PATH"]
        return shutil.which(command, path=path) or shutil.which(f"{command}-wlm", path=path)


def find(folder):
    """The installed ones, or unpacked into `folder` (kept there). Raises Absent with the reason."""
    try:
        return Programs("")
    except Absent:
        pass
    root = folder / "slurm"
    if not root.exists():
        unpack(folder, root)
    return Programs(str(root))


def unpack(folder, root):
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Absent("Slurm is not installed, and this is no Debian to unpack it from")
    fresh = folder / "slurm.unfinished"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    # what an installation would add: these and what they depend on
    plan = apt("-s", "install", "--no-install-recommends", *PACKAGES)
    if plan.returncode:
        apt("update")
        plan = apt("-s", "install", "--no-install-recommends", *PACKAGES)
    names = {line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")} | set(PACKAGES)
    got = apt("download", *sorted(names), cwd=fresh)
    if got.returncode:
        raise Absent(f"Debian's packages are not to be had: {got.stderr.strip().splitlines()[-1]}")
    for package in fresh.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, fresh], check=True)
        package.unlink()
    fresh.rename(root)


def apt(*words, cwd=None):
    try:
        return subprocess.run(["apt-get", "-q", *words], capture_output=True, text=True, cwd=cwd, timeout=300)
    except subprocess.TimeoutExpired:
        raise Absent(f"apt-get {words[0]} did not come back in five minutes") from None
