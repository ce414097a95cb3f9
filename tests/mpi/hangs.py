"""A rank that dies or hangs, seen from outside: who is named, when, with which code and stack, and that nobody is left.

usage: hangs.py PROGRAM MPIRUN [--only TEXT] [--times N]
"""
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

PROGRAM, MPIRUN = sys.argv[1:3]
OPTIONS = dict(zip(sys.argv[3::2], sys.argv[4::2]))
ONLY = OPTIONS.get("--only", "")
TIMES = int(OPTIONS.get("--times", 1))
LIMIT = 2
HOST = socket.gethostname()
PHASES = {"start": "opening data", "step": "step 40", "save": "saving at step 20", "close": "closing the run"}
STEPS = {"start": -1, "step": 40, "save": 20, "close": 20}


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
    """(exit code, what was said, failure.json or None, seconds from the event to the end, processes left)"""
    with tempfile.TemporaryDirectory(prefix="hangs-") as folder:
        mark = uuid.uuid4().hex
        process = subprocess.Popen([MPIRUN, "--oversubscribe", "-n", str(ranks), PROGRAM, how, str(who), phase, folder, str(limit)],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                   env={**os.environ, "HANGS_MARK": mark})
        try:
            said = process.communicate(timeout=180)[0]
        except subprocess.TimeoutExpired:
            for survivor in left(mark):
                os.kill(survivor, signal.SIGKILL)
            return None, process.communicate()[0], None, 180, []
        happened = pathlib.Path(folder, "happened")
        seconds = time.monotonic() - float(happened.read_text()) if happened.exists() else 0
        until = time.monotonic() + 5
        while (survivors := left(mark)) and time.monotonic() < until:
            time.sleep(0.05)
        for survivor in survivors:
            os.kill(survivor, signal.SIGKILL)
        path = pathlib.Path(folder, "failure.json")
        failure = json.loads(path.read_text()) if path.exists() else None
        strangers = set(os.listdir(folder)) - {"failure.json", "fifo", "happened"}
        assert not strangers, strangers
        return process.returncode, said, failure, seconds, survivors


def judge(title, how, who, phase, codes, text, stack="", ranks=3, limit=LIMIT):
    """Whether it held, and what to say of it."""
    code, said, failure, seconds, survivors = run(how, who, phase, ranks, limit)
    try:
        assert code in codes, f"exit code {code}, expected one of {codes}"
        assert seconds < limit + 10, f"{seconds:.1f} s"
        assert not survivors, f"processes left: {survivors}"
        if text is None:
            assert failure is None and "hangs" not in said, failure
            return True, f"ok {title}"
        assert failure, "no failure.json"
        assert said.count("error: ") == 1, f"said {said.count('error: ')} causes"
        assert re.search(text, failure["message"]) and failure["message"] in said, failure["message"]
        expected = {"rank": who, "size": ranks, "host": HOST, "phase": PHASES[phase], "step": STEPS[phase]}
        wrong = {k: failure[k] for k, v in expected.items() if failure[k] != v}
        # a heartbeat may be a moment older than a death
        assert not wrong or (set(wrong) <= {"phase", "step"} and 30 <= failure["step"] <= 40), wrong
        assert failure["pid"] > 1
        joined = "\n".join(failure["backtrace"])
        assert failure["backtrace"] and stack in joined, joined
        return True, f"ok {title} ({seconds:.1f} s)"
    except AssertionError as e:
        return False, f"FAILED {title}: {e}\n{said}\n{json.dumps(failure, indent=1)}"


CASES = []


def check(title, *arguments, **options):
    if ONLY in title:
        CASES.append(lambda: judge(title, *arguments, **options))


GONE = "rank {} is gone: killed, or it ended without a word"
for index, phase in enumerate(PHASES):
    who = index % 3
    check(f"killed in {phase}", "kill", who, phase, {71, 137}, GONE.format(who), "no stack: the process is gone")
    check(f"exit in {phase}", "exit", who, phase, {71, 1}, GONE.format(who), "no stack: the process is gone")
    check(f"exception in {phase}", "throw", who, phase, {70}, "thrown on one rank", "cellmill::(anonymous namespace)::happen(")
    check(f"stopped in {phase}", "stop", who, phase, {72},
          rf"^rank {who} hangs: no heartbeat for \d s \(limit in this phase: 2 s\); its host says: state T \(stopped\)", "happen(")
    check(f"blocked disk in {phase}", "read", who, phase, {72}, rf"^rank {who} hangs: no progress for \d s \(limit in this phase: 2 s\)$", "read_blocked_disk(")
check("exit(0) in the middle", "exit0", 1, "step", {71, 1, 0}, GONE.format(1))
check("a segmentation fault", "segv", 2, "step", {71, 139}, GONE.format(2))
check("endless computing", "compute", 1, "step", {72}, "rank 1 hangs: no progress for", "compute_for_ever(")
check("a blocked thread", "thread", 1, "step", {72}, "rank 1 hangs: no progress for", "read_blocked_disk(")
check("two ranks, the first stopped", "stop", 0, "step", {72}, "rank 0 hangs: no heartbeat", "happen(", ranks=2)
check("alone and blocked", "read", 0, "step", {72}, "rank 0 hangs: no progress for", "read_blocked_disk(", ranks=1)
check("a pause below the limit", "nap", 1, "step", {0}, None, limit=4)
check("limit 0", "nap", 1, "step", {0}, None, limit=0)
with concurrent.futures.ThreadPoolExecutor(2) as pool:  # they wait more than they work
    held = 0
    for well, report in pool.map(lambda case: case(), CASES * TIMES):
        held += well
        print(report, flush=True)
print(f"{held} of {len(CASES) * TIMES} held")
sys.exit(0 if held == len(CASES) * TIMES else 1)
