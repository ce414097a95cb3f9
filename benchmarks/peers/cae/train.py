"""Times training steps of the cycle autoencoder.   train.py DATA --size real --variant naive  |  torchrun --nproc 2 train.py DATA ...
                                                 train.py - --resident 8 --device cuda ...     made batches that stay on the device

variants   naive : ModuleList pools, dense rows per cell, torch.optim.Adam, DDP(find_unused_parameters)
           opt   : stacked pools, CSR first layer (torch.sparse), fused GEMMs, fused lazy Adam, DDP
           gram  : as opt, and X_st / X_sts never materialised (||X - U D||^2 through Gram matrices)
"""

import argparse, contextlib, glob, json, os, resource, time, warnings
import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, BatchSampler, RandomSampler
from torch.utils.data.distributed import DistributedSampler
from torch.nn.parallel import DistributedDataParallel as DDP
from cycle_model import SIZES, Config, init_params, multi_ce, sample_targets, touched_sets
from fast_model import FastCAE, LazyAdam, SparseBatch, SparseClassifier
from plain_model import Classifier, NaiveCAE

warnings.filterwarnings("ignore")


# ------------------------------------------------------------------------------------------ two nested DataLoaders
class ChunkDataset(Dataset):
    """outer: one item = one (expression, metadata) chunk pair from disk"""

    def __init__(self, path, vocab):
        self.npz = sorted(glob.glob(os.path.join(path, "*.npz")))
        self.vocab = {f: {v: k for k, v in enumerate(vs)} for f, vs in vocab.items()}

    def __len__(self):
        return len(self.npz)

    def __getitem__(self, i):
        X = sp.load_npz(self.npz[i])
        md = pd.read_pickle(self.npz[i][:-4] + ".pkl")
        ctx = np.stack([md[f].map(v).fillna(-1).astype("i8").to_numpy() for f, v in self.vocab.items()], 1)
        return X, ctx


class CellDataset(Dataset):
    """inner, naive: one item = one densified cell"""

    def __init__(self, X, ctx):
        self.X, self.ctx = X, ctx

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, i):
        return torch.from_numpy(self.X[i].toarray().ravel()), torch.from_numpy(self.ctx[i])


class SliceDataset(CellDataset):
    """inner, fast: one item = one minibatch sliced out of the CSR"""

    def __getitem__(self, idx):
        return self.X[np.asarray(idx)], torch.from_numpy(self.ctx[idx])


def batches(a, chunks, epoch, rank, world, dense_rows):
    outer = DataLoader(
        chunks,
        batch_size=1,
        shuffle=True,
        num_workers=a.workers,
        collate_fn=lambda b: b[0],
        prefetch_factor=1 if a.workers else None,
        generator=torch.Generator().manual_seed(epoch),
    )
    for X, ctx in outer:
        ds = (CellDataset if dense_rows else SliceDataset)(X, ctx)
        smp = (
            DistributedSampler(ds, world, rank, shuffle=True, seed=epoch, drop_last=True)
            if world > 1
            else RandomSampler(ds, generator=torch.Generator().manual_seed(epoch))
        )
        if dense_rows:
            yield from DataLoader(ds, batch_size=a.batch, sampler=smp, drop_last=True)
        else:
            yield from DataLoader(ds, batch_size=None, sampler=BatchSampler(smp, a.batch, drop_last=True))


DENSITY = {"small": 0.1, "real": 0.067, "real256": 0.067, "full": 0.031}


def resident_batches(a, cfg):
    """The same few batches again and again, already where they are needed: no loader, no copy."""
    r, made = np.random.default_rng(0), []
    for _ in range(a.resident):
        X = sp.csr_matrix(np.where(r.random((a.batch, cfg.n_genes), dtype="f4") < DENSITY[a.size], 1 + r.random(dtype="f4"), np.float32(0)))
        weights = [1 / np.arange(1, C + 1) ** 0.7 for C in cfg.fields.values()]
        s = torch.from_numpy(np.stack([r.choice(len(w), a.batch, p=w / w.sum()) for w in weights], 1))
        made.append((torch.from_numpy(X.toarray()).to(a.device) if a.variant == "naive" else SparseBatch(X, a.device), s))
    while True:
        yield from made


