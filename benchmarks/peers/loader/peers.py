"""The loaders that a user would pick instead: PEERS maps a name to the files that it reads and a factory(out, batch, dense) of
an iterator function over (X, label codes); X is torch sparse CSR or dense float32 on the host.

  seed_naive, seed_batch, seed_batch_npzc, seed_batch_w0   two nested torch DataLoaders (chunks, then cells): a cell or a batch an
      item; stored or deflated npz; without a worker process
  annbatch, annbatch_512, _64, _1   annbatch over its pre-shuffled zarr, chunk 256 x preload 32 and others
  scdataset, _b16, _b256, _w2, _gz  scDataset over h5ad: block 64, fetch 16,384; 2 workers; gzip
  annloader, scdl, scdl_w2, soma    anndata's AnnLoader, BioNeMo SCDL, TileDB-SOMA
  ram_scipy                         everything in memory: no loader, a ceiling for scipy
"""

import glob, json
import numpy as np
import torch

OBS = ["assay", "cell_type", "sex", "tissue", "dataset_id"]


def meta(out):
    return json.load(open(out + "/meta.json"))


def tcsr(x):
    return torch.sparse_csr_tensor(torch.from_numpy(x.indptr), torch.from_numpy(x.indices), torch.from_numpy(x.data), size=x.shape)


def emit(x, dense):
    return torch.from_numpy(x.toarray()) if dense else tcsr(x)


class ChunkFiles(torch.utils.data.Dataset):
    def __init__(self, d):
        self.x = sorted(glob.glob(d + "/expression_*.npz"))
        self.m = sorted(glob.glob(d + "/metadata_*.pkl"))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        import scipy.sparse as sp, pandas as pd

        return sp.load_npz(self.x[i]), pd.read_pickle(self.m[i])


class Cells(torch.utils.data.Dataset):  # one cell per item, default collate: what one writes first
    def __init__(self, x, obs):
        self.x, self.c = x, torch.from_numpy(np.stack([obs[k].cat.codes.to_numpy(np.int64) for k in OBS], 1))

    def __len__(self):
        return self.x.shape[0]

    def __getitem__(self, i):
        return torch.from_numpy(self.x[i].toarray()[0]), self.c[i]


class Batches(torch.utils.data.Dataset):  # a batch of indices per item: the better-written variant
    def __init__(self, x, obs, dense):
        self.x, self.dense = x, dense
        self.c = torch.from_numpy(np.stack([obs[k].cat.codes.to_numpy(np.int64) for k in OBS], 1))

    def __len__(self):
        return self.x.shape[0]

    def __getitem__(self, idx):
        return emit(self.x[idx], self.dense), self.c[idx]


def seed(d, B, dense, naive, workers=1):
    from torch.utils.data import DataLoader, BatchSampler, RandomSampler

    def it():
        outer = DataLoader(
            ChunkFiles(d),
            batch_size=1,
            shuffle=True,
            num_workers=workers,
            prefetch_factor=1 if workers else None,
            collate_fn=lambda b: b[0],
        )
        for x, obs in outer:
            if naive:
                yield from DataLoader(Cells(x, obs), batch_size=B, shuffle=True)
            else:
                ds = Batches(x, obs, dense)
                yield from DataLoader(ds, batch_size=None, sampler=BatchSampler(RandomSampler(ds), B, False))

    return it


def annbatch(out, B, dense, chunk, pre, todense=False):
    import zarr

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    import anndata as ad
    from annbatch import Loader, DatasetCollection

    def load(g):
        return ad.AnnData(X=ad.io.sparse_dataset(g["X"]), obs=ad.io.read_elem(g["obs"])[OBS])

    l = Loader(
        chunk_size=chunk,
        preload_nchunks=pre,
        batch_size=B,
        shuffle=True,
        preload_to_gpu=False,
        to=None if dense and not todense else "torch",
        rng=np.random.default_rng(1),
    )
    l.use_collection(DatasetCollection(out + "/annbatch.zarr"), load_adata=load)

    def it():
        for b in l:
            o = b["obs"]
            x = b["X"]  # scipy's toarray beats torch's CSR to_dense on a CPU, so dense uses it
            yield (x if not dense else x.to_dense() if todense else torch.from_numpy(x.toarray())), torch.from_numpy(
                np.stack([o[k].cat.codes.to_numpy(np.int64) for k in OBS], 1)
            )

    return it


class Rows:  # what a fetch yields: CSR + label codes, indexable by numpy
    def __init__(self, x, c):
        self.x, self.c = x, c

    def __len__(self):
        return self.x.shape[0]

    def __getitem__(self, i):
        return Rows(self.x[i], self.c[i])


def _fetch(a):
    a = a.to_memory()
    return Rows(a.X, np.stack([a.obs[k].cat.codes.to_numpy(np.int64) for k in OBS], 1))


class _Batch:
    def __init__(self, dense):
        self.dense = dense

    def __call__(self, m):
        return emit(m.x, self.dense), torch.from_numpy(m.c)


