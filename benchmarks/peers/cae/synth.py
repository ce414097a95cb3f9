"""Synthetic scRNA-seq with planted additive context effects, as chunked scipy CSR .npz + pandas .pkl.

log-rate(cell) = mu_g + sum_f delta_f[c_f, g] + sum_k a_k P[k, g];  counts ~ Poisson(depth * softmax);  X = log1p(1e4 * n / sum n)
A category moves a sparse set of genes; field strengths differ.  Fields are drawn independently, skewed (Zipf-like).
usage: python synth.py OUT --size small --cells 8192 --chunk 4096 [--density 0.075] [--seed 0] [--missing 0.0]
"""

import argparse, json, os
import numpy as np
import pandas as pd
import scipy.sparse as sp
from cycle_model import SIZES

STRENGTH = {"assay": 0.5, "cell_type": 1.2, "sex": 0.4, "tissue": 0.6}
GENE_FRAC = {"assay": 0.10, "cell_type": 0.08, "sex": 0.02, "tissue": 0.04}


class World:
    def __init__(self, n_genes, fields, seed=0, depth=None, density=0.075):
        r = np.random.default_rng(seed)
        self.G, self.fields = n_genes, fields
        self.mu = r.normal(0, 1.5, n_genes).astype("f4")
        self.delta, self.prob = {}, {}
        for f, C in fields.items():
            n = max(2, int(GENE_FRAC.get(f, 0.05) * n_genes))
            d = np.zeros((C, n_genes), "f4")
            for c in range(C):
                d[c, r.choice(n_genes, n, replace=False)] = r.normal(0, STRENGTH.get(f, 0.6), n)
            self.delta[f] = d
            p = 1 / np.arange(1, C + 1) ** 0.7
            self.prob[f] = p / p.sum()
        self.prog = (r.random((8, n_genes)) < 0.05).astype("f4") * r.gamma(2, 0.4, (8, n_genes)).astype("f4")
        if depth is None:  # choose the depth that gives the wanted density
            rate = np.exp(self.mu)
            rate /= rate.sum()
            lo, hi = 10.0, 1e7
            for _ in range(50):
                depth = (lo * hi) ** 0.5
                lo, hi = (depth, hi) if (1 - np.exp(-depth * rate)).mean() < density else (lo, depth)
        self.depth = depth

    def draw_ctx(self, n, r):
        return np.stack([r.choice(C, n, p=self.prob[f]) for f, C in self.fields.items()], 1)

    def draw_prog(self, n, r):
        return (r.gamma(0.5, 0.6, (n, 8))).astype("f4")

    def expr(self, ctx, act, r):
        lg = np.repeat(self.mu[None], len(ctx), 0)
        for k, f in enumerate(self.fields):
            lg += self.delta[f][ctx[:, k]]
        lg += act @ self.prog
        np.exp(lg, out=lg)
        lg *= (self.depth * np.exp(r.normal(0, 0.25, (len(ctx), 1))) / lg.sum(1, keepdims=True)).astype("f4")
        n = r.poisson(lg).astype("f4")
        tot = np.maximum(n.sum(1, keepdims=True), 1)
        return np.log1p(n * (1e4 / tot), dtype="f4")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("out")
    a.add_argument("--size", default="small")
    a.add_argument("--cells", type=int, default=8192)
    a.add_argument("--chunk", type=int, default=4096)
    a.add_argument("--density", type=float, default=0.075)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--missing", type=float, default=0.0)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    z = SIZES[a.size]
    w = World(z["n_genes"], z["fields"], seed=a.seed, density=a.density)
    r = np.random.default_rng(a.seed + 1)
    nnz = 0
    for k, lo in enumerate(range(0, a.cells, a.chunk)):
        parts, ctxs = [], []
        for b in range(lo, min(lo + a.chunk, a.cells), 1024):
            n = min(1024, lo + a.chunk - b, a.cells - b)
            c = w.draw_ctx(n, r)
            parts.append(sp.csr_matrix(w.expr(c, w.draw_prog(n, r), r)))
            ctxs.append(c)
        X = sp.vstack(parts).tocsr().astype("f4")
        X.indices = X.indices.astype("i4")
        X.indptr = X.indptr.astype("i4")
        c = np.concatenate(ctxs)
        if a.missing:
            c = np.where(r.random(c.shape) < a.missing, -1, c)
        sp.save_npz(os.path.join(a.out, f"human_counts_{k}.npz"), X, compressed=False)
        pd.DataFrame({f: [f"{f}_{v}" if v >= 0 else None for v in c[:, j]] for j, f in enumerate(z["fields"])}).to_pickle(
            os.path.join(a.out, f"human_counts_{k}.pkl")
        )
        nnz += X.nnz
    json.dump(
        {
            "n_genes": z["n_genes"],
            "seed": a.seed,
            "density": nnz / a.cells / z["n_genes"],
            "cells": a.cells,
            "vocab": {f: [f"{f}_{v}" for v in range(C)] for f, C in z["fields"].items()},
        },
        open(os.path.join(a.out, "spec.json"), "w"),
    )
    print("density", nnz / a.cells / z["n_genes"])


if __name__ == "__main__":
    main()
