#!/usr/bin/env python3
"""Golden cases of the factor model, from its definition in PyTorch's own layers, distributions and AdamW: factor_golden.py FOLDER [SEED]

Writes NAME.f32.safetensors and NAME.f64.safetensors (the form of `models/golden/factor_case.cpp`): five steps with outputs, every loss,
gradient and moment, both types from the same float32 start; and index.json: how far apart the two are, the worst of this and ROUNDINGS more
float32 runs, since one run may round the same way as float64 by luck. `cellmill golden FOLDER` runs them.

  y = log1p(scale counts / max(total, 1)), x = (y - mean) / sqrt(variance + 1); q(z_g|x) and p(z_g|metadata_g) are networks of residual
  blocks; o = decoder(z), corrected at perturbed genes.
  loss = rec NLL(o) + prior NLL(o of p) + beta sum_g KL(q_g, p_g) + w sum_f CE_f(head_f(z_g(f))) + sum CE_f(adversary(reversed z_g')), each
  a sum over cells divided by the cells.
"""
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.distributions import NegativeBinomial, Normal, kl_divergence

GROUPS = ("biological", "technical", "perturbation")
GENES, CELLS, STEPS = 11, 7, 5
JUDGED = ("out/", "grad0/", "param1/", "param5/", "adam_")
ROUNDINGS = (1, 2, 3)


def field(name, group, size, kind="category", classify=True, embed=0):
    return dict(name=name, group=group, size=size, kind=kind, classify=classify, embed=embed)


FIELDS = [field("cell_type", "biological", 3), field("sex", "biological", 2), field("assay", "technical", 2),
          field("study", "technical", 3, classify=False), field("drug", "perturbation", 3), field("dose", "perturbation", 2, "number")]
DEFAULT = dict(
    n_genes=GENES, fields=FIELDS, dims={"biological": 3, "technical": 2, "perturbation": 2}, likelihood="multinomial", scale=1e4, hidden=5, blocks=1,
    expand=2, prior_hidden=4, prior_blocks=1, act="silu", ln_eps=1e-5, std_eps=1.0, logvar_min=-8.0, logvar_max=8.0, clf_input="sample", w_rec=1.0,
    w_prior=0.0, beta=1.0, anneal_steps=0, w_ce={}, w_ce_default=5.0, w_adv=0.0, adv_hidden=0, n_correction=0, lr=1e-3, betas=[0.9, 0.999],
    eps=1e-8, weight_decay=0.01, clip_norm=0.0)
CASES = {
    "single_cell": dict(w_adv=2.0, adv_hidden=4, beta=0.7, anneal_steps=3, w_ce={"sex": 2.0}),
    "bulk": dict(likelihood="normal", scale=1e6, w_prior=0.4, clf_input="mean", masks=True),
    "negative_binomial": dict(likelihood="nb", fields=[f for f in FIELDS if f["group"] != "technical"][:2] + [field("drug", "perturbation", 3, embed=2)],
                              n_correction=4, blocks=2, prior_blocks=0, act="relu", clip_norm=1.0, w_adv=0.5),
}


def width(f):
    return f["size"] + (f["kind"] == "number")