def scdataset(path, B, dense, block, fetch, workers):
    import anndata as ad
    from scdataset import scDataset, BlockShuffling

    a = ad.read_h5ad(path, backed="r")
    ds = scDataset(
        a,
        BlockShuffling(block_size=block),
        batch_size=B,
        fetch_factor=max(1, fetch // B),
        fetch_transform=_fetch,
        batch_transform=_Batch(dense),
    )
    kw = dict(num_workers=workers, prefetch_factor=2) if workers else {}
    return lambda: iter(torch.utils.data.DataLoader(ds, batch_size=None, **kw))


def annloader(path, B, dense):
    import anndata as ad
    from anndata.experimental import AnnCollection, AnnLoader

    a = ad.read_h5ad(path, backed="r")
    c = AnnCollection([a], join_vars="inner")

    def it():
        for b in AnnLoader(c, batch_size=B, shuffle=True, use_default_converter=False):
            x = b.X
            yield emit(x, dense), None

    return it


def scdl(path, B, dense, workers):
    from bionemo.scdl.io.single_cell_memmap_dataset import SingleCellMemMapDataset
    from bionemo.scdl.util.torch_dataloader_utils import collate_sparse_matrix_batch

    ds = SingleCellMemMapDataset(path)
    kw = dict(num_workers=workers, prefetch_factor=2) if workers else {}

    def it():
        for x in torch.utils.data.DataLoader(ds, batch_size=B, shuffle=True, collate_fn=collate_sparse_matrix_batch, **kw):
            yield (x.to_dense() if dense else x), None

    return it


def soma(path, B, dense, io):
    import tiledbsoma
    from tiledbsoma_ml import ExperimentDataset, experiment_dataloader

    exp = tiledbsoma.Experiment.open(path)
    q = exp.axis_query("RNA")
    ds = ExperimentDataset(
        q,
        layer_name="data",
        batch_size=B,
        io_batch_size=io,
        shuffle=True,
        shuffle_chunk_size=64,
        return_sparse_X=True,
        obs_column_names=["dataset_id"],
    )

    def it():
        for x, obs in experiment_dataloader(ds):
            yield emit(x, dense), None

    return it


def ram(out, B, dense):
    import scipy.sparse as sp, pandas as pd

    m = meta(out)
    x = sp.csr_matrix((m["cells"], m["genes"]), dtype=np.float32)
    x.data, x.indices, x.indptr = (
        np.load(out + "/csr/data.npy"),
        np.load(out + "/csr/indices.npy"),
        np.load(out + "/csr/indptr.npy").astype(np.int32),
    )
    obs = pd.read_pickle(out + "/csr/obs.pkl")
    c = torch.from_numpy(np.stack([obs[k].cat.codes.to_numpy(np.int64) for k in OBS], 1))

    def it():
        p = np.random.default_rng(1).permutation(m["cells"])
        for i in range(0, len(p), B):
            yield emit(x[p[i : i + B]], dense), c[p[i : i + B]]

    return it


PEERS = {  # name: (files it reads, factory(out, B, dense))
    "seed_naive": ("npz", lambda o, B, d: seed(o + "/npz", B, d, True)),
    "seed_naive_npzc": ("npzc", lambda o, B, d: seed(o + "/npzc", B, d, True)),
    "seed_batch": ("npz", lambda o, B, d: seed(o + "/npz", B, d, False)),
    "seed_batch_npzc": ("npzc", lambda o, B, d: seed(o + "/npzc", B, d, False)),
    "seed_batch_w0": ("npz", lambda o, B, d: seed(o + "/npz", B, d, False, 0)),
    "annbatch": ("annbatch.zarr", lambda o, B, d: annbatch(o, B, d, 256, 32)),
    "annbatch_todense": ("annbatch.zarr", lambda o, B, d: annbatch(o, B, d, 256, 32, True)),
    "annbatch_512": ("annbatch.zarr", lambda o, B, d: annbatch(o, B, d, 512, 32)),
    "annbatch_64": ("annbatch.zarr", lambda o, B, d: annbatch(o, B, d, 64, 128)),
    "annbatch_1": ("annbatch.zarr", lambda o, B, d: annbatch(o, B, d, 1, 8192)),
    "scdataset": ("cells.h5ad", lambda o, B, d: scdataset(o + "/cells.h5ad", B, d, 64, 16384, 0)),
    "scdataset_b256": ("cells.h5ad", lambda o, B, d: scdataset(o + "/cells.h5ad", B, d, 256, 16384, 0)),
    "scdataset_b16": ("cells.h5ad", lambda o, B, d: scdataset(o + "/cells.h5ad", B, d, 16, 16384, 0)),
    "scdataset_gz": ("cells_gz.h5ad", lambda o, B, d: scdataset(o + "/cells_gz.h5ad", B, d, 64, 16384, 0)),
    "scdataset_w2": ("cells.h5ad", lambda o, B, d: scdataset(o + "/cells.h5ad", B, d, 64, 16384, 2)),
    "annloader": ("cells.h5ad", lambda o, B, d: annloader(o + "/cells.h5ad", B, d)),
    "scdl": ("scdl", lambda o, B, d: scdl(o + "/scdl", B, d, 0)),
    "scdl_w2": ("scdl", lambda o, B, d: scdl(o + "/scdl", B, d, 2)),
    "soma": ("soma", lambda o, B, d: soma(o + "/soma", B, d, 8192)),
    "ram_scipy": ("csr", lambda o, B, d: ram(o, B, d)),
}
