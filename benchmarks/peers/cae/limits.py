"""Arithmetic limits of a training step on this machine, one JSON line a (size, batch).

    limits.py [--sizes real,full] [--batches 512,2048,8192] [--threads N | --device cuda]

Measures the peaks first (float32 and bfloat16 matrix products, memory copy), then counts: products at their peak, the sparse first
layer and its gradient as gathers from the last-level cache (--gather; a GPU: at the rate of a copy), Adam as one stream over 28 bytes a parameter.
"dense" computes cells x genes products, "factored" pays the gene dimension once a step through symmetric K x K Grams, K = (F+1) L.
"""

import argparse, json, math, time
import torch
from cycle_model import SIZES, Config, clf_shapes, gen_shapes

NONZEROS = {"small": 200, "real": 1350, "real256": 1350, "full": 1850}  # a cell, of synth.py


def best(work, run, device, repeats=7):
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    run()
    times = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        run()
        wait()
        times.append(time.perf_counter() - start)
    return work / min(times) / 1e9


def measure_peaks(device):
    peaks, n = {}, 8192 if device == "cuda" else 2048
    native = device == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # else it is emulated, slower than float32
    kinds = {"float32": torch.float32} | ({"bfloat16": torch.bfloat16} if native else {}) | ({"tf32": torch.float32} if device == "cuda" else {})
    for name, dtype in kinds.items():
        torch.set_float32_matmul_precision("high" if name == "tf32" else "highest")
        x, y = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        out = torch.empty(n, n, dtype=dtype, device=device)
        peaks[name] = best(2 * n**3, lambda: torch.mm(x, y, out=out), device)
    source = torch.randn(256 << 20 if device == "cuda" else 64 << 20, device=device)
    target = torch.empty_like(source)
    peaks["copy"] = best(2 * source.numel() * 4, lambda: target.copy_(source), device)
    return peaks


def limits(size, batch, peaks, gather):
    config = Config(**SIZES[size])
    genes, latent, fields, hidden = config.n_genes, config.latent, len(config.fields), config.clf_hidden[0]
    k, heads = (fields + 1) * latent, fields * latent
    parameters = sum(math.prod(s) for s in {**gen_shapes(config), **clf_shapes(config)}.values())
    pools = 12 * batch * heads * latent
    dense = 2 * (batch * genes * (9 * k + 2 * hidden) + pools)
    factored = 2 * (genes * (1.5 * k * k + 3 * k * heads + 2 * k * hidden) + pools)
    gathered = batch * NONZEROS[size] * 4 * 2
    adam = parameters * 28 / 1e9 / peaks["copy"]
    rates = {}
    for name in peaks.keys() - {"copy"}:
        rates["dense_" + name] = batch / (dense / 1e9 / peaks[name] + gathered * (k + hidden) / 1e9 / gather + adam)
        rates["factored_" + name] = batch / (factored / 1e9 / peaks[name] + gathered * (k + heads + hidden) / 1e9 / gather + adam)
    return {"size": size, "batch": batch, "parameters": parameters, **{n: round(r, 1) for n, r in rates.items()}}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sizes", default="real")
    options.add_argument("--batches", default="512,2048,8192")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--gather", type=float, default=100, help="GB/s gathered by a tiled sparse product")
    options.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    peaks = measure_peaks(chosen.device)
    if chosen.device == "cuda":
        chosen.gather = peaks["copy"]
    for size in chosen.sizes.split(","):
        for batch in map(int, chosen.batches.split(",")):
            line = limits(size, batch, peaks, chosen.gather)
            print(json.dumps({"benchmark": "step_limits", "device": chosen.device, **line, "peaks": {n: round(p, 1) for n, p in peaks.items()}}), flush=True)


if __name__ == "__main__":
    main()
