"""A factor model that cellmill trained, read from its checkpoint and stated in plain PyTorch: what a user would serve.

    python model.py CHECKPOINT            # its fields, latents and the sum of its weights
"""
import pathlib
import re
import sys

import h5py
import torch
import torch.nn.functional as F

# Fields of the default schema, in the model's order.
LATENTS = {
    "biological": ("age", "sex", "tissue", "cell_type", "cell_line", "disease", "sample_type"),
    "technical": ("library_selection", "library_layout", "instrument", "assay", "study"),
    "perturbation": ("perturbation", "perturbation_type", "dose", "time"),
}


def newest(run):
    """The newest checkpoint of a run folder, or the folder itself if it is one."""
    run = pathlib.Path(run)
    return run if (run / "state.h5").exists() else max(run.glob("checkpoints/step-*"))


class FactorModel:
    def __init__(self, run):
        with h5py.File(newest(run) / "state.h5") as file:
            self.weights = {}
            for folder in ("model", "model_buffer"):
                file[f"tensors/{folder}"].visititems(
                    lambda name, item: self.weights.update({name: torch.from_numpy(item[()])}) if isinstance(item, h5py.Dataset) else None
                )
            text = lambda value: value.decode() if isinstance(value, bytes) else value
            self.genes = [text(gene) for gene in file["lists/genes"][()]]
            names = [text(name) for name in file["lists/fields"][()]]
            self.labels = {name: sorted((text(c) for c in file[f"lists/categories/{name}"][()]), key=str.encode) for name in names}
            config = text(file["texts/config"][()])
        self.bulk = bool(re.search(r"modality: *\"?bulk", config))
        self.normal = "lik.log_var" in self.weights
        self.group = {field: group for group, fields in LATENTS.items() for field in fields if field in names}
        self.deviation = (self.weights["gene_variance"] + 1).sqrt()
        self.temperature = dict(zip(self.group, self.weights["temperatures"].tolist()))

    def linear(self, name, x):
        return F.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[1:], self.weights[name + ".weight"], self.weights[name + ".bias"])

    def block(self, name, x):
        h = F.silu(self.norm(name + ".ln2", self.linear(name + ".fc1", self.norm(name + ".ln1", x))))
        return x + self.linear(name + ".fc2", h)

    @torch.inference_mode()
    def predict(self, counts):
        """[B, genes] -> means of the latents, probabilities by field, counts at each sample's own depth."""
        total = counts.sum(1, keepdim=True)
        y = torch.log1p(counts * ((1e6 if self.bulk else 1e4) / total.clamp_min(1)))
        h = self.linear("enc.in", (y - self.weights["gene_mean"]) / self.deviation)
        h = self.norm("enc.ln", self.block("enc.block.0", h))
        z = {g: self.linear("enc.head." + g, h).chunk(2, 1)[0] for g in LATENTS if f"enc.head.{g}.weight" in self.weights}
        p = {f: (self.linear("clf." + f, z[self.group[f]]) / self.temperature[f]).softmax(1) for f in self.labels}
        o = self.linear("dec.in", torch.cat(list(z.values()), 1))
        o = self.linear("dec.out", self.norm("dec.ln", self.block("dec.block.0", o)))
        share = F.normalize(o.expm1().clamp_min(0), p=1, dim=1) if self.normal else o.softmax(1)
        return z, p, (share * total).round().to(torch.int32)


if __name__ == "__main__":
    model = FactorModel(sys.argv[1])
    print(len(model.genes), model.group, sum(float(w.double().sum()) for w in model.weights.values()))
