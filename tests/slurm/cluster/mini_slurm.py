"""A real Slurm on virtual hosts: munged and slurmctld on h0, a slurmd on each of h1 .. hN. Everything it writes is in one folder,
and it is gone with the object, or with the program.
"""
import os
import pathlib
import re
import subprocess
import time

from virtual_hosts import VirtualHosts

KILL_WAIT = 5  # seconds between TERM and KILL
CONFIG = """
ClusterName=mini
SlurmctldHost=h0({head})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/sock
CredType=cred/munge
PluginDir={plugins}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=86400
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SlurmdTimeout=6
MessageTimeout=10
KillWait={kill_wait}
CompleteWait=0
ReturnToService=2
JobRequeue=1
# Slurm's default: what srun is told must do
KillOnBadExit=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PropagateResourceLimitsExcept=MEMLOCK
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=0
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""
JOB = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
       "OMPI_MCA_mpi_yield_when_idle": "1"}  # the hosts do not know that they share cores


class MiniSlurm:
    def __init__(self, programs, folder, nodes):
        self.folder, self.programs = folder, programs
        for part in ("state", "munge", "spool", "tmp"):
            (folder / part).mkdir(parents=True)
        for i in range(1, nodes + 1):
            (folder / "spool" / f"n{i}").mkdir()
            (folder / "tmp" / f"n{i}").mkdir()
        self.environment = {**programs.environment, **JOB, "SLURM_CONF": f"{folder}/slurm.conf"}
        text = CONFIG.format(head=VirtualHosts.address(0), folder=folder, plugins=programs.libraries, kill_wait=KILL_WAIT)
        for i in range(1, nodes + 1):
            text += f"NodeName=n{i} NodeHostname=h{i} NodeAddr={VirtualHosts.address(i)} CPUs=4 RealMemory=4000\n"
        (folder / "slurm.conf").write_text(text)
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self.daemons = []
        self.hosts = VirtualHosts(folder, nodes + 1)
        try:
            self.start(nodes)
        except BaseException:
            self.close()
            raise

    def start(self, nodes):
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(128))
        (munge / "key").chmod(0o400)
        # --force: the folder may lie below one that others may write
        self.daemon(0, "munged", "--force", "--foreground", f"--key-file={munge}/key", f"--socket={munge}/sock",
                    f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
        self.wait("munged's socket", (munge / "sock").exists)
        self.daemon(0, "slurmctld", "-D", "-c", "-i")
        for i in range(1, nodes + 1):
            self.start_node(i)
        self.wait("the nodes to be idle", lambda: self.idle_nodes() == nodes, 30)

    def daemon(self, host, name, *words):
        command = self.hosts.hosts[host].inside(self.programs.which(name), *words)
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons.append(subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out))

    def start_node(self, i):
        self.daemon(i, "slurmd", "-D", "-N", f"n{i}", "-d", self.programs.which("slurmstepd"))

    def idle_nodes(self):
        return len(self.ask("sinfo", "--noheader", "--Node", "--partition=low", "--states=idle", "--format=%N").stdout.split())

    def wait(self, what, condition, seconds=20):
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"waited {seconds} s for {what}\n{self.state_of_things()}")
            time.sleep(0.05)

    def state_of_things(self):
        return self.ask("squeue", "--states=all", "--format=%i %j %T %r %R ").stdout + "".join(
            f"{p.name}: {p.read_text(errors='replace')[-400:]}" for p in self.folder.glob("slurmctld.log"))

    def ask(self, *words, environment=None):
        """A command typed on the login node."""
        return self.hosts.hosts[0].run(*words, env={**self.environment, **(environment or {})})

    def must(self, *words, environment=None):
        done = self.ask(*words, environment=environment)
        if done.returncode:
            raise AssertionError(f"{' '.join(map(str, words))}: {done.stderr}{done.stdout}")
        return done.stdout

    def submit(self, *words, environment=None):
        return self.must("sbatch", "--parsable", *words, environment=environment).strip()

    def job(self, job):
        """What scontrol says of a job, by name."""
        return dict(re.findall(r"(\S+?)=(\S*)", self.must("scontrol", "--oneliner", "show", "job", job)))

    def wait_state(self, job, *states, seconds=60):
        self.wait(f"job {job} to be {' or '.join(states)}", lambda: self.job(job)["JobState"] in states, seconds)
        return self.job(job)

    def go(self, job, restarts, seconds=40):
        """Slurm holds a requeued job back for two minutes; here it goes at once. The hold is set anew when the old run has been
        cleaned up, so it is lifted until the job runs; not before, or what ends the old run may meet the new one."""
        until = time.monotonic() + seconds
        while True:
            now = self.job(job)
            if int(now["Restarts"]) >= restarts and now["JobState"] not in ("PENDING", "COMPLETING"):
                return
            if now["JobState"] == "PENDING" and not self.must("sinfo", "--Node", "--states=completing", "--noheader").strip():
                self.ask("scontrol", "update", f"jobid={job}", "StartTime=now")
            if time.monotonic() > until:
                raise AssertionError(f"job {job} did not go again\n{self.state_of_things()}")
            time.sleep(0.2)

    def set_kill_wait(self, seconds):
        conf = self.folder / "slurm.conf"
        conf.write_text(re.sub(r"KillWait=\d+", f"KillWait={seconds}", conf.read_text()))
        self.must("scontrol", "reconfigure")

    def power_cut(self, i):
        self.hosts.power_cut(i)

    def power_back(self, i):
        self.hosts.back(i)
        self.start_node(i)

    def close(self):
        self.hosts.close()
        for daemon in self.daemons:
            daemon.wait()
