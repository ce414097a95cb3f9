"""The cycle autoencoder by hand in PyTorch: its configuration, canonical parameters, targets and losses.

G genes, L latent, F fields, C_f categories, B cells; s[i,f], t[i,f] source and target category, -1 = missing.

  base head    h_0 = X W^T,              Xhat_0 = h_0 W                        W >= 0, no bias
  field head   h_f = X E_f^T + a_f,      u_f = FFN_{f,out}(h_f)
               Xhat_f = [out_f >= 0] * SCALE * (u_f D_f^T + d_f)
  pass 1       X_st,  H1 = pass(X,    out=t)          pass 2       X_sts, H2 = pass(X_st, out=s)
  L_rec        (1/B) sum_i sum_g (X_sts - X)^2
  L_int        mean over heads of mean_{B,L} (H1 - H2)^2
  L_tgt        mean over fields of (1/B) sum_{i: t>=0} CE(clf_f(X_st)_i, t_if)      classifier frozen
  L_clf        mean over fields of (1/B) sum_{i: s>=0} CE(clf_f(X)_i,    s_if)
  step         both losses at the parameters of step k, one backward each, two Adams, then W = max(W, 0)

plain_model.py is what a user would write first, fast_model.py what an expert makes of it.
"""

from __future__ import annotations
import math
from dataclasses import dataclass, field
import torch
import torch.nn.functional as F

SCALE = 0.0159


@dataclass
class Config:
    n_genes: int = 2000
    latent: int = 64
    fields: dict = field(default_factory=lambda: {"assay": 5, "cell_type": 20, "sex": 3})
    ffn: str = "mlp"  # mlp: Linear-ReLU-Linear (hidden = latent) | linear_relu: Linear-ReLU
    mode: str = "target_ffn"  # target_ffn (B) | two_side_shared (A, one pool) | two_side_pools (A, two pools)
    int_hidden: str = "content"  # content: Enc_f output (B) / source-FFN output (A) | post: output-side FFN output
    int_heads: str = "all"  # all: base + fields | fields
    enc_bias: bool = True
    dec_bias: bool = True
    clf_hidden: tuple = (256,)
    scale: float = SCALE
    rec_reduction: str = "sum"  # sum over genes, mean over cells | mean over both
    ce_norm: str = "batch"  # batch: divide by B | valid: divide by number of known labels
    w_rec: float = 1.0
    w_int: float = 1.0
    w_tgt: float = 1.0
    lr: float = 1e-3
    lr_clf: float = 1e-3
    betas: tuple = (0.9, 0.999)
    eps: float = 1e-8
    pool_update: str = "lazy"  # lazy: untouched contexts keep (p, m, v, step) | dense: zero gradient, Adam moves on
    exclude_source: bool = False  # sample t uniformly over C_f \ {s} instead of over C_f

    @property
    def names(self):
        return list(self.fields)


SIZES = {
    "small": dict(n_genes=2000, latent=64, fields={"assay": 5, "cell_type": 20, "sex": 3}, clf_hidden=(128,)),
    "real": dict(n_genes=20000, latent=128, fields={"assay": 20, "cell_type": 300, "sex": 3, "tissue": 60}, clf_hidden=(256,)),
    "real256": dict(n_genes=20000, latent=256, fields={"assay": 20, "cell_type": 300, "sex": 3, "tissue": 60}, clf_hidden=(256,)),
    "full": dict(n_genes=60664, latent=512, fields={"assay": 20, "cell_type": 300, "sex": 3, "tissue": 60}, clf_hidden=(512,)),
}