def flops(cfg, B, nnz, variant):
    """2 x multiply-adds of one step for B cells, per implementation (FFNs and heads included)."""
    G, L, F, H = cfg.n_genes, cfg.latent, len(cfg.fields), cfg.clf_hidden[0]
    K, small = (F + 1) * L, B * (12 if cfg.ffn == "mlp" else 6) * F * L * L + 4 * B * H * sum(cfg.fields.values())
    if variant == "naive":
        m = B * G * (11 * K + 4 * H)
    elif variant == "opt":
        m = B * G * (9 * K + 2 * H) + B * nnz * (2 * K + 2 * H)
    else:
        m = G * (2 * K * K + K * (F * L + H) + 2 * K * (F * L + H)) + B * nnz * (2 * K + 2 * H + 2 * F * L)
    return 2 * (m + small)


def build(a, cfg):
    gen0, clf0 = init_params(cfg, 0)
    if a.variant == "naive":
        m, c = NaiveCAE(cfg), Classifier(cfg)
    else:
        m, c = FastCAE(cfg, "dense" if a.variant == "opt" else "gram", a.group), SparseClassifier(cfg)
    m.load_canonical(gen0), c.load_canonical(clf0)
    return m, c


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--size", default="small")
    p.add_argument("--variant", default="naive")
    p.add_argument("--batch", type=int, default=512)
    p.add_argument("--steps", type=int, default=0)
    p.add_argument("--warmup", type=int, default=1)
    p.add_argument("--epochs", type=int, default=1)
    p.add_argument("--group", default="seg")
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--set", nargs="*", default=[])
    p.add_argument("--json")
    p.add_argument("--log", type=int, default=0)
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    p.add_argument("--tf32", action="store_true")
    p.add_argument("--resident", type=int, default=0, help="so many made batches that stay on the device, instead of DATA")
    a = p.parse_args()
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    torch.set_num_threads(a.threads or max(1, os.cpu_count() // world))
    if world > 1:
        dist.init_process_group("gloo")
    if a.tf32:
        torch.set_float32_matmul_precision("high")
    over = {}
    for kv in a.set:
        k, v = kv.split("=")
        t = type(getattr(Config(), k))
        over[k] = t(v) if t is not bool else v == "1"
    cfg = Config(**{**SIZES[a.size], **over})
    spec = {"density": DENSITY[a.size]} if a.resident else json.load(open(os.path.join(a.data, "spec.json")))
    chunks = None if a.resident else ChunkDataset(a.data, spec["vocab"])
    torch.manual_seed(rank)
    gen, clf = (module.to(a.device) for module in build(a, cfg))
    naive = a.variant == "naive"
    if naive:
        gopt = torch.optim.Adam(gen.parameters(), lr=cfg.lr, betas=cfg.betas, eps=cfg.eps)
        copt = torch.optim.Adam(clf.parameters(), lr=cfg.lr_clf, betas=cfg.betas, eps=cfg.eps)
    else:
        gopt = LazyAdam(gen.dense_items(), gen.pool_items(), cfg.lr, cfg.betas, cfg.eps, cfg.pool_update == "lazy")
        copt = torch.optim.Adam(clf.parameters(), lr=cfg.lr_clf, betas=cfg.betas, eps=cfg.eps, fused=True)
    g, c = gen, clf
    if world > 1:
        kw = dict(find_unused_parameters=True) if naive else dict(bucket_cap_mb=64, gradient_as_bucket_view=True)
        g, c = DDP(gen, **kw), DDP(clf, gradient_as_bucket_view=True)
    if a.compile:
        g = torch.compile(g)
    tgen = torch.Generator().manual_seed(1234 + rank)
    T = dict(data=0.0, forward=0.0, backward=0.0, sync=0.0, optim=0.0)
    rows, n, nnz_tot, hist = [], 0, 0, []
    gparams, cparams = list(gen.parameters()), list(clf.parameters())

    def step(X, s, timed, sync=True):
        nonlocal nnz_tot
        t = [time.perf_counter()]

        def tick():
            if a.device == "cuda":
                torch.cuda.synchronize()
            t.append(time.perf_counter())

        if naive:
            X = sb = xd = X.to(a.device)
        else:
            sb = X if isinstance(X, SparseBatch) else SparseBatch(X, a.device)
            xd = sb.x.to_dense() if a.variant == "opt" else None
            nnz_tot += sb.x.values().numel()
        tgt = sample_targets(cfg, s, tgen)
        touched = touched_sets(cfg, s, tgt)
        if world > 1 and not naive:
            mask = torch.zeros(sum(cfg.fields.values()), dtype=torch.uint8)
            off = 0
            for f, C in cfg.fields.items():
                mask[[off + v for v in touched[f]]] = 1
                off += C
            dist.all_reduce(mask, op=dist.ReduceOp.MAX)
            off = 0
            for f, C in cfg.fields.items():
                touched[f] = mask[off : off + C].nonzero()[:, 0].tolist()
                off += C
        s, tgt = s.to(a.device), tgt.to(a.device)
        tick()  # -> data
        for q in gparams + cparams:
            q.grad = None if (naive or world == 1) else q.grad
        if not naive and world > 1:
            for q in gparams + cparams:
                if q.grad is not None:
                    q.grad.zero_()
        for q in cparams:
            q.requires_grad_(False)
        with torch.autocast(a.device, torch.bfloat16, enabled=a.bf16):
            ns = contextlib.nullcontext() if (sync or world == 1) else g.no_sync()
            with ns:
                loss, terms = g(X, s, tgt, clf) if naive else g(sb, xd, s, tgt, clf)
                tick()  # -> forward
                loss.backward()
            tick()  # -> backward
            for q in cparams:
                q.requires_grad_(True)
            nc = contextlib.nullcontext() if (sync or world == 1) else c.no_sync()
            with nc:
                closs = multi_ce(c(X if naive else sb), s, cfg)
                tick()  # -> forward
                closs.backward()
            tick()  # -> backward
        if naive:
            gopt.step()
        else:
            gopt.step({f: sorted(v) for f, v in touched.items()})
        copt.step()
        gen.project()
        tick()  # -> optim
        d = np.diff(t)
        return dict(data=d[0], forward=d[1] + d[3], backward=d[2] + d[4], optim=d[5]), torch.cat([terms, closs.detach()[None]])

    t_all = time.perf_counter()
    t0 = time.perf_counter()
    step_times = []
    nosync_bwd = []
    for ep in range(a.epochs):
        for X, s in resident_batches(a, cfg) if a.resident else batches(a, chunks, ep, rank, world, naive):
            wait = time.perf_counter() - t0
            extra = a.steps and n >= a.warmup + a.steps  # DDP: two more steps without sync, backward only
            d, terms = step(X, s, True, sync=not extra)
            if extra:
                nosync_bwd.append(d["backward"])
            elif n >= a.warmup:
                for k in d:
                    T[k] += d[k]
                T["data"] += wait
                step_times.append(sum(d.values()) + wait)
            n += 1
            hist.append(terms.tolist())
            if a.log and n % a.log == 0 and rank == 0:
                m = np.mean(hist[-a.log :], 0)
                print(f"step {n} rec {m[0]:.5f} int {m[1]:.5f} tgt {m[2]:.4f} clf {m[3]:.4f}", flush=True)
            if a.steps and n >= a.warmup + a.steps + (2 if world > 1 else 0):
                break
            t0 = time.perf_counter()
        if a.steps and n >= a.warmup + a.steps:
            break
    k = len(step_times)
    if nosync_bwd:
        nb = float(np.mean(nosync_bwd)) * k
        T["sync"] = max(0.0, T["backward"] - nb)
        T["backward"] -= T["sync"]
    dens = spec["density"] * cfg.n_genes
    fl = flops(cfg, a.batch, dens, a.variant)
    st = np.array(step_times)
    out = dict(
        size=a.size,
        variant=a.variant + ("+bf16" if a.bf16 else "") + ("+tf32" if a.tf32 else "") + ("+compile" if a.compile else "") + ("/" + a.group if not naive else ""),
        device=a.device,
        world=world,
        threads=torch.get_num_threads(),
        batch=a.batch,
        steps=k,
        cells_s=world * a.batch * k / st.sum(),
        cells_s_med=world * a.batch / float(np.median(st)),
        cells_s_min=world * a.batch / st.max(),
        cells_s_max=world * a.batch / st.min(),
        split_ms={q: 1e3 * v / k for q, v in T.items()},
        mflop_cell=fl / a.batch / 1e6,
        gflops=world * fl / st.mean() / 1e9,
        params=sum(q.numel() for q in gparams + cparams),
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    if rank == 0:
        print(json.dumps(out))
        if a.json:
            open(a.json, "a").write(json.dumps(out) + "\n")
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
