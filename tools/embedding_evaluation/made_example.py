"""Made cells and a made model, for trying things where there are no others: five classes of which each but the control raises genes of its
own, and a tiny rank encoder with random weights that knows these genes."""

import json
import pathlib

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

SAYS = ("No --data and no --model: these are MADE cells (planted perturbations) and a tiny model with RANDOM weights. The run shows that "
        "everything works, and what it writes; its figures say nothing about any real model or cell.")  # fmt: skip
CLASSES = ["control", "made_A", "made_B", "made_C", "made_D"]
_CELLS, _GENES, _RAISED = 600, 1200, 60
_CONFIG = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128, "max_position_embeddings": 2048,
           "hidden_act": "relu", "hidden_dropout_prob": 0.02, "attention_probs_dropout_prob": 0.02}  # fmt: skip


def make(folder, seed):
    """-> (cells.h5ad, folder of the model) in `folder`; what is there is kept."""
    folder = pathlib.Path(folder)
    cells, model = folder / "cells.h5ad", folder / "model"
    if not (model / "genes.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        made = _cells(np.random.default_rng(seed))
        made.write_h5ad(cells)
        _model(model, made, seed)
    return cells, model


def _cells(random):
    code = random.permutation(np.arange(_CELLS) % len(CLASSES))
    level = random.gamma(0.4, 1.0, _GENES)
    raised = np.ones((len(CLASSES), _GENES))
    for kind in range(1, len(CLASSES)):
        raised[kind, random.choice(_GENES, _RAISED, replace=False)] = 4
    mean = level * raised[code] * random.lognormal(0, 0.3, (_CELLS, 1))
    names = [f"ENSG{90_000_000_000 + gene:011d}" for gene in range(_GENES)]
    return anndata.AnnData(sp.csr_matrix(random.poisson(mean).astype("f4")), var=pd.DataFrame(index=names),
                           obs=pd.DataFrame({"perturbation": pd.Categorical(np.array(CLASSES)[code])}, index=[f"made_{i}" for i in range(_CELLS)]))  # fmt: skip


def _model(folder, cells, seed):
    import torch
    import transformers

    scaled = sp.diags(1e4 / np.maximum(np.asarray(cells.X.sum(1)).ravel(), 1)) @ cells.X
    columns = scaled.tocsc()
    expressed = [columns.data[columns.indptr[gene] : columns.indptr[gene + 1]] for gene in range(columns.shape[1])]
    medians = {name: float(np.median(values)) for name, values in zip(cells.var_names, expressed, strict=True) if len(values)}
    tokens = {name: token for token, name in enumerate(["<pad>", "<mask>", *medians])}
    torch.manual_seed(seed)
    config = transformers.BertConfig(vocab_size=len(tokens), pad_token_id=0, layer_norm_eps=1e-12, **_CONFIG)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    (folder / "genes.json").write_text(json.dumps({"tokens": tokens, "medians": medians}))
