"""Drives the program that is measured: chunks for training, one training run, one counterfactual file."""
import json
import os
import shutil
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from cells import CONDITION, TYPE

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


class ProgramFailed(RuntimeError):
    pass


def call(command, log):
    """Runs `command` with stdout and stderr appended to the file `log`; throws with its last lines if it fails."""
    with open(log, "a") as out:
        out.write("$ " + " ".join(command) + "\n")
        out.flush()
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT).returncode
    if code:
        with open(log, errors="replace") as text:
            tail = "".join(text.readlines()[-15:])
        raise ProgramFailed(f"{' '.join(command)}\nexit code {code}; the end of {log}:\n{tail}")


def write_training_chunks(cells, split, folder):
    """The split's training cells as one chunk pair with label codes (tools/preprocess_metadata). Does nothing if done before."""
    if os.path.exists(os.path.join(folder, "preproc", "labels.h5")):
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    sp.save_npz(os.path.join(folder, "human_counts_1.npz"), sp.csr_matrix(cells.x[split.train]))
    cells.obs.iloc[split.train].reset_index(drop=True).to_pickle(os.path.join(folder, "human_metadata_1.pkl"))
    with open(os.path.join(folder, "genes.txt"), "w") as out:
        out.writelines(gene + "\n" for gene in cells.genes)
    call([sys.executable, os.path.join(ROOT, "tools", "preprocess_metadata"), "--data-dir", folder, "--include",
          f"{CONDITION},{TYPE}"], os.path.join(folder, "preprocess.log"))


def write_inputs(cells, rows, path):
    if not os.path.exists(path):
        obs = cells.obs.iloc[rows].set_index(pd.Index([f"cell{row}" for row in rows])).astype("category")
        data = anndata.AnnData(sp.csr_matrix(cells.x[rows]), obs=obs, var=pd.DataFrame(index=cells.genes))
        data.write_h5ad(path + ".part")
        os.replace(path + ".part", path)


def train(program, configs, settings, run, log):
    shutil.rmtree(run, ignore_errors=True)
    command = [program, "train", "--config", *configs]
    for key, value in settings.items():
        command += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    call(command, log)


def counterfactual(program, run, inputs, value, read_out, output, log):
    """Generated expression [cells, genes] of every cell of `inputs` under the condition `value`."""
    call([program, "counterfactual", "--checkpoint", run, "--input", inputs, "--set-context", f"{CONDITION}={value}",
          "--read-out", read_out, "--output", output], log)
    made = anndata.read_h5ad(output)
    x = made.X.toarray() if sp.issparse(made.X) else np.asarray(made.X)
    return np.asarray(x, dtype="f4"), list(made.obs_names), list(made.var_names)
