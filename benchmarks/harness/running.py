"""Runs commands, one at a time, and keeps what they say."""
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess


def gpus():
    """The names of this machine's NVIDIA GPUs."""
    try:
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60).stdout
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return re.findall(r"^GPU \d+: (.*?) \(", said, re.MULTILINE)


def facts(folder):
    """What a line says of where it comes from."""
    commit = subprocess.run(["git", "-C", folder, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {"commit": commit, "host": platform.node(), "cpu": cpu, "cores": os.cpu_count(), "gpus": gpus(),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}  # fmt: skip


@contextlib.contextmanager
def alone(lock):
    """Holds the lock file while something is timed, where one is given."""
    with open(lock, "a") if lock else contextlib.nullcontext() as file:
        if lock:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Unavailable(Exception):
    """Why a figure is missing, in a line."""


def run(command, environment, lock, limit):
    """The JSON lines that it printed."""
    program = command[0]
    if "/" in program and not os.access(program, os.X_OK):
        raise Unavailable(f"not built: {pathlib.Path(program).name}")
    try:
        with alone(lock):
            done = subprocess.run(command, env={**os.environ, **dict(environment)}, capture_output=True, text=True, timeout=limit)
    except FileNotFoundError:
        raise Unavailable(f"not there: {program}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"no answer in {limit} s") from None
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        words = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("  ")] or ["no output"]
        said = next((line for line in words if line.startswith("error:")), words[-1])
        raise Unavailable(f"exit {done.returncode}: {said[:160]}")
    return lines


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values), "runs": len(values)}


def shown(command, places):
    """The command for a reader elsewhere: {path: name}."""
    text = " ".join(command)
    for path, name in places.items():
        text = text.replace(path, name) if "/" in path else text
    return text
