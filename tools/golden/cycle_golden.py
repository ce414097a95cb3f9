#!/usr/bin/env python3
"""Golden cases of the cycle autoencoder, from its definition in plain PyTorch: cycle_golden.py FOLDER [SEED]

Writes NAME.f32.safetensors and NAME.f64.safetensors: five steps with every output, loss, gradient, moment and step count,
both types from the same float32 start. `cellmill golden FOLDER` runs them. Needs torch, numpy, safetensors.

  pass(X, in, out): h_0 = X W^T, y_0 = h_0 W;  h_f = X E_f^T + a_f (through FFN_{f,in} with two sides);
                    y_f = [label known] scale (FFN_{f,out}(h_f) D_f^T + d_f);  output = sum of all y
  X_st = pass(X, s, t), X_sts = pass(X_st, t, s); losses and steps as below.
"""
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

GENES, LATENT, CELLS = 16, 3, 6
DEFAULT = dict(
    n_genes=GENES, latent=LATENT, fields={"assay": 2, "cell_type": 4}, ffn="mlp", mode="target_ffn", int_hidden="content",
    int_heads="all", enc_bias=True, dec_bias=True, clf_hidden=[5], scale=0.0159, rec_reduction="sum", ce_norm="batch",
    w_rec=1.0, w_int=1.0, w_tgt=1.0, lr=1e-3, lr_clf=1e-3, betas=[0.9, 0.999], eps=1e-8, pool_update="lazy")
CASES = {
    "basic": {},
    "missing_labels": dict(missing=0.4, ce_norm="valid"),
    "two_sides": dict(missing=0.3, mode="two_side_shared", ffn="linear_relu", enc_bias=False, dec_bias=False),
    "absent_context": dict(absent=True, rec_reduction="mean", int_heads="fields", w_rec=3.0, w_int=0.5, w_tgt=2.0, scale=1.0),
}


def start(c, g):
    """Parameters by name, float32."""
    k = lambda fan, *shape: (torch.rand(*shape, generator=g) * 2 - 1) / math.sqrt(fan)
    p = {"base.weight": torch.rand(LATENT, GENES, generator=g) * 2 / math.sqrt(GENES * LATENT)}
    for f, n in c["fields"].items():
        p[f"enc.{f}.weight"] = k(GENES, LATENT, GENES)
        p[f"dec.{f}.weight"] = k(LATENT, GENES, LATENT)
        if c["enc_bias"]:
            p[f"enc.{f}.bias"] = k(GENES, LATENT)
        if c["dec_bias"]:
            p[f"dec.{f}.bias"] = k(LATENT, GENES)
        for layer in (1, 2) if c["ffn"] == "mlp" else (1,):
            p[f"ffn.{f}.w{layer}"] = k(LATENT, n, LATENT, LATENT)
            p[f"ffn.{f}.b{layer}"] = k(LATENT, n, LATENT)
    q, width = {}, GENES
    for i, h in enumerate(c["clf_hidden"]):
        q[f"clf.trunk.{i}.weight"], q[f"clf.trunk.{i}.bias"], width = k(width, h, width), k(width, h), h
    for f, n in c["fields"].items():
        q[f"clf.head.{f}.weight"], q[f"clf.head.{f}.bias"] = k(width, n, width), k(width, n)
    return p, q


def ffn(c, p, f, h, context):
    """Row i through the network of context[i]; rows without a context stay as they are."""
    pick = context.clamp(min=0)
    z = torch.relu(torch.einsum("bij,bj->bi", p[f"ffn.{f}.w1"][pick], h) + p[f"ffn.{f}.b1"][pick])
    if c["ffn"] == "mlp":
        z = torch.einsum("bij,bj->bi", p[f"ffn.{f}.w2"][pick], z) + p[f"ffn.{f}.b2"][pick]
    return torch.where((context >= 0)[:, None], z, h)


def generator_pass(c, p, x, inside, outside):
    h = x @ p["base.weight"].T
    hidden, parts = {"base": h}, {"base": h @ p["base.weight"]}
    for k, f in enumerate(c["fields"]):
        h = F.linear(x, p[f"enc.{f}.weight"], p.get(f"enc.{f}.bias"))
        if c["mode"] == "two_side_shared":
            h = ffn(c, p, f, h, inside[:, k])
        known = (outside[:, k] >= 0).to(x.dtype)[:, None]
        y = F.linear(ffn(c, p, f, h, outside[:, k]), p[f"dec.{f}.weight"], p.get(f"dec.{f}.bias"))
        hidden[f], parts[f] = h, known * c["scale"] * y
    return sum(parts.values()), hidden, parts


def logits(c, q, x):
    for i in range(len(c["clf_hidden"])):
        x = torch.relu(F.linear(x, q[f"clf.trunk.{i}.weight"], q[f"clf.trunk.{i}.bias"]))
    return {f: F.linear(x, q[f"clf.head.{f}.weight"], q[f"clf.head.{f}.bias"]) for f in c["fields"]}


def label_loss(c, scores, labels):
    total = 0.0
    for k, f in enumerate(c["fields"]):
        y = labels[:, k]
        over = len(y) if c["ce_norm"] == "batch" else max(1, int((y >= 0).sum()))
        total = total + F.cross_entropy(scores[f], y, ignore_index=-1, reduction="sum") / over
    return total / len(c["fields"])