def gen_shapes(cfg: Config):
    """Canonical generator parameters, in canonical order (this order is also the flat all-reduce order)."""
    G, L = cfg.n_genes, cfg.latent
    out = {"base.weight": (L, G)}
    for f, C in cfg.fields.items():
        out[f"enc.{f}.weight"] = (L, G)
        if cfg.enc_bias:
            out[f"enc.{f}.bias"] = (L,)
        out[f"dec.{f}.weight"] = (G, L)
        if cfg.dec_bias:
            out[f"dec.{f}.bias"] = (G,)
        for pool in (["ffn", "ffn_in"] if cfg.mode == "two_side_pools" else ["ffn"]):
            out[f"{pool}.{f}.w1"] = (C, L, L)
            out[f"{pool}.{f}.b1"] = (C, L)
            if cfg.ffn == "mlp":
                out[f"{pool}.{f}.w2"] = (C, L, L)
                out[f"{pool}.{f}.b2"] = (C, L)
    return out


def clf_shapes(cfg: Config):
    out, d = {}, cfg.n_genes
    for k, h in enumerate(cfg.clf_hidden):
        out[f"clf.trunk.{k}.weight"] = (h, d)
        out[f"clf.trunk.{k}.bias"] = (h,)
        d = h
    for f, C in cfg.fields.items():
        out[f"clf.head.{f}.weight"] = (C, d)
        out[f"clf.head.{f}.bias"] = (C,)
    return out


def init_params(cfg: Config, seed=0, dtype=torch.float32):
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)) everywhere (nn.Linear's default); W ~ U(0, 2/sqrt(L G)), which makes
    X W^T W about the size of X at start."""
    g = torch.Generator().manual_seed(seed)

    def fan_in(name, shape):
        if name.startswith("enc."):
            return cfg.n_genes
        if name.startswith(("dec.", "ffn")):
            return cfg.latent
        if name.startswith("clf.trunk."):
            k = int(name.split(".")[2])
            return cfg.n_genes if k == 0 else cfg.clf_hidden[k - 1]
        return cfg.clf_hidden[-1] if cfg.clf_hidden else cfg.n_genes

    gen, clf = {}, {}
    for dst, shapes in ((gen, gen_shapes(cfg)), (clf, clf_shapes(cfg))):
        for n, s in shapes.items():
            r = torch.rand(s, generator=g, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
            if n == "base.weight":
                r.mul_(2 / math.sqrt(cfg.n_genes * cfg.latent))
            else:
                k = 1 / math.sqrt(fan_in(n, s))
                r.mul_(2 * k).sub_(k)
            dst[n] = r.to(dtype)
    return gen, clf


def sample_targets(cfg: Config, src: torch.Tensor, gen: torch.Generator):
    """t[i,f] ~ uniform over C_f, independent per cell and field; a missing source stays missing."""
    cols = []
    for k, C in enumerate(cfg.fields.values()):
        s = src[:, k]
        if cfg.exclude_source and C > 1:
            t = torch.randint(0, C - 1, s.shape, generator=gen)
            t = t + (t >= s).long()
        else:
            t = torch.randint(0, C, s.shape, generator=gen)
        cols.append(torch.where(s >= 0, t, torch.full_like(t, -1)))
    return torch.stack(cols, 1)


def multi_ce(logits, labels, cfg):
    """Mean over fields of (sum over cells with a known label) / (B or number of known labels)."""
    tot = 0.0
    for k, f in enumerate(cfg.names):
        y = labels[:, k]
        n = y.numel() if cfg.ce_norm == "batch" else max(1, int((y >= 0).sum()))
        tot = tot + F.cross_entropy(logits[f], y, ignore_index=-1, reduction="sum") / n
    return tot / len(cfg.fields)


def int_loss(h1, h2, cfg):
    heads = (["base"] if cfg.int_heads == "all" else []) + cfg.names
    return sum(((h1[k] - h2[k]) ** 2).mean() for k in heads) / len(heads)


def touched_sets(cfg, s, t):
    """field -> set of contexts that some cell of the batch uses in either pass"""
    return {f: set(torch.unique(torch.cat([s[:, k], t[:, k]])).tolist()) - {-1} for k, f in enumerate(cfg.names)}
