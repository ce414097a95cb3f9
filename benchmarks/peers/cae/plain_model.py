"""The plain PyTorch program: a module a context, dense rows, a Python loop over the contexts of a batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from cycle_model import int_loss, multi_ce


class FFN(nn.Module):
    def __init__(self, latent, kind):
        super().__init__()
        self.w1 = nn.Linear(latent, latent)
        self.w2 = nn.Linear(latent, latent) if kind == "mlp" else None

    def forward(self, x):
        x = torch.relu(self.w1(x))
        return x if self.w2 is None else self.w2(x)


class FieldHead(nn.Module):
    def __init__(self, cfg, C):
        super().__init__()
        self.enc = nn.Linear(cfg.n_genes, cfg.latent, bias=cfg.enc_bias)
        self.dec = nn.Linear(cfg.latent, cfg.n_genes, bias=cfg.dec_bias)
        self.pool = nn.ModuleList(FFN(cfg.latent, cfg.ffn) for _ in range(C))
        self.scale = cfg.scale

    def forward(self, x, ctx):
        h = self.enc(x)
        u = torch.zeros_like(h)
        for c in torch.unique(ctx).tolist():  # group the batch by context, one FFN per group
            if c >= 0:
                idx = torch.nonzero(ctx == c, as_tuple=True)[0]
                u = u.index_copy(0, idx, self.pool[c](h.index_select(0, idx)).to(u.dtype))
        out = self.scale * self.dec(u)
        if (ctx < 0).any():
            out = out * (ctx >= 0).to(out.dtype)[:, None]
        return out, h


class NaiveCAE(nn.Module):
    """Mode "target_ffn" only."""

    def __init__(self, cfg):
        super().__init__()
        assert cfg.mode == "target_ffn" and cfg.int_hidden == "content"
        self.cfg = cfg
        self.base = nn.Parameter(torch.empty(cfg.latent, cfg.n_genes))
        self.heads = nn.ModuleDict({f: FieldHead(cfg, C) for f, C in cfg.fields.items()})

    def run(self, x, ctx):
        h = x @ self.base.T
        hidden, out = {"base": h}, h @ self.base
        for k, (f, head) in enumerate(self.heads.items()):
            xf, hidden[f] = head(x, ctx[:, k])
            out = out + xf
        return out, hidden

    def forward(self, x, s, t, clf):
        """The whole cycle, so that DDP sees one forward.  clf: the classifier, its parameters frozen by the caller."""
        cfg = self.cfg
        xst, h1 = self.run(x, t)
        xsts, h2 = self.run(xst, s)
        rec = F.mse_loss(xsts, x) * (1 if cfg.rec_reduction == "mean" else x.shape[1])
        integ = int_loss(h1, h2, cfg)
        tgt = multi_ce(clf(xst), t, cfg)
        return cfg.w_rec * rec + cfg.w_int * integ + cfg.w_tgt * tgt, torch.stack([rec, integ, tgt]).detach()

    @torch.no_grad()
    def project(self):
        self.base.clamp_(min=0)

    def canon_map(self):
        """canonical name -> list of (parameter, index into the stacked dimension or None)"""
        m = {"base.weight": [(self.base, None)]}
        for f, h in self.heads.items():
            for a in ("enc", "dec"):
                lin = getattr(h, a)
                m[f"{a}.{f}.weight"] = [(lin.weight, None)]
                if lin.bias is not None:
                    m[f"{a}.{f}.bias"] = [(lin.bias, None)]
            for j in ("1", "2"):
                if j == "2" and self.cfg.ffn != "mlp":
                    continue
                m[f"ffn.{f}.w{j}"] = [(getattr(p, "w" + j).weight, c) for c, p in enumerate(h.pool)]
                m[f"ffn.{f}.b{j}"] = [(getattr(p, "w" + j).bias, c) for c, p in enumerate(h.pool)]
        return m

    @torch.no_grad()
    def load_canonical(self, p):
        for n, lst in self.canon_map().items():
            for q, c in lst:
                q.copy_(p[n] if c is None else p[n][c])

    def canonical(self, grad=False):
        out = {}
        for n, lst in self.canon_map().items():
            v = [(q.grad if q.grad is not None else torch.zeros_like(q)) if grad else q.detach() for q, _ in lst]
            out[n] = v[0].clone() if lst[0][1] is None else torch.stack(v)
        return out


class Classifier(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        dims = [cfg.n_genes, *cfg.clf_hidden]
        self.trunk = nn.ModuleList(nn.Linear(a, b) for a, b in zip(dims[:-1], dims[1:]))
        self.head = nn.ModuleDict({f: nn.Linear(dims[-1], C) for f, C in cfg.fields.items()})

    def forward(self, x):
        for lin in self.trunk:
            x = torch.relu(lin(x))
        return {f: h(x) for f, h in self.head.items()}

    @torch.no_grad()
    def load_canonical(self, q):
        for n, p in self.named_parameters():
            p.copy_(q["clf." + n])

    def canonical(self, grad=False):
        return {"clf." + n: (p.grad if grad else p).detach().clone() for n, p in self.named_parameters()}