class Model:
    """Parameters by name, made where they are first used: a first forward pass makes them all."""

    def __init__(self, c, g):
        self.c, self.g, self.p, self.groups = c, g, {}, [x for x in GROUPS if c["dims"].get(x, 0) > 0]

    def parameter(self, name, *shape):
        if name not in self.p:
            spread = 1 / math.sqrt(shape[-1]) if len(shape) == 2 else 0.2
            start = 1.0 if "ln" in name and name.endswith("weight") else 0.0
            self.p[name] = (start + spread * torch.randn(shape, generator=self.g)).requires_grad_()
        return self.p[name]

    def linear(self, name, x, out):
        return F.linear(x, self.parameter(name + ".weight", out, x.shape[1]), self.parameter(name + ".bias", out))

    def norm(self, name, x):
        n = x.shape[1]
        return F.layer_norm(x, (n,), self.parameter(name + ".weight", n), self.parameter(name + ".bias", n), 1e-5)

    def blocks(self, name, count, x, masks):
        act = {"silu": F.silu, "relu": F.relu}[self.c["act"]]
        for i in range(count):
            b = f"{name}.{i}"
            h = act(self.norm(b + ".ln2", self.linear(b + ".fc1", self.norm(b + ".ln1", x), self.c["expand"] * x.shape[1])))
            x = x + self.linear(b + ".fc2", h * masks.get(b, 1), x.shape[1])
        return x

    def gaussian(self, name, h, n):
        mean, log_variance = self.linear(name, h, 2 * n).split(n, 1)
        return mean, log_variance.clamp(-8, 8)

    def y(self, batch):
        return torch.log1p(self.c["scale"] * batch["counts"] / batch["total"].clamp(min=1)[:, None])

    def encode(self, batch, masks):
        x = (self.y(batch) - batch["gene_mean"]) / (batch["gene_var"] + 1).sqrt() * masks.get("enc.input", 1)
        h = self.norm("enc.ln", self.blocks("enc.block", self.c["blocks"], self.linear("enc.in", x, self.c["hidden"]), masks))
        return {x: self.gaussian(f"enc.head.{x}", h, self.c["dims"][x]) for x in self.groups}

    def prior(self, batch, masks):
        found = {}
        for x in self.groups:
            columns = []
            for f in [f for f in self.c["fields"] if f["group"] == x]:
                m = batch["meta." + f["name"]]
                m = torch.cat([m, m @ batch["embedding." + f["name"]]], 1) if f["embed"] else m
                columns.append(m * batch.get("keep." + f["name"], torch.ones(len(m)))[:, None])
            n = self.c["dims"][x]
            if not columns:
                found[x] = 2 * (torch.zeros(len(batch["total"]), n, dtype=batch["total"].dtype),)
                continue
            h = self.norm(f"prior.{x}.in_ln", self.linear(f"prior.{x}.in", torch.cat(columns, 1), self.c["prior_hidden"]))
            h = self.norm(f"prior.{x}.ln", self.blocks(f"prior.{x}.block", self.c["prior_blocks"], h, masks))
            found[x] = self.gaussian(f"prior.{x}.out", h, n)
        return found

    def sample(self, gaussians, eps=None):
        if eps is None:
            return {x: mean for x, (mean, _) in gaussians.items()}
        parts = eps.split([self.c["dims"][x] for x in self.groups], 1)
        return {x: gaussians[x][0] + (gaussians[x][1] / 2).exp() * e for x, e in zip(self.groups, parts)}

    def decode(self, z, batch, masks):
        h = self.linear("dec.in", torch.cat([z[x] for x in self.groups], 1), self.c["hidden"])
        o = self.linear("dec.out", self.norm("dec.ln", self.blocks("dec.block", self.c["blocks"], h, masks)), self.c["n_genes"])
        if self.c["n_correction"]:
            w, b = self.parameter("correction.weight", 4), self.parameter("correction.bias", 4)
            known = (batch["target"] >= 0)[..., None]
            at = F.one_hot(batch["target"].clamp(min=0), self.c["n_genes"]) * known  # [B, T, G]
            o = o + (at * (w[batch["target_kind"]][..., None] * o[:, None] + b[batch["target_kind"]][..., None])).sum(1)
        return o

    def nll(self, o, batch, which="lik.log_var"):
        k, genes = batch["counts"], self.c["n_genes"]
        if self.c["likelihood"] == "normal":
            return -Normal(o, (self.parameter(which, genes) / 2).exp()).log_prob(self.y(batch)).sum(1)
        if self.c["likelihood"] == "multinomial":
            return -(k * o.log_softmax(1)).sum(1)
        log_theta = self.parameter("lik.log_theta", genes)
        log_mean = o.log_softmax(1) + k.sum(1, keepdim=True).clamp(min=1).log()
        return -NegativeBinomial(log_theta.exp(), logits=log_mean - log_theta).log_prob(k).sum(1)

    def heads(self):
        return [f for f in self.c["fields"] if f["classify"] and f["group"] in self.groups]

    def terms(self, batch, noise, step):
        """name -> (value, weight), and the outputs."""
        c, masks, cells = self.c, {k[5:]: v for k, v in noise.items() if k.startswith("mask.")}, len(batch["total"])
        q, p = self.encode(batch, masks), self.prior(batch, masks)
        z = self.sample(q, noise["eps"])
        o = self.decode(z, batch, masks)
        nll = self.nll(o, batch)
        terms = {"rec": (nll, c["w_rec"])}
        if c["w_prior"]:
            generated = self.decode(self.sample(p, noise["eps_prior"]), batch, {})
            terms["rec_prior"] = (self.nll(generated, batch, "lik.log_var_prior"), c["w_prior"])
        beta = c["beta"] * (min(1, step / c["anneal_steps"]) if c["anneal_steps"] else 1)
        for x in self.groups:
            normal = lambda mean, log_variance: Normal(mean, (log_variance / 2).exp())
            terms["kl." + x] = (kl_divergence(normal(*q[x]), normal(*p[x])).sum(1), beta)
        read = z if c["clf_input"] == "sample" else self.sample(q)

        def cross_entropy(logits, m):
            return F.cross_entropy(logits, m / m.sum(1, keepdim=True).clamp(min=1), reduction="none")

        for f in self.heads():
            m, name = batch["meta." + f["name"]], f["name"]
            loss = cross_entropy(self.linear("clf." + name, read[f["group"]], f["size"]), m[:, :f["size"]])
            if f["kind"] == "number":
                value = self.linear(f"clf.{name}.value", read[f["group"]], 1)[:, 0]
                loss = loss + m[:, :f["size"]].sum(1) * F.mse_loss(value, m[:, -1], reduction="none") / 2
            terms["ce." + name] = (loss, c["w_ce"].get(name, c["w_ce_default"]))
        for f in c["fields"] if c["w_adv"] else []:
            for x in [x for x in self.groups if x != f["group"] and f["classify"] and f["kind"] == "category"]:
                h = read[x] * -c["w_adv"] + (read[x] * (1 + c["w_adv"])).detach()  # itself; its gradient times -w_adv
                name = f"adv.{f['name']}.{x}"
                if c["adv_hidden"]:
                    h = {"silu": F.silu, "relu": F.relu}[c["act"]](self.linear(name + ".fc1", h, c["adv_hidden"]))
                terms[name] = (cross_entropy(self.linear(name + ".out", h, f["size"]), batch["meta." + f["name"]]), 1)
        return {k: (v.sum() / cells, w) for k, (v, w) in terms.items()}, dict(q=q, prior=p, decoded=o, nll=nll)


