"""What is measured: the rows of the tables, each with its peers, its limit, our command and the target.

A Subject is a command, and how a figure is read from the JSON lines that it prints. Equal commands of different rows run once.
"""
import dataclasses
import pathlib

HERE = pathlib.Path(__file__).resolve().parents[1]
FIELDS = "assay", "cell_type", "sex", "tissue", "dataset_id"
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "64000000000"}  # as the program sets them for itself
PROCESSOR = pathlib.Path("/proc/cpuinfo")
HAS_BFLOAT16 = PROCESSOR.exists() and any(f" {flag} " in PROCESSOR.read_text() for flag in ("avx512_bf16", "amx_bf16"))


@dataclasses.dataclass(frozen=True)
class Subject:
    name: str
    command: tuple
    read: object  # list of parsed JSON lines -> figure
    environment: tuple = ()


@dataclasses.dataclass
class Row:
    table: str
    name: str
    ours: Subject
    peers: list = dataclasses.field(default_factory=list)
    limit: Subject = None
    versus: str = ""  # the peer that the target speaks of; empty: the best
    ratio: float = 0  # at least so many times that peer
    least: float = 0  # and at least this figure
    most: float = 0  # or at most this one
    unit: str = "cells/s"


def rate(lines):
    """cells/s of ours: the ranks' together."""
    return sum(line["cells_per_second"]["median"] for line in lines)


def key(*path):
    def read(lines):
        value = lines[-1]
        for name in path:
            value = value[name]
        return value

    return read