def losses(c, p, q, x, s, t):
    first, h1, parts = generator_pass(c, p, x, s, t)
    second, h2, _ = generator_pass(c, p, first, t, s)
    square = (second - x) ** 2
    rec = square.mean() if c["rec_reduction"] == "mean" else square.sum(1).mean()
    heads = [h for h in h1 if h != "base" or c["int_heads"] == "all"]
    integration = sum(((h1[h] - h2[h]) ** 2).mean() for h in heads) / len(heads)
    frozen = logits(c, {k: v.detach() for k, v in q.items()}, first)
    real = logits(c, q, x)
    target, classifier = label_loss(c, frozen, t), label_loss(c, real, s)
    total = c["w_rec"] * rec + c["w_int"] * integration + c["w_tgt"] * target
    outputs = {"Xst": first, "Xsts": second}
    for h in h1:
        outputs |= {f"hidden1/{h}": h1[h], f"hidden2/{h}": h2[h], f"contrib1/{h}": parts[h],
                    f"head_norm1/{h}": parts[h].norm(dim=1).mean()}
    for f in c["fields"]:
        outputs |= {f"logits_target/{f}": frozen[f], f"logits_real/{f}": real[f]}
    return dict(rec=rec, int=integration, tgt=target, clf=classifier, gen=total), outputs


class Adam:
    """Written out; contexts that the batch does not touch keep value, moments and step count."""

    def __init__(self, parameters, c, lr):
        self.p, self.c, self.lr = parameters, c, lr
        self.m = {k: torch.zeros_like(v) for k, v in parameters.items()}
        self.v = {k: torch.zeros_like(v) for k, v in parameters.items()}
        self.n = {k: [0] * (len(v) if k.startswith("ffn") else 1) for k, v in parameters.items()}

    @torch.no_grad()
    def step(self, touched):
        (b1, b2), eps = self.c["betas"], self.c["eps"]
        for k, p in self.p.items():
            rows = touched[k.split(".")[1]] if k.startswith("ffn") else [None]
            for r in rows:
                at = slice(None) if r is None else r
                self.n[k][r or 0] += 1
                n = self.n[k][r or 0]
                self.m[k][at] = b1 * self.m[k][at] + (1 - b1) * p.grad[at]
                self.v[k][at] = b2 * self.v[k][at] + (1 - b2) * p.grad[at] ** 2
                root = (self.v[k][at] / (1 - b2**n)).sqrt() + eps
                p[at] -= self.lr * self.m[k][at] / (1 - b1**n) / root


def batch(c, step, g):
    keep = torch.rand(CELLS, GENES, generator=g) < 0.4
    x = torch.where(keep, torch.rand(CELLS, GENES, generator=g) * 4, torch.zeros(()))
    counts = list(c["fields"].values())
    draw = lambda: torch.stack([torch.randint(0, n, (CELLS,), generator=g) for n in counts], 1)
    s, t = draw(), draw()
    if c.get("absent"):  # the last cell type never, the one before it only as a target of step 2
        s[:, 1], t[:, 1] = s[:, 1] % 2, t[:, 1] % 2
        if step == 2:
            t[0, 1] = 2
    off = torch.rand(s.shape, generator=g) < c.get("missing", 0.0)
    return x, s.masked_fill(off, -1), t.masked_fill(off, -1)


def case(c, dtype, seed):
    g = torch.Generator().manual_seed(seed)
    p, q = ({k: v.to(dtype).requires_grad_() for k, v in d.items()} for d in start(c, g))
    tensors, curve = {}, {k: [] for k in ("rec", "int", "tgt", "clf", "gen")}
    put = lambda name, value: tensors.__setitem__(name, value.detach().clone().contiguous())
    for k, v in (p | q).items():
        put(f"param0/{k}", v)
    optimisers = Adam(p, c, c["lr"]), Adam(q, c, c["lr_clf"])
    for step in range(5):
        x, s, t = batch(c, step, g)
        row, column = x.nonzero(as_tuple=True)
        put(f"batch{step}/indptr", torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(row, minlength=CELLS).cumsum(0)]))
        put(f"batch{step}/indices", column)
        put(f"batch{step}/values", x[row, column].to(dtype))
        put(f"batch{step}/source", s)
        put(f"batch{step}/target", t)
        terms, outputs = losses(c, p, q, x.to(dtype), s, t)
        for v in (p | q).values():
            v.grad = torch.zeros_like(v)
        terms["gen"].backward()
        terms["clf"].backward()
        for k in curve:
            curve[k].append(float(terms[k].detach()))
        if step == 0:
            for k, v in outputs.items():
                put(f"out/{k}", v)
            for k, v in (p | q).items():
                put(f"grad0/{k}", v.grad)
        touched = {f: sorted(set(torch.cat([s[:, k], t[:, k]]).tolist()) - {-1}) for k, f in enumerate(c["fields"])}
        for optimiser in optimisers:
            optimiser.step(touched)
        with torch.no_grad():
            p["base.weight"].clamp_(min=0)
        if step in (0, 4):
            for o in optimisers:
                for k, v in o.p.items():
                    put(f"param{step + 1}/{k}", v)
                    put(f"adam_m{step + 1}/{k}", o.m[k])
                    put(f"adam_v{step + 1}/{k}", o.v[k])
    for k, v in curve.items():
        tensors[f"loss/{k}"] = torch.tensor(v, dtype=torch.float64)
    for k in p:
        if k.startswith("ffn"):
            tensors[f"adam_step5/{k}"] = torch.tensor(optimisers[0].n[k])
    return tensors


def main():
    folder, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for i, (name, change) in enumerate(CASES.items()):
        c = DEFAULT | change
        for dtype, tag in ((torch.float32, "f32"), (torch.float64, "f64")):
            metadata = {"case": name, "config": json.dumps(c), "format": "cae-golden-1"}
            save_file(case(c, dtype, 1000 * seed + i), folder / f"{name}.{tag}.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
