"""scVI on the same cells: what a user would train instead.

    peer_scvi.py DATA [--latent 128 --hidden 128 --batch 512 --epochs 3 --threads 2]

Counts are taken back from log1p values. One JSON line; the spread is over epochs, the first left out.
"""

import argparse, glob, json, resource, time, warnings

warnings.filterwarnings("ignore")
import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp
import scvi
import torch
from lightning.pytorch.callbacks import Callback


class EpochTimes(Callback):
    def __init__(self):
        self.seconds = []

    def on_train_epoch_start(self, *_):
        self.start = time.perf_counter()

    def on_train_epoch_end(self, *_):
        self.seconds.append(time.perf_counter() - self.start)


def load(folder, most):
    expression, labels = [], []
    for file in sorted(glob.glob(folder + "/*.npz")):
        expression.append(sp.load_npz(file))
        labels.append(pd.read_pickle(file[:-4] + ".pkl"))
    x = sp.vstack(expression).tocsr()
    x.data = np.maximum(np.round(np.expm1(x.data)), 1).astype("f4")
    obs = pd.concat(labels).reset_index(drop=True)
    obs.index = obs.index.astype(str)
    return anndata.AnnData(x, obs=obs)[:most].copy()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data")
    for name, default in (("latent", 128), ("hidden", 128), ("batch", 512), ("epochs", 3), ("threads", 2), ("cells", 4096)):
        options.add_argument("--" + name, type=int, default=default)
    o = options.parse_args()
    torch.set_num_threads(o.threads)
    cells = load(o.data, o.cells)
    covariates = [column for column in cells.obs.columns if column != "assay"]
    scvi.model.SCVI.setup_anndata(cells, batch_key="assay", categorical_covariate_keys=covariates)
    model = scvi.model.SCVI(cells, n_latent=o.latent, n_hidden=o.hidden, n_layers=1)
    times = EpochTimes()
    model.train(
        max_epochs=o.epochs, batch_size=o.batch, train_size=1.0, accelerator="cpu",
        enable_progress_bar=False, callbacks=[times], logger=False,
    )  # fmt: skip
    seconds = sorted(times.seconds[1:])
    line = {"scvi": scvi.__version__, "cells": cells.n_obs, "genes": cells.n_vars, "batch": o.batch, "latent": o.latent}
    line["parameters"] = sum(p.numel() for p in model.module.parameters())
    for name, second in (("min", seconds[-1]), ("med", seconds[len(seconds) // 2]), ("max", seconds[0])):
        line["cells_s_" + name] = cells.n_obs / second
    line["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(line))


if __name__ == "__main__":
    main()
