"""Virtual hosts on this machine: each has a network, a name, processes and a /dev/shm of its own; files are shared, as on a
cluster. Their wires meet in a bridge in a namespace of its own, so nothing reaches the machine's network. A host is its first
process: when that is killed (power cut), or this program dies, the kernel ends everything on it.
"""
import os
import pathlib
import shutil
import subprocess
import time

NET = "10.213.7"
ALONE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--net", "--uts",
         "--ipc", "--mount", "--propagation", "slave"]
BOOT = """
hostname "$1"; mount -t tmpfs -o size=50% shm /dev/shm; mount -t sysfs sysfs /sys 2>/dev/null
[ -z "$2" ] || mount --bind "$2" /etc/hosts
ip link set lo up; echo up; trap 'exit 0' TERM; while :; do sleep 3600 & wait; done
"""


def why_not():
    """Why this machine has no virtual hosts; empty if it has."""
    if os.geteuid() != 0:
        return "virtual hosts need root"
    for command in ("ip", "unshare", "nsenter", "setpriv"):
        if not shutil.which(command):
            return f"no {command} (apt-get install iproute2 util-linux)"
    tried = subprocess.run([*ALONE, "sh", "-c", "mount -t tmpfs x /dev/shm && ip link add type veth"], capture_output=True, text=True)
    return f"this machine allows no namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Host:
    def __init__(self, name, hosts_file=""):
        self.name = name
        self.outer = subprocess.Popen([*ALONE, "bash", "-c", BOOT, "boot", name, hosts_file], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.outer.stdout.readline() != "up\n":
            raise RuntimeError(f"virtual host {name} did not start")
        task = pathlib.Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children")
        self.pid = task.read_text().split()[0]

    def inside(self, *command):
        """The words that run `command` on this host, in the folder where they are called."""
        return ["nsenter", "--target", self.pid, "--net", "--uts", "--ipc", "--mount", "--pid", f"--wdns={os.getcwd()}", "--",
                *map(str, command)]

    def run(self, *command, **options):
        return subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=60, **options)

    def must(self, *command):
        done = self.run(*command)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout

    def power_cut(self):
        os.kill(int(self.pid), 9)
        self.outer.wait()
        self.outer.stdout.close()


class VirtualHosts:
    """h0 .. hN-1 and the switch between them."""

    def __init__(self, folder, count):
        self.hosts_file = folder / "hosts"
        names = [f"h{i}" for i in range(count)]
        self.hosts_file.write_text("127.0.0.1 localhost\n" + "".join(f"{self.address(i)} {n}\n" for i, n in enumerate(names)))
        self.switch = Host("switch")
        self.switch.must("ip", "link", "add", "br0", "type", "bridge")
        self.switch.must("ip", "link", "set", "br0", "up")
        self.hosts = [self.plug_in(i) for i in range(count)]

    @staticmethod
    def address(i):
        return f"{NET}.{i + 1}"

    def plug_in(self, i):
        """A host that is new, or comes back after a power cut."""
        host = Host(f"h{i}", str(self.hosts_file))
        add = ["ip", "link", "add", f"p{i}", "type", "veth", "peer", "name", "eth0", "netns", host.pid]
        # by its network alone: the switch does not know the process ids of others
        subprocess.run(["nsenter", "--target", self.switch.pid, "--net", *add], check=True)
        self.switch.must("ip", "link", "set", f"p{i}", "master", "br0", "up")
        host.must("ip", "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
        host.must("ip", "link", "set", "eth0", "up")
        return host

    def power_cut(self, i):
        self.hosts[i].power_cut()
        until = time.monotonic() + 10  # the wire goes with the host, a little later
        while self.switch.run("ip", "link", "show", f"p{i}").returncode == 0 and time.monotonic() < until:
            time.sleep(0.02)

    def back(self, i):
        self.hosts[i] = self.plug_in(i)

    def close(self):
        for host in [*self.hosts, self.switch]:
            if host.outer.poll() is None:
                host.power_cut()
