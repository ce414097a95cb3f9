#!/usr/bin/env python3
"""Minibatch-loading throughput of one peer over the files gen.py made.

    python bench.py OUT --peer seed_batch [--batch 512,4096] [--out sparse,dense] [--cache warm,cold]
                        [--reps 3] [--seconds 6] [--results results.jsonl] [--quality]

A rep = one epoch or --seconds, whichever ends first, from "start iterating" (first batch included;
opening files and imports excluded) on a fresh loader.  Every batch is X (torch sparse CSR or dense
float32 on the host) plus the obs rows where the peer carries obs.
--cache cold writes 3 to drop_caches before the rep (needs root); warm reads all the peer's files first.
cells_s = cells delivered / seconds; csr_MB_s = nnz*8 bytes / seconds; peak_mb = peak PSS of the process tree.
--quality runs untimed and prints entropy (bits) of dataset_id and cell_type per batch, and checks that
one epoch delivers every cell once (sum of values against gen.py's).
"""

import argparse, json, os, threading, time, warnings

warnings.filterwarnings("ignore")
import numpy as np
import torch
from peers import PEERS, meta

torch.set_num_threads(int(os.environ.get("BENCH_THREADS", os.cpu_count())))


class Peak(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.stop = False
        self.peak = 0

    def pss(self):
        import psutil

        t = 0
        me = psutil.Process()
        for p in [me] + me.children(recursive=True):
            try:
                for l in open(f"/proc/{p.pid}/smaps_rollup"):
                    if l.startswith("Pss:"):
                        t += int(l.split()[1])
                        break
            except OSError:
                pass
        return t

    def run(self):
        while not self.stop:
            self.peak = max(self.peak, self.pss())
            time.sleep(0.4)


def files(path):
    if os.path.isfile(path):
        return [path]
    return [os.path.join(r, f) for r, _, fs in os.walk(path) for f in fs]


def nnz_of(X):
    return X.values().numel() if X.layout == torch.sparse_csr else None


def run_one(out, peer, B, dense, cache, seconds):
    rel, fac = PEERS[peer]
    path = f"{out}/{rel}"
    if cache == "cold":
        os.sync()
        open("/proc/sys/vm/drop_caches", "w").write("3")
    else:
        for f in files(path):
            with open(f, "rb", buffering=0) as h:
                while h.read(1 << 24):
                    pass
    it = fac(out, B, dense)
    n = nnz = 0
    first = None
    pk = Peak()
    pk.start()
    t0 = time.perf_counter()
    for X, c in it():
        if first is None:
            first = time.perf_counter() - t0
        n += X.shape[0]
        z = nnz_of(X)
        nnz += z or 0
        if time.perf_counter() - t0 > seconds:
            break
    dt = time.perf_counter() - t0
    pk.stop = True
    pk.join()
    m = meta(out)
    nnz = nnz or n * m["mean_nnz"]
    return {
        "peer": peer,
        "batch": B,
        "out": "dense" if dense else "sparse",
        "cache": cache,
        "cells": n,
        "seconds": round(dt, 3),
        "cells_s": round(n / dt, 1),
        "csr_MB_s": round(nnz * 8 / dt / 1e6, 1),
        "first_s": round(first, 3),
        "peak_mb": round(pk.peak / 1024),
        "load1": round(os.getloadavg()[0], 2),
        "genes": m["genes"],
        "whole_epoch": n >= m["cells"],
    }


def entropy(c):
    p = np.bincount(c) / len(c)
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def quality(out, peer, B, maxb):
    m = meta(out)
    it = PEERS[peer][1](out, B, False)
    e = []
    s = n = 0
    for i, (X, c) in enumerate(it()):
        n += X.shape[0]
        s += float(X.values().double().sum())
        if c is not None and X.shape[0] == B:
            e.append((entropy(c[:, 4].numpy()), entropy(c[:, 1].numpy())))
        if maxb and i + 1 >= maxb:
            break
    e = np.array(e) if e else None
    return {
        "peer": peer,
        "batch": B,
        "quality": True,
        "cells": n,
        "sum_rel_err": abs(s / m["sum"] - 1) if n == m["cells"] else None,
        "H_dataset_mean": None if e is None else round(e[:, 0].mean(), 3),
        "H_dataset_min": None if e is None else round(e[:, 0].min(), 3),
        "H_celltype_mean": None if e is None else round(e[:, 1].mean(), 3),
    }


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("data")
    ap.add_argument("--peer", required=True, choices=sorted(PEERS))
    ap.add_argument("--batch", default="512,4096")
    ap.add_argument("--out", default="sparse,dense")
    ap.add_argument("--cache", default="warm")
    ap.add_argument("--reps", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=6.0)
    ap.add_argument("--results", default=None)
    ap.add_argument("--quality", action="store_true")
    ap.add_argument("--max-batches", type=int, default=0)
    a = ap.parse_args()
    res = open(a.results, "a") if a.results else None

    def put(r):
        s = json.dumps(r)
        print(s, flush=True)
        if res:
            res.write(s + "\n")
            res.flush()

    for B in map(int, a.batch.split(",")):
        if a.quality:
            put(quality(a.data, a.peer, B, a.max_batches))
            continue
        for o in a.out.split(","):
            if a.peer.startswith("seed_naive") and o == "sparse":
                continue
            for cache in a.cache.split(","):
                for r in range(a.reps):
                    d = run_one(a.data, a.peer, B, o == "dense", cache, a.seconds)
                    d["rep"] = r
                    put(d)


if __name__ == "__main__":
    main()
