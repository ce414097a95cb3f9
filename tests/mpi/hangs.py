"""A rank that dies or hangs, seen from outside: who is named, when, with which code and stack, and that nobody is left.

usage: hangs.py PROGRAM MPIRUN [--only TEXT]
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

PROGRAM, MPIRUN = sys.argv[1:3]
ONLY = sys.argv[4] if sys.argv[3:4] == ["--only"] else ""
LIMIT = 2
HOST = socket.gethostname()
PHASES = {"start": "opening data", "step": "step 40", "save": "saving at step 20", "close": "closing the run"}
STEPS = {"start": -1, "step": 40, "save": 20, "close": 20}
counts = {}


def left(mark):
    """Process ids of what lives of a run. A dead child that nobody has collected yet is none."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"HANGS_MARK={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            pass
    return found


def run(how, who, phase, ranks, limit):
    """(exit code, what was said, failure.json or None, seconds, processes left)"""
    with tempfile.TemporaryDirectory(prefix="hangs-") as folder:
        mark = uuid.uuid4().hex
        start = time.monotonic()
        process = subprocess.Popen([MPIRUN, "--oversubscribe", "-n", str(ranks), PROGRAM, how, str(who), phase, folder, str(limit)],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                   env={**os.environ, "HANGS_MARK": mark})
        try:
            said = process.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            for survivor in left(mark):
                os.kill(survivor, signal.SIGKILL)
            return None, process.communicate()[0], None, 60, []
        seconds = time.monotonic() - start
        until = time.monotonic() + 3
        while (survivors := left(mark)) and time.monotonic() < until:
            time.sleep(0.05)
        for survivor in survivors:
            os.kill(survivor, signal.SIGKILL)
        path = pathlib.Path(folder, "failure.json")
        failure = json.loads(path.read_text()) if path.exists() else None
        strangers = set(os.listdir(folder)) - {"failure.json", "fifo"}
        assert not strangers, strangers
        return process.returncode, said, failure, seconds, survivors


def check(title, how, who, phase, codes, text, stack="", ranks=3, limit=LIMIT, within=12):
    if ONLY not in title:
        return
    code, said, failure, seconds, survivors = run(how, who, phase, ranks, limit)
    try:
        assert code in codes, f"exit code {code}, expected one of {codes}"
        assert seconds < within, f"{seconds:.1f} s"
        assert not survivors, f"processes left: {survivors}"
        if text is None:
            assert failure is None and "hangs" not in said, failure
        else:
            assert failure, "no failure.json"
            assert said.count("error: ") == 1, f"said {said.count('error: ')} causes"
            assert text in failure["message"] and text in said, failure["message"]
            expected = {"rank": who, "size": ranks, "host": HOST, "phase": PHASES[phase], "step": STEPS[phase]}
            wrong = {k: failure[k] for k, v in expected.items() if failure[k] != v}
            # a heartbeat may be a moment older than a death
            assert not wrong or (set(wrong) <= {"phase", "step"} and 36 <= failure["step"] <= 40), wrong
            assert failure["pid"] > 1
            joined = "\n".join(failure["backtrace"])
            assert failure["backtrace"] and stack in joined, joined
    except AssertionError as e:
        print(f"FAILED {title}: {e}\n{said}\n{json.dumps(failure, indent=1)}")
        counts["failed"] = counts.get("failed", 0) + 1
        return
    counts["held"] = counts.get("held", 0) + 1
    print(f"ok {title} ({seconds:.1f} s)", flush=True)


GONE = "rank {} is gone: killed, or it ended without a word"
for index, phase in enumerate(PHASES):
    who = index % 3
    check(f"killed in {phase}", "kill", who, phase, {71, 137}, GONE.format(who), "no stack: the process is gone")
    check(f"exit in {phase}", "exit", who, phase, {71, 1}, GONE.format(who), "no stack: the process is gone")
    check(f"exception in {phase}", "throw", who, phase, {70}, "thrown on one rank", "cellmill::(anonymous namespace)::happen(")
    check(f"stopped in {phase}", "stop", who, phase, {72},
          f"rank {who} hangs: no heartbeat for 2 s (limit in this phase: 2 s); its host says: state T (stopped)", "happen(")
    check(f"blocked disk in {phase}", "read", who, phase, {72}, f"rank {who} hangs: no progress for 2 s", "read_blocked_disk(")
check("exit(0) in the middle", "exit0", 1, "step", {71, 1, 0}, GONE.format(1))
check("a segmentation fault", "segv", 2, "step", {71, 139}, GONE.format(2))
check("endless computing", "compute", 1, "step", {72}, "rank 1 hangs: no progress for 2 s", "compute_for_ever(")
check("a blocked thread", "thread", 1, "step", {72}, "rank 1 hangs: no progress for 2 s", "read_blocked_disk(")
check("two ranks, the first stopped", "stop", 0, "step", {72}, "rank 0 hangs: no heartbeat", "happen(", ranks=2)
check("alone and blocked", "read", 0, "step", {72}, "rank 0 hangs: no progress for 2 s", "read_blocked_disk(", ranks=1)
check("a pause below the limit", "nap", 1, "step", {0}, None, limit=4)
check("limit 0", "nap", 1, "step", {0}, None, limit=0)
print(f"{counts.get('held', 0)} held, {counts.get('failed', 0)} not held")
sys.exit(1 if counts.get("failed") else 0)
