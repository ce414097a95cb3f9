"""The expert's PyTorch program: stacked pools, a CSR first layer, fused lazy Adam and, as loss="gram", no cells x genes product
at all: ||X - U D||^2 through Gram matrices."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from cycle_model import multi_ce
from plain_model import Classifier


class SparseBatch:
    """A CSR minibatch and its transpose (both int32, torch sparse CSR)."""

    def __init__(self, csr, device="cpu"):
        csc = csr.tocsc()
        mk = lambda p, i, v, sh: torch.sparse_csr_tensor(
            torch.from_numpy(p), torch.from_numpy(i), torch.from_numpy(v), sh, check_invariants=False
        ).to(device)
        B, G = csr.shape
        self.x = mk(csr.indptr, csr.indices, csr.data, (B, G))
        self.xt = mk(csc.indptr, csc.indices, csc.data, (G, B))
        self.sq = float((csr.data.astype("f8") ** 2).sum())
        self.shape = (B, G)


class SpMM(torch.autograd.Function):
    """X (CSR) @ A [G,K];  dA = X^T (CSR of the transpose) @ g"""

    @staticmethod
    def forward(ctx, A, sb):
        ctx.sb = sb
        with torch.autocast(A.device.type, enabled=False):
            return torch.mm(sb.x, A.float())

    @staticmethod
    def backward(ctx, g):
        with torch.autocast(g.device.type, enabled=False):
            return torch.mm(ctx.sb.xt, g.float().contiguous()), None


class Gram(torch.autograd.Function):
    """A^T A with one GEMM in backward (gradient made symmetric first)."""

    @staticmethod
    def forward(ctx, A):
        ctx.save_for_backward(A)
        return A.T @ A

    @staticmethod
    def backward(ctx, g):
        (A,) = ctx.saved_tensors
        return A @ (g + g.T)


class SegLinear(torch.autograd.Function):
    """y[lo:hi] = x[lo:hi] @ W[c]^T + b[c] for segments (c, lo, hi) of a batch sorted by context."""

    @staticmethod
    def forward(ctx, x, W, b, segs):
        ctx.save_for_backward(x, W)
        ctx.segs = segs
        y = x.new_empty(x.shape[0], W.shape[1])
        for c, lo, hi in segs:
            torch.addmm(b[c], x[lo:hi], W[c].t(), out=y[lo:hi])
        return y

    @staticmethod
    def backward(ctx, g):
        x, W = ctx.saved_tensors
        g = g.contiguous()
        gx, gW = torch.empty_like(x), torch.zeros_like(W)
        gb = W.new_zeros(W.shape[0], W.shape[1])
        for c, lo, hi in ctx.segs:
            gs = g[lo:hi]
            torch.mm(gs, W[c], out=gx[lo:hi])
            torch.mm(gs.t(), x[lo:hi], out=gW[c])
            torch.sum(gs, 0, out=gb[c])
        return gx, gW, gb, None


def bmm_linear(x, W, b, pos, n):
    """Padded grouped bmm: x sorted by context, pos = flat position of each row in [C, n]; reads the whole pool."""
    C, O, I = W.shape
    pad = x.new_zeros(C * n, I).index_copy(0, pos, x).view(C, n, I)
    y = torch.baddbmm(b[:, None, :], pad, W.transpose(1, 2))
    return y.view(C * n, O).index_select(0, pos)


class FastCAE(nn.Module):
    """loss="dense": X_st and X_sts materialised, large fused GEMMs.   loss="gram": they never exist.
    Layout: AT [G,(F+1)L] = [W^T | E_1^T ...], DT [G, F L (+F)] = [D_1 ... | d_1 .. d_F]."""

    def __init__(self, cfg, loss="dense", group="seg"):
        super().__init__()
        assert cfg.mode == "target_ffn" and cfg.int_hidden == "content"
        self.cfg, self.kind, self.group = cfg, loss, group
        G, L, nf = cfg.n_genes, cfg.latent, len(cfg.fields)
        self.AT = nn.Parameter(torch.empty(G, (nf + 1) * L))
        self.ab = nn.Parameter(torch.zeros(nf * L)) if cfg.enc_bias else None
        self.DT = nn.Parameter(torch.empty(G, nf * L + (nf if cfg.dec_bias else 0)))
        self.pools = nn.ParameterDict()
        for f, C in cfg.fields.items():
            for j in ("1", "2") if cfg.ffn == "mlp" else ("1",):
                self.pools[f"{f}_w{j}"] = nn.Parameter(torch.empty(C, L, L))
                self.pools[f"{f}_b{j}"] = nn.Parameter(torch.empty(C, L))

    @torch.no_grad()
    def load_canonical(self, p):
        cfg, L, nf = self.cfg, self.cfg.latent, len(self.cfg.fields)
        self.AT[:, :L] = p["base.weight"].T
        for k, f in enumerate(cfg.names):
            self.AT[:, (k + 1) * L : (k + 2) * L] = p[f"enc.{f}.weight"].T
            if cfg.enc_bias:
                self.ab[k * L : (k + 1) * L] = p[f"enc.{f}.bias"]
            self.DT[:, k * L : (k + 1) * L] = p[f"dec.{f}.weight"]
            if cfg.dec_bias:
                self.DT[:, nf * L + k] = p[f"dec.{f}.bias"]
            for j in ("1", "2") if cfg.ffn == "mlp" else ("1",):
                for a in "wb":
                    self.pools[f"{f}_{a}{j}"].copy_(p[f"ffn.{f}.{a}{j}"])

    def canonical(self, grad=False):
        cfg, L, nf = self.cfg, self.cfg.latent, len(self.cfg.fields)
        v = lambda q: (q.grad if grad else q).detach()
        out = {"base.weight": v(self.AT)[:, :L].T.contiguous()}
        for k, f in enumerate(cfg.names):
            out[f"enc.{f}.weight"] = v(self.AT)[:, (k + 1) * L : (k + 2) * L].T.contiguous()
            if cfg.enc_bias:
                out[f"enc.{f}.bias"] = v(self.ab)[k * L : (k + 1) * L].clone()
            out[f"dec.{f}.weight"] = v(self.DT)[:, k * L : (k + 1) * L].clone()
            if cfg.dec_bias:
                out[f"dec.{f}.bias"] = v(self.DT)[:, nf * L + k].clone()
            for j in ("1", "2") if cfg.ffn == "mlp" else ("1",):
                for a in "wb":
                    out[f"ffn.{f}.{a}{j}"] = v(self.pools[f"{f}_{a}{j}"]).clone()
        return out

    @torch.no_grad()
    def project(self):
        self.AT[:, : self.cfg.latent].clamp_(min=0)

    def ffn(self, f, h, ctx):
        """h [B,L] -> u [B,L], zero rows where ctx = -1"""
        order = torch.argsort(ctx, stable=True)
        sc = ctx[order]
        n_miss = int((sc < 0).sum())
        order, sc = order[n_miss:], sc[n_miss:]
        if order.numel() == 0:
            return torch.zeros_like(h)
        cs, counts = torch.unique_consecutive(sc, return_counts=True)
        x = h.index_select(0, order).float()
        js = ("1", "2") if self.cfg.ffn == "mlp" else ("1",)
        mx = int(counts.max())
        C = self.cfg.fields[f]
        if self.group == "bmm" and mx * C <= 4 * h.shape[0]:
            start = ctx.new_zeros(C)
            start[cs] = torch.cumsum(counts, 0) - counts
            pos = sc * mx + torch.arange(sc.numel(), device=ctx.device) - start[sc]
            lin = lambda x, j: bmm_linear(x, self.pools[f"{f}_w{j}"], self.pools[f"{f}_b{j}"], pos, mx)
        else:
            hi = torch.cumsum(counts, 0).tolist()
            segs = list(zip(cs.tolist(), [0] + hi[:-1], hi))
            lin = lambda x, j: SegLinear.apply(x, self.pools[f"{f}_w{j}"], self.pools[f"{f}_b{j}"], segs)
        y = torch.relu(lin(x, "1"))
        if len(js) == 2:
            y = lin(y, "2")
        return y.new_zeros(h.shape).index_copy(0, order, y)

    def to_u(self, H, ctx):
        """hidden [B,(F+1)L] -> U [B, L + F L (+F)]: coefficients of the rows of [W; D; d], scale and mask included."""
        cfg, L = self.cfg, self.cfg.latent
        parts = [H[:, :L]]
        for k, f in enumerate(cfg.names):
            parts.append(cfg.scale * self.ffn(f, H[:, (k + 1) * L : (k + 2) * L], ctx[:, k]))
        if cfg.dec_bias:
            parts.append(cfg.scale * (ctx >= 0).to(H.dtype))
        return torch.cat(parts, 1)

    def addb(self, H):
        if self.ab is None:
            return H
        L = self.cfg.latent
        return torch.cat([H[:, :L], H[:, L:] + self.ab], 1)

    def forward(self, sb, xd, s, t, clf):
        cfg, L, nf = self.cfg, self.cfg.latent, len(self.cfg.fields)
        B, G = sb.shape
        dec = torch.cat([self.AT[:, :L], self.DT], 1)  # [G, K1]
        H1 = self.addb(SpMM.apply(self.AT, sb))
        U1 = self.to_u(H1, t)
        c1 = clf.trunk[0].weight
        if self.kind == "dense":
            xst = U1 @ dec.T
            H2 = self.addb(xst @ self.AT)
            z = F.linear(xst, c1, clf.trunk[0].bias)
            U2 = self.to_u(H2.float(), s)
            rec = F.mse_loss((U2 @ dec.T).float(), xd)
        else:
            with torch.autocast(H1.device.type, enabled=False):
                enc_only = self.AT[:, L:]
                Q = Gram.apply(dec)  # [K1,K1] = [W;D][W;D]^T
                P = dec.T @ torch.cat([enc_only, c1.T], 1)  # [K1, F L + Hc]
                M = torch.cat([Q[:, :L], P], 1)  # columns: W, E_f, C1
                R = U1 @ M
                H2 = self.addb(R[:, : (nf + 1) * L])
                z = R[:, (nf + 1) * L :] + clf.trunk[0].bias
                U2 = self.to_u(H2, s)
                XD = torch.cat([H1[:, :L], SpMM.apply(self.DT, sb)], 1)
                cross = (XD * U2).sum()
                quad = ((U2.T @ U2) * Q).sum()
                rec = (sb.sq - 2 * cross + quad) / (B * G)
        if cfg.rec_reduction == "sum":
            rec = rec * G
        d2 = (H1 - H2.float()) ** 2
        integ = d2.mean() if cfg.int_heads == "all" else d2[:, L:].mean()
        z = torch.relu(z)
        for lin in clf.trunk[1:]:
            z = torch.relu(lin(z))
        tgt = multi_ce({f: h(z).float() for f, h in clf.head.items()}, t, cfg)
        return cfg.w_rec * rec + cfg.w_int * integ + cfg.w_tgt * tgt, torch.stack([rec, integ, tgt]).detach()

    def pool_items(self):
        return [(n.rsplit("_", 1)[0], p) for n, p in self.pools.items()]

    def dense_items(self):
        return [p for n, p in self.named_parameters() if not n.startswith("pools.")]


class SparseClassifier(Classifier):
    """Classifier whose first layer reads CSR (weight kept [Hc,G] for state compatibility)."""

    def forward(self, sb):
        w = self.trunk[0].weight
        x = torch.relu(SpMM.apply(w.T.contiguous(), sb) + self.trunk[0].bias)
        for lin in self.trunk[1:]:
            x = torch.relu(lin(x))
        return {f: h(x).float() for f, h in self.head.items()}


class LazyAdam:
    """Adam with the semantics of torch.optim.Adam over per-context modules: a context without a sample in the (global)
    batch keeps p, m, v and its own step count.  Uses the fused CPU kernel on views; no copies."""

    def __init__(self, dense, pools, lr, betas, eps, lazy=True):
        self.dense, self.pools, self.lr, self.betas, self.eps, self.lazy = dense, pools, lr, betas, eps, lazy
        self.state = {id(p): (torch.zeros_like(p), torch.zeros_like(p)) for p in dense + [q for _, q in pools]}
        self.dstep = [torch.zeros((), device=p.device) for p in dense]
        self.pstep = [[torch.zeros((), device=q.device) for _ in range(q.shape[0])] for _, q in pools]

    @torch.no_grad()
    def step(self, touched):
        P, Gd, M, V, S = [], [], [], [], []
        for p, st in zip(self.dense, self.dstep):
            m, v = self.state[id(p)]
            P.append(p), Gd.append(p.grad), M.append(m), V.append(v), S.append(st)
        for (f, q), steps in zip(self.pools, self.pstep):
            m, v = self.state[id(q)]
            idx = touched[f] if self.lazy else range(q.shape[0])
            for c in idx:
                P.append(q[c]), Gd.append(q.grad[c]), M.append(m[c]), V.append(v[c]), S.append(steps[c])
        torch._foreach_add_(S, 1)
        torch._fused_adam_(
            P,
            Gd,
            M,
            V,
            [],
            S,
            lr=self.lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )
