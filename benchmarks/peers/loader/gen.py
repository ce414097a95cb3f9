#!/usr/bin/env python3
"""Seeded CellxGene-like dataset, written in every peer's favourite format.

    gen.py OUT [--cells 98304 --genes 60664 --mean-nnz 2000 --chunks 8 --seed 7]
               [--formats npz,npzc,npz1,h5ad,h5adgz,annbatch,scdl,soma]

The cells are made once (OUT/csr/*.npy, memory-mapped afterwards) and every other
format is a re-write of those same rows in the same order, except annbatch, whose
own tool pre-shuffles them (that is its format).

What is realistic about it
  * cells are ordered by dataset_id (as in a CELLxGENE concatenation), each dataset
    having one assay, 1-3 tissues and its own mix of cell types
  * nnz per cell is lognormal; genes are drawn (with replacement, until the target
    number of distinct genes is reached) from a power law that is modulated per cell type, so
    counts are multinomial-like: most are 1
  * values = float32 log1p(1e4 * count / total), so a cell has few distinct values
    (this decides how well any codec does)
  * indices int32 sorted in a row, as scipy's save_npz keeps them
"""

import argparse, json, os, shutil, sys, time
import numpy as np


def build(a, out):
    import numba as nb
    import pandas as pd

    @nb.njit(cache=False)
    def alias(p):
        n = p.size
        prob = np.empty(n, np.float32)
        al = np.empty(n, np.int32)
        q = p * n
        small = np.empty(n, np.int32)
        large = np.empty(n, np.int32)
        ns = 0
        nl = 0
        for i in range(n):
            if q[i] < 1.0:
                small[ns] = i
                ns += 1
            else:
                large[nl] = i
                nl += 1
        while ns > 0 and nl > 0:
            ns -= 1
            s = small[ns]
            l = large[nl - 1]
            prob[s] = q[s]
            al[s] = l
            q[l] = q[l] + q[s] - 1.0
            if q[l] < 1.0:
                nl -= 1
                small[ns] = l
                ns += 1
        while nl > 0:
            nl -= 1
            prob[large[nl]] = 1.0
            al[large[nl]] = large[nl]
        while ns > 0:
            ns -= 1
            prob[small[ns]] = 1.0
            al[small[ns]] = small[ns]
        return prob, al

    @nb.njit(cache=False)
    def sample(seed, prob, al, ctype, indptr, indices, data):
        np.random.seed(seed)
        g = prob.shape[1]
        cnt = np.zeros(g, np.int32)
        touched = np.empty(g, np.int32)
        for c in range(ctype.size):
            want = indptr[c + 1] - indptr[c]
            t = ctype[c]
            nt = 0
            total = 0
            lim = want * 60
            while nt < want:
                j = np.random.randint(0, g)
                if total < lim:
                    if np.random.random() >= prob[t, j]:
                        j = al[t, j]
                if cnt[j] == 0:
                    touched[nt] = j
                    nt += 1
                cnt[j] += 1
                total += 1
            tt = np.sort(touched[:nt])
            o = indptr[c]
            s = 1e4 / total
            for k in range(nt):
                j = tt[k]
                indices[o + k] = j
                data[o + k] = np.log1p(cnt[j] * s)
                cnt[j] = 0

    rng = np.random.default_rng(a.seed)
    n, g = a.cells, a.genes
    nd, nt, na, nti = 40, 300, 20, 60
    dw = rng.dirichlet(np.full(nd, 0.7))
    dn = np.maximum(min(64, n // (2 * nd)), (dw * n).astype(np.int64))
    dn[np.argmax(dn)] += n - dn.sum()
    ds = np.repeat(np.arange(nd), dn)
    tz = 1.0 / np.arange(1, nt + 1) ** 1.1
    assay = np.empty(n, np.int16)
    tissue = np.empty(n, np.int16)
    ctype = np.empty(n, np.int32)
    donor_sex = np.empty(n, np.int8)
    for d in range(nd):
        m = np.flatnonzero(ds == d)
        assay[m] = rng.choice(na, p=(w := 1 / np.arange(1, na + 1) ** 1.2) / w.sum())
        ts = rng.choice(nti, size=rng.integers(1, 4), replace=False)
        tissue[m] = rng.choice(ts, m.size)
        k = rng.integers(8, 40)
        sub = rng.choice(nt, k, replace=False, p=tz / tz.sum())
        w = tz[sub] * rng.gamma(1.0, 1.0, k)
        ctype[m] = rng.choice(sub, m.size, p=w / w.sum())
        donor_sex[m] = np.repeat(rng.choice(3, 16, p=[0.47, 0.47, 0.06]), -(-m.size // 16))[: m.size]
    sig = 0.55
    mu = np.log(a.mean_nnz) - sig * sig / 2
    nnz = np.clip(np.exp(rng.normal(mu, sig, n)), 200, min(12000, g // 3)).astype(np.int64)
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(nnz, out=indptr[1:])
    base = 1.0 / (np.arange(1, g + 1) + 20) ** 0.95
    base = base[rng.permutation(g)]
    prob = np.empty((nt, g), np.float32)
    al = np.empty((nt, g), np.int32)
    for t in range(nt):
        w = base * np.exp(rng.normal(0, 1.2, g))
        prob[t], al[t] = alias(w / w.sum())
    os.makedirs(out + "/csr", exist_ok=True)
    N = int(indptr[-1])
    ind = np.lib.format.open_memmap(out + "/csr/indices.npy", "w+", np.int32, (N,))
    dat = np.lib.format.open_memmap(out + "/csr/data.npy", "w+", np.float32, (N,))
    sample(a.seed, prob, al, ctype, indptr, ind, dat)
    ind.flush()
    dat.flush()
    np.save(out + "/csr/indptr.npy", indptr)
    cat = lambda pre, codes, k: pd.Categorical.from_codes(np.asarray(codes, np.int16), [f"{pre}{i:03d}" for i in range(k)])
    obs = pd.DataFrame(
        {
            "assay": cat("assay_", assay, na),
            "cell_type": cat("CL:", ctype, nt),
            "sex": pd.Categorical.from_codes(donor_sex, ["female", "male", "unknown"]),
            "tissue": cat("UBERON:", tissue, nti),
            "dataset_id": cat("ds_", ds, nd),
        },
        index=[f"cell_{i:08d}" for i in range(n)],
    )
    obs.to_pickle(out + "/csr/obs.pkl")
    d = {
        "cells": n,
        "genes": g,
        "nnz": N,
        "mean_nnz": N / n,
        "seed": a.seed,
        "chunks": a.chunks,
        "sum": float(np.sum(dat, dtype=np.float64)),
        "distinct_values_first_cell": int(np.unique(dat[: indptr[1]]).size),
        "frac_genes_seen": float((np.bincount(ind[: min(N, 40_000_000)], minlength=g) > 0).mean()),
    }
    json.dump(d, open(out + "/meta.json", "w"), indent=1)


def load(out):
    import pandas as pd, scipy.sparse as sp

    m = json.load(open(out + "/meta.json"))
    ip = np.load(out + "/csr/indptr.npy")
    ind = np.load(out + "/csr/indices.npy", mmap_mode="r")
    dat = np.load(out + "/csr/data.npy", mmap_mode="r")
    return m, ip, ind, dat


def chunk_csr(m, ip, ind, dat, k):
    import scipy.sparse as sp

    n, c = m["cells"], m["chunks"]
    a, b = n * k // c, n * (k + 1) // c
    p = (ip[a : b + 1] - ip[a]).astype(np.int32)
    x = sp.csr_matrix((b - a, m["genes"]), dtype=np.float32)
    x.data, x.indices, x.indptr = np.asarray(dat[ip[a] : ip[b]]), np.asarray(ind[ip[a] : ip[b]]), p
    return x, a, b


def save_npz_level(path, x, level):
    """scipy.sparse.save_npz(compressed=True) with a chosen deflate level."""
    import io, zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as z:
        for name, arr in (
            ("indices", x.indices),
            ("indptr", x.indptr),
            ("format", np.array(b"csr")),
            ("shape", np.array(x.shape)),
            ("data", x.data),
        ):
            with z.open(name + ".npy", "w", force_zip64=True) as f:
                np.lib.format.write_array(f, np.asanyarray(arr), allow_pickle=False)


def write_chunk(job):
    out, kind, k = job
    import pandas as pd, scipy.sparse as sp

    x, first, last = chunk_csr(*load(out), k)
    path = f"{out}/{kind}/expression_{k:03d}.npz"
    if kind == "npz1":
        save_npz_level(path, x, 1)
    else:
        sp.save_npz(path, x, compressed=kind == "npzc")
    pd.read_pickle(out + "/csr/obs.pkl").iloc[first:last].to_pickle(f"{out}/{kind}/metadata_{k:03d}.pkl")


def gene_names(count):
    return [f"ENSG{i:011d}" for i in range(count)]


def write_npz(a, kind):
    from multiprocessing import get_context

    m = load(a.out)[0]
    os.makedirs(f"{a.out}/{kind}", exist_ok=True)
    with open(f"{a.out}/{kind}/genes.txt", "w") as file:
        file.writelines(name + "\n" for name in gene_names(m["genes"]))
    with get_context("fork").Pool(a.jobs) as pool:
        pool.map(write_chunk, [(a.out, kind, k) for k in range(m["chunks"])], chunksize=1)
    return f"{a.out}/{kind}"


def write_h5ad(a, kind):
    import anndata as ad, pandas as pd, scipy.sparse as sp

    m, ip, ind, dat = load(a.out)
    x = sp.csr_matrix((m["cells"], m["genes"]), dtype=np.float32)
    x.data, x.indices, x.indptr = np.asarray(dat), np.asarray(ind), (ip if m["nnz"] >= 2**31 else ip.astype(np.int32))
    cells = ad.AnnData(x, obs=pd.read_pickle(a.out + "/csr/obs.pkl"), var=pd.DataFrame(index=gene_names(m["genes"])))
    gzip = kind == "h5adgz"
    path = f"{a.out}/cells{'_gz' if gzip else ''}.h5ad"
    cells.write_h5ad(path, **({"compression": "gzip"} if gzip else {}))
    return path


def write_annbatch(a, kind):
    import zarr

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    from annbatch import DatasetCollection

    path = f"{a.out}/annbatch.zarr"
    shutil.rmtree(path, ignore_errors=True)
    DatasetCollection(path).add_adatas([f"{a.out}/cells.h5ad"], shuffle=True)
    return path


def write_scdl(a, kind):
    from bionemo.scdl.io.single_cell_memmap_dataset import SingleCellMemMapDataset

    path = f"{a.out}/scdl"
    shutil.rmtree(path, ignore_errors=True)
    SingleCellMemMapDataset(path, h5ad_path=f"{a.out}/cells.h5ad", use_X_not_raw=True).save()
    return path


def write_soma(a, kind):
    import anndata as ad, tiledbsoma.io

    path = f"{a.out}/soma"
    shutil.rmtree(path, ignore_errors=True)
    cells = ad.read_h5ad(f"{a.out}/cells.h5ad", backed="r")[: a.soma_cells].to_memory()
    cells.obs = cells.obs.astype(str)
    tiledbsoma.io.from_anndata(path, cells, measurement_name="RNA")
    return path


WRITERS = {"npz": write_npz, "npzc": write_npz, "npz1": write_npz, "h5ad": write_h5ad, "h5adgz": write_h5ad,
           "annbatch": write_annbatch, "scdl": write_scdl, "soma": write_soma}  # fmt: skip


def size_of(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out")
    for name, default in (("cells", 98304), ("genes", 60664), ("chunks", 8), ("seed", 7), ("jobs", 2), ("soma-cells", 24576)):
        options.add_argument("--" + name, type=int, default=default)
    options.add_argument("--mean-nnz", type=float, default=2000)
    options.add_argument("--formats", default="npz,npzc,h5ad,h5adgz")
    a = options.parse_args()
    kinds = [kind for kind in a.formats.split(",") if kind]
    if unknown := set(kinds) - set(WRITERS):
        sys.exit(f"unknown formats {sorted(unknown)}; there are {sorted(WRITERS)}")
    os.makedirs(a.out, exist_ok=True)
    if not os.path.exists(a.out + "/meta.json"):
        start = time.time()
        build(a, a.out)
        print(f"cells made in {time.time() - start:.1f} s", json.load(open(a.out + "/meta.json")), flush=True)
    cells = load(a.out)[0]["cells"]
    for kind in kinds:
        start = time.time()
        size = size_of(WRITERS[kind](a, kind))
        line = {"format": kind, "seconds": round(time.time() - start, 1), "bytes": size, "bytes_per_cell": size / cells}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
