"""Rows of the tables that a GPU fills (tools/gpu_check): the step against plain and expert PyTorch, and training fed by the loader."""
from .cases import HERE, Row, Subject, key, rate

PRECISIONS = {"float32": (), "tf32": ("--tf32",), "bfloat16": ("--bf16",)}
BATCH = 4096


def step_rows(o):
    steps, warm, batch = ("3", "1", 512) if o.quick else ("20", "5", BATCH)

    def peer(name, size, precision, *variant, warm=warm):
        command = (o.peers, str(HERE / "peers/cae/train.py"), "-", "--resident", "4", "--device", "cuda", "--size", size)
        command += ("--batch", str(batch), "--steps", steps, "--warmup", warm, "--variant", *variant, *PRECISIONS[precision])
        return Subject(name, command, key("cells_s_med"))

    def ours(size, precision, form):
        command = (o.build + "/bench_step", "--device", "cuda", "--size", size, "--batch", str(batch), "--cells", str(batch))
        command += ("--steps", steps, "--warm-up", warm, "--precision", precision, "--compute", form)
        return Subject(form, command, rate)

    def limit(size, precision, form):
        command = (o.peers, str(HERE / "peers/cae/limits.py"), "--device", "cuda", "--sizes", size, "--batches", str(batch))
        return Subject("limit", command, key(f"{form}_{precision}"))

    return [
        Row("gpu-step", f"`{size}`, {precision}, {form}", ours(size, precision, form),
            [peer("eager", size, precision, "naive"), peer("compiled", size, precision, "naive", "--compile", warm="12"),
             peer("expert", size, precision, "opt")],
            limit=limit(size, precision, form), versus="eager", ratio=3)
        for size in ("real", "real256", "full") for precision in PRECISIONS for form in ("dense", "factored")
    ]  # fmt: skip


def fed_rows(o):
    def ours(source, precision, read=key("cells_per_second", "median")):
        command = ("python3", "-B", str(HERE / "macro/fed.py"), o.build + "/cellmill", "--device", "cuda", "--source", source)
        return Subject("cellmill", (*command, "--precision", precision, *(("--quick",) if o.quick else ())), read)

    rows = []
    for source in ("synthetic", "pack"):
        for precision in PRECISIONS:
            fed = ours(source, precision)
            rows.append(Row("gpu-fed", f"{source}, {precision}", fed))
            waited = ours(source, precision, key("data_wait_share"))
            rows.append(Row("gpu-fed", f"{source}, {precision}: share of time waiting for data", waited, unit="of 1"))
    return rows


ROWS = {"gpu-step": step_rows, "gpu-fed": fed_rows}
