"""Ranks on two virtual hosts whose wire is cut: each side names the other and ends, and nobody is left.

usage: far_hangs.py PROGRAM MPIRUN
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "slurm" / "cluster"))
from virtual_hosts import VirtualHosts, why_not  # noqa: E402

PROGRAM, MPIRUN = sys.argv[1:3]
LIMIT, FAR_PATIENCE = 3, 10  # seconds; the ranks that cannot hear ranks 0 and 1 wait longer before they judge
AGENT = """#!/bin/sh
# in place of ssh: HOST COMMAND...
while case $1 in -*) true ;; *) false ;; esac; do shift; done
pid=$(cat "{folder}/$1.pid"); shift
exec nsenter --target "$pid" --net --uts --ipc --mount --pid --wdns=/ -- sh -c "$*"
"""


def ranks_on(host):
    return host.run("pgrep", "-c", "-x", pathlib.Path(PROGRAM).name).stdout.strip()


def wait_for(what, limit):
    start = time.monotonic()
    while not what():
        if time.monotonic() - start > limit:
            return None
        time.sleep(0.1)
    return time.monotonic() - start


def main():
    reason = why_not()
    if reason:
        print(f"SKIPPED: {reason}")
        return 0
    with tempfile.TemporaryDirectory(prefix="far-hangs-") as name:
        folder = pathlib.Path(name)
        world = VirtualHosts(folder, 3)
        try:
            return cut(world, folder)
        finally:
            world.close()


def cut(world, folder):
    """mpirun on h0, ranks 0 and 1 on h1, ranks 2 and 3 on h2."""
    for i, host in enumerate(world.hosts):
        (folder / f"{world.address(i)}.pid").write_text(host.pid)
    agent = folder / "agent"
    agent.write_text(AGENT.format(folder=folder))
    agent.chmod(0o755)
    near = folder / "near"
    near.mkdir()
    # its processes are this machine's, so that the agent can reach the hosts; its network is h0's
    command = ["nsenter", "--target", world.hosts[0].pid, "--net", "--uts", "--ipc", "--", MPIRUN, "--mca", "plm_rsh_agent",
               str(agent), "--mca", "btl_tcp_if_include", "eth0", "--mca", "oob_tcp_if_include", "eth0", "--host",
               f"{world.address(1)}:2,{world.address(2)}:2", PROGRAM, "none", "-1", "long", str(near), str(LIMIT)]
    said = (folder / "said").open("w+")
    launched = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, cwd="/", start_new_session=True)
    try:
        h1, h2 = world.hosts[1:]
        assert wait_for((near / "running").exists, 60), "the ranks did not start"
        assert ranks_on(h1) == ranks_on(h2) == "2", "two ranks on each host"
        world.switch.must("ip", "link", "set", "p2", "down")
        failure = near / "failure.json"
        seconds = wait_for(failure.exists, LIMIT + 15)
        assert seconds, "no failure.json"
        found = json.loads(failure.read_text())
        print(f"named rank {found['rank']} after {seconds:.1f} s: {found['message']}")
        assert found["rank"] in (2, 3) and found["host"] == "h2", found
        assert "its host or the network to it does not answer" in found["message"], found
        assert found["code"] == 72 and found["phase"].startswith("step "), found
        seconds = wait_for(lambda: ranks_on(h1) == "0", 10)
        assert seconds is not None, "ranks 0 and 1 live on"
        seconds = wait_for(lambda: ranks_on(h2) == "0", LIMIT + FAR_PATIENCE + 15)
        assert seconds is not None, "ranks 2 and 3 live on"
        print(f"the ranks beyond the wire ended {seconds:.1f} s after these")
        world.switch.must("ip", "link", "set", "p2", "up")
        code = launched.wait(30)
        assert code != 0, "mpirun ended with 0"
    except (AssertionError, subprocess.TimeoutExpired) as why:
        said.seek(0)
        print(f"FAILED: {why}\n{said.read()}")
        return 1
    finally:
        if launched.poll() is None:
            launched.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
