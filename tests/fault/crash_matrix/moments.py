"""SIGKILL at random moments, again and again until the run is through; and disks that fill up under it."""
import os
import random
import resource
import shutil
import signal
import subprocess
import time

from runs import Place, require

LONG_RUN = 30  # epochs of the run that is killed
CHAIN = 5  # kills of one run, until it may end


def stormed(programs, path, expected, ranks, seconds, seed):
    """Kills one rank at CHAIN moments drawn over `seconds`, the length of the unbroken run, resuming in between; a run that
    ended before its kill is no kill, and begins anew."""
    draw = random.Random(seed)
    place = Place(path, programs, LONG_RUN)
    kills = 0
    while kills < CHAIN:
        running = place.start(ranks=ranks)
        time.sleep(draw.uniform(0.1, 1) * seconds)
        there = [p for p, rank in running.processes().items() if ranks == 1 or rank is not None]
        victim = draw.choice(there) if there else None
        if victim:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                victim = None
        ended = running.end()
        require(ended.code == 0 or victim, f"ended with {ended.code} by itself", ended.said)
        require("passed over:" not in ended.said, "a checkpoint was passed over", ended.said)
        kills += ended.code != 0
        if ended.code == 0:
            place.require_outcome(expected, ended.said)
            shutil.rmtree(place.run)
    place.go_on(expected, ranks)
    shutil.rmtree(path)


def file_limit(programs, path, expected, limit):
    """No file may grow beyond `limit` bytes (a true short write, then EFBIG), as with `ulimit -f`: said, and clearly ended or
    gone on; without the limit the run goes on to the same bits."""
    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    place = Place(path, programs)
    ended = place.start(preexec=limited).end()
    require(ended.code == 74, f"ended with {ended.code}, not 74, under a limit of {limit} bytes a file", ended.said)
    require("File too large" in ended.said, "does not say why", ended.said)
    place.go_on(expected)
    shutil.rmtree(path)


def small_disk(programs, path, expected, kilobytes):
    """A file system of `kilobytes` that fills up: the run says so and ends with 74, or goes on; with room it goes on."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", path], check=True)
    try:
        place = Place(path, programs)
        ended = place.start().end()
        require(ended.code in (0, 74), f"ended with {ended.code} on {kilobytes} kB", ended.said)
        full = "No space left on device" in ended.said or "bytes free" in ended.said
        require(ended.code == 0 or full, f"does not say why, on {kilobytes} kB", ended.said)
        subprocess.run(["mount", "-o", "remount,size=64m", path], check=True)
        place.go_on(expected)
    finally:
        subprocess.run(["umount", "-l", path], check=True)
    path.rmdir()


def mount_refusal(path):
    """Why no small disk can be had, or nothing."""
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], capture_output=True, text=True)
    if not done.returncode:
        subprocess.run(["umount", path], check=True)
    path.rmdir()
    return done.stderr.strip()


def add(matrix):
    matrix.unbroken(1)
    for ranks, kills in ((1, 900 if matrix.long else 40), (4, 100 if matrix.long else 10)):
        matrix.unbroken(ranks, LONG_RUN)
        for n in range(kills // CHAIN):
            matrix.add(f"SIGKILL at a random moment, {ranks} rank{'s' * (ranks > 1)}", f"storm-{ranks}-{n}",
                       lambda path, r=ranks, seed=n: stormed(matrix.programs, path, matrix.unbroken(r, LONG_RUN), r,
                                                            matrix.seconds[r, LONG_RUN], seed), tries=CHAIN)
    for limit in range(500, 24000, 500 if matrix.long else 6000):
        matrix.add("a file-size limit (short writes, then EFBIG)", f"limit-{limit}",
                   lambda path, limit=limit: file_limit(matrix.programs, path, matrix.unbroken(1), limit))
    if why := mount_refusal(matrix.root / "mount"):
        matrix.skipped["a disk that fills up"] = why
        return
    for size in range(12, 240, 4 if matrix.long else 48):
        matrix.add("a disk that fills up (tmpfs)", f"disk-{size}k",
                   lambda path, size=size: small_disk(matrix.programs, path, matrix.unbroken(1), size))