def loader_rows(o):
    seconds, repetitions = ("1", "1") if o.quick else ("5", "1")

    def peer(name, out="sparse", cache="warm"):
        command = (o.peers, str(HERE / "peers/loader/bench.py"), o.set, "--peer", name, "--batch", "4096", "--out", out, "--cache", cache)
        return Subject(name, (*command, "--reps", repetitions, "--seconds", seconds), key("cells_s"))

    def ours(path, *more, batch=4096, cache="warm", read=rate, name="cellmill", launcher=(), threads=2):
        command = (*launcher, o.build + "/bench_loader", "--path", f"{o.set}/{path}", "--fields", *FIELDS, "--batch", str(batch))
        command += ("--threads", str(threads), "--cache", cache, "--seconds", seconds, "--repetitions", "3", *more)
        return Subject(name, command, read, (("OMP_NUM_THREADS", str(threads)),))

    def limit(name, times=1):
        command = (o.build + "/bench_loader_limits", o.set, "--repeats", "3", "--cold")
        return Subject(
            name, command, lambda lines: times * next(x for x in lines if x["name"] == name)["cells_per_second"]["median"]
        )

    def row(name, ours, *peers, **more):
        return Row("loader", name, ours, list(peers), **more)

    mixed = (o.peers, str(HERE / "peers/loader/bench.py"), o.set, "--peer", "seed_batch", "--batch", "512", "--quality")
    stored = ours("npz")
    same = lambda *path: dataclasses.replace(stored, read=key(*path))
    rows = [
        row("stored npz, warm", stored, peer("annbatch"), peer("scdataset"), peer("scdl"), peer("seed_batch"),
            limit=limit("sparse_warm"), versus="annbatch", ratio=3),
        row("stored npz, cold", ours("npz", cache="cold"), peer("annbatch", cache="cold"), peer("seed_batch", cache="cold"),
            limit=limit("cold"), versus="annbatch", ratio=2),
        row("deflated npz", ours("npzc"), peer("seed_batch_npzc"), limit=limit("inflate", 2), ratio=10, least=50000),
        row("h5ad", ours("cells.h5ad"), peer("scdataset"), ratio=3),
        row("h5ad, gzip", ours("cells_gz.h5ad"), peer("scdataset_gz"), ratio=3),
        row("`cellmill pack`, warm", ours("cells.cmpack"), peer("annbatch"), least=300000),
        row("`cellmill pack`, cold", ours("cells.cmpack", cache="cold"), peer("annbatch", cache="cold"), least=250000),
        row("dense float32, from stored npz", ours("npz", "--dense"), peer("annbatch", "dense"),
            limit=limit("dense_warm"), ratio=3),
        row("bits of dataset entropy in a batch of 512",
            ours("npz", "--entropy-field", "dataset_id", batch=512, read=key("epoch", "entropy_bits", "mean")),
            Subject("seed_batch", mixed, key("H_dataset_mean")), least=4.1, unit="bits"),
        row("p99 / p50 of a batch's time", same("p99_over_p50", "median"), most=2, unit="times"),
        row("first batch", same("first_batch_seconds", "median"), most=0.5, unit="s"),
        row("peak RSS, 16k-cell buffer", ours("npz", "--buffer-cells", "16384", read=key("peak_rss_mb")), most=1000, unit="MB"),
    ]  # fmt: skip
    for ranks in (1, 2, 4):
        launcher = (*mpirun(ranks),) if ranks > 1 else ()
        more = dict(batch=4096 // ranks, launcher=launcher, threads=1)
        rows.append(row(f"{ranks} ranks, together", ours("npz", **more)))
        most_read = lambda lines: max(line["bytes_read"] for line in lines) / 1e6
        rows.append(row(f"{ranks} ranks, MB read by one in an epoch", ours("npz", read=most_read, **more), unit="MB"))
    return rows


def mpirun(ranks):
    return "mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)


def step_rows(o):
    steps, warm = ("2", "1") if o.quick else ("5", "1")

    def peer(name, size, batch, *variant, processes=1):
        launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)) if processes > 1 else ()
        command = (o.peers, *launcher, str(HERE / "peers/cae/train.py"), f"{o.cells}/{size}", "--size", size, "--batch", str(batch))
        command += ("--steps", steps, "--warmup", warm, "--epochs", "9", "--threads", str(2 // processes), "--variant", *variant)
        return Subject(name, command, key("cells_s_med"), tuple(KEEP_PAGES.items()))

    def ours(size, batch, *more, ranks=1, threads=None, name="cellmill", read=rate, steps=steps):
        command = (*(mpirun(ranks) if ranks > 1 else ()), o.build + "/bench_step", "--size", size, "--batch", str(batch))
        command += ("--cells", str(batch * ranks * max(1, 4096 // (batch * ranks))), "--steps", steps, "--warm-up", warm, *more)
        return Subject(name, command, read, (("OMP_NUM_THREADS", str(threads or 2 // ranks)), *KEEP_PAGES.items()))

    def limit(size, batch):
        command = (o.peers, str(HERE / "peers/cae/limits.py"), "--sizes", size, "--batches", str(batch))
        best = lambda lines: max(lines[-1]["dense_float32"], lines[-1]["factored_float32"])
        return Subject("float32 limit", command, best)

    def row(name, ours, *peers, **more):
        return Row("step", name, ours, list(peers), **more)

    half, word = (("--bf16",), "bfloat16") if HAS_BFLOAT16 else ((), "float32")  # emulated, it takes minutes a step
    expert = peer("opt, float32", "real", 512, "opt")
    factored = peer("gram, float32, batch 1,536", "real", 1536, "gram", "--group", "bmm")
    scvi = Subject("scVI", (o.peers, str(HERE / "peers/cae/peer_scvi.py"), f"{o.cells}/real"), key("cells_s_med"))
    two = peer(f"opt, {word}", "real", 512, "opt", *half, processes=2)
    rows = [
        row("`real`, batch 512", ours("real", 512), expert, limit=limit("real", 512), ratio=1.5),
        row("`real`, batch 2,048", ours("real", 2048), factored, limit=limit("real", 2048), ratio=2.2),
        row("`real`, batch 8,192", ours("real", 8192), limit=limit("real", 8192), least=3300),
        row("`real`, 2 processes, 512 each", ours("real", 512, ranks=2), two, ratio=1.7),
        row("its synchronisation", ours("real", 512, ranks=2, read=key("milliseconds", "synchronise", "median")),
            dataclasses.replace(two, read=key("split_ms", "sync")), most=70, unit="ms"),
        row("`full`, batch 4,096", ours("full", 4096, steps="2"), peer(f"opt, {word}, batch 128", "full", 128, "opt", *half),
            limit=limit("full", 4096), least=120),
        row("scVI on the same cells, batch 512", ours("real", 512), scvi, ratio=3),
        row("factor model beside scVI on the same cells, batch 512", ours("real", 512, "--model", "factor_model"), scvi, ratio=3),
    ]  # fmt: skip
    for ranks in (1, 2, 4):
        rows.append(row(f"`real`, {ranks} processes x 1 thread, 512 each", ours("real", 512, ranks=ranks, threads=1)))
    if HAS_BFLOAT16:
        rows[0].peers.append(peer("opt, bfloat16", "real", 512, "opt", "--bf16"))
    return rows


def start_up_rows(o):
    command = ("python3", "-B", str(HERE / "macro/start_up.py"), o.build + "/cellmill", "--repeats", "3")
    figure = lambda name, most, unit, *path: Row("start-up", name, Subject("cellmill", command, key(*path)), most=most, unit=unit)
    saving = Subject("cellmill", (o.build + "/bench_checkpoint",), key("stall_over_blocking"))
    return [
        figure("`cellmill --help`", 30, "ms", "help_ms", "median"),
        figure("first step of the tiny run file", 1.5, "s", "first_step_s", "median"),
        figure("files opened until then", 60, "files", "files_to_first_step"),
        Row("start-up", "checkpoint of `real`: stall / blocking write", saving, most=0.2, unit="times"),
    ]


def micro_commands(o):
    """Programs that print lines with name, plain_ms and fast_ms."""
    quick = ("--quick",) if o.quick else ()
    return [(o.build + "/bench_kernels", *quick), (o.build + "/bench_recorder",), (*mpirun(2), o.build + "/bench_collectives")]


ROWS = {"loader": loader_rows, "step": step_rows, "start-up": start_up_rows}