def draw(c, g, step, const):
    """A batch and its noise, float32. A cell without counts, missing labels, a label of two values."""
    shown = lambda share, *shape: (torch.rand(shape, generator=g) < share).float()
    counts = torch.floor(torch.rand(CELLS, GENES, generator=g) * (300 if c["scale"] > 1e5 else 6)) * shown(0.6, CELLS, GENES)
    counts[step % CELLS] = 0
    batch = dict(counts=counts, total=counts.sum(1) + torch.randint(0, 30, (CELLS,), generator=g), **const)
    for f in c["fields"]:
        m = torch.zeros(CELLS, width(f))
        m[torch.arange(CELLS), torch.randint(0, f["size"], (CELLS,), generator=g)] = 1
        if f["kind"] == "number":
            m[:, -1] = torch.randn(CELLS, generator=g)
        elif f["name"] == "cell_type":
            m[2, :2] = 1
        batch["meta." + f["name"]] = m * shown(0.7, CELLS, 1)
        if c.get("masks"):
            batch["keep." + f["name"]] = shown(0.7, CELLS)
    if c["n_correction"]:
        batch["target"] = torch.randint(-1, GENES, (CELLS, 2), generator=g)
        batch["target_kind"] = torch.randint(0, 4, (CELLS, 2), generator=g)
    latent = sum(c["dims"].values())
    noise = {"eps": torch.randn(CELLS, latent, generator=g), **({"eps_prior": torch.randn(CELLS, latent, generator=g)} if c["w_prior"] else {})}
    if c.get("masks"):
        places = {"enc.input": GENES, "enc.block.0": 2 * c["hidden"], "dec.block.0": 2 * c["hidden"],
                  **{f"prior.{x}.block.0": 2 * c["prior_hidden"] for x in GROUPS}}
        noise.update({"mask." + place: shown(0.75, CELLS, n) / 0.75 for place, n in places.items()})
    return batch, noise


def case(name, c, dtype, seed, rounding=0):
    """The tensors of a case and its header; `rounding`: from parameters that differ by rounding, another way each number."""
    g = torch.Generator().manual_seed(seed)
    cast = lambda d: {k: v.to(dtype) if v.is_floating_point() else v for k, v in d.items()}
    const = {"gene_mean": torch.rand(GENES, generator=g) * 3, "gene_var": torch.rand(GENES, generator=g) + 0.05}
    const.update({"embedding." + f["name"]: torch.randn(f["size"], f["embed"], generator=g) for f in c["fields"] if f["embed"]})
    steps = [draw(c, g, step, const) for step in range(STEPS)]
    model = Model(c, g)
    model.terms(*steps[0], 0)  # makes the parameters, in float32
    model.p = {k: v.detach().to(dtype).requires_grad_() for k, v in model.p.items()}
    if rounding:
        other = torch.Generator().manual_seed(rounding)
        model.p = {k: (v.detach() * (1 + torch.randn(v.shape, generator=other) * 2**-24)).requires_grad_() for k, v in model.p.items()}
    matrices, rest = ([v for v in model.p.values() if (v.dim() == 2) == wanted] for wanted in (True, False))
    optimiser = torch.optim.AdamW([dict(params=matrices), dict(params=rest, weight_decay=0)], lr=c["lr"], betas=c["betas"], eps=c["eps"],
                                  weight_decay=c["weight_decay"])
    out = {}
    put = lambda key, value: out.__setitem__(key, value.detach().clone().contiguous())
    for key, value in {**{"const/" + k: v for k, v in cast(const).items()}, **{"param0/" + k: v for k, v in model.p.items()}}.items():
        put(key, value)
    losses = {}
    for step, (batch, noise) in enumerate(steps):
        batch, noise = cast(batch), cast(noise)
        for kind, tensors in (("batch", batch), ("noise", noise)):
            for key, value in tensors.items():
                if key not in const:
                    put(f"{kind}{step}/{key}", value)
        optimiser.zero_grad(set_to_none=False)
        terms, found = model.terms(batch, noise, step)
        total = sum(w * v for v, w in terms.values())
        total.backward()
        for key, value in {**{k: v for k, (v, _) in terms.items()}, "total": total}.items():
            losses.setdefault(key, []).append(value.item())
        if step == 0:
            for x in model.groups:
                for which in ("q", "prior"):
                    put(f"out/{which}.{x}.mean", found[which][x][0])
                    put(f"out/{which}.{x}.logvar", found[which][x][1])
            put("out/decoded", found["decoded"])
            put("out/nll", found["nll"])
            q, p = model.encode(batch, {}), model.prior(batch, {})
            for f in model.heads():
                put("out/prob." + f["name"], model.linear("clf." + f["name"], q[f["group"]][0], f["size"]).softmax(1))
            put("out/generated", model.decode(model.sample(p), batch, {}))
            put("out/generated_from_reference", model.decode(model.sample({x: (p if x == "perturbation" else q)[x] for x in model.groups}), batch, {}))
            for key, value in model.p.items():
                put("grad0/" + key, torch.zeros_like(value) if value.grad is None else value.grad)
        if c["clip_norm"]:
            torch.nn.utils.clip_grad_norm_(model.p.values(), c["clip_norm"])
        optimiser.step()
        for key, value in model.p.items() if step in (0, STEPS - 1) else ():
            put(f"param{step + 1}/{key}", value)
    for key, value in model.p.items():
        put(f"adam_m{STEPS}/{key}", optimiser.state[value]["exp_avg"])
        put(f"adam_v{STEPS}/{key}", optimiser.state[value]["exp_avg_sq"])
    out.update({"loss/" + k: torch.tensor(v, dtype=torch.float64) for k, v in losses.items()})
    config = {k: v for k, v in c.items() if k != "masks"}
    return out, {"case": name, "config": json.dumps(config), "format": "factor-golden-1", "torch": torch.__version__}


def apart(single, double):
    """The largest relative distance of a tensor from the same one in float64."""
    judged = [k for k, v in double.items() if k.startswith(JUDGED) and v.norm() > 1e-6]
    return max(((single[k].double() - double[k]).norm() / double[k].norm()).item() for k in judged)


def main(folder, seed=11):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    index = {}
    for number, (name, changes) in enumerate(CASES.items()):
        c = {**DEFAULT, **changes}
        tensors = {}
        for dtype, tag in ((torch.float32, "f32"), (torch.float64, "f64")):
            tensors[tag], header = case(name, c, dtype, int(seed) + number)
            save_file(tensors[tag], str(folder / f"{name}.{tag}.safetensors"), header)
        single = [tensors["f32"], *(case(name, c, torch.float32, int(seed) + number, rounding)[0] for rounding in ROUNDINGS)]
        index[name] = {"f32_vs_f64_worst_rel": max(apart(s, tensors["f64"]) for s in single)}
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
