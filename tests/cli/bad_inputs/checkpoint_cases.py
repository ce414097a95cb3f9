"""Checkpoints and run folders, asked for by --resume, inspect and the questions to a model."""
from place import NAMES, catalogue, cut, flip, replace

CASES, case = catalogue()
LAST, MANIFEST, STATE = "run/checkpoints/step-000000004", "step-000000004/manifest.json", "step-000000004/state.h5"


def inspected(name, *says):
    def add(spoil):
        @case(f"checkpoint: {name}", 65, *says, needs_run=True)
        def spoilt(place):
            spoil(place)
            return place.cellmill("inspect", LAST, "--verify")

        return spoil

    return add


@inspected("a flipped bit in the weights", f"{STATE}: bytes ", "hint: take an older checkpoint: --resume does so by itself")
def weights(place):
    flip(place / LAST / "state.h5", 9000)


@inspected("weights cut short", f"{STATE}: ", "expected ", "; found ", "hint: take an older checkpoint")
def short(place):
    cut(place / LAST / "state.h5", 4000)


@inspected("a flipped bit in the manifest", f"{MANIFEST}: ", "is damaged", "hint: take an older checkpoint")
def manifest(place):
    replace(place / LAST / "manifest.json", b'"step": 4', b'"step": 6')


@inspected("a manifest cut short", f"{MANIFEST}: byte ", "is damaged; expected JSON", "hint: take an older checkpoint")
def manifest_cut(place):
    cut(place / LAST / "manifest.json", 300)


@inspected("of a newer cellmill", f"{MANIFEST}: format: was written by a newer cellmill", "expected ", "; found 9",
           "hint: read it with the cellmill that wrote it")
def newer(place):
    import re

    path = place / LAST / "manifest.json"
    path.write_text(re.sub(r'"format": \d+', '"format": 9', path.read_text()))


@case("checkpoint: without its manifest", 66, f"{LAST}: holds no valid checkpoint", "hint: name a run folder", needs_run=True)
def no_manifest(place):
    (place / LAST / "manifest.json").unlink()
    return place.cellmill("inspect", LAST)


@inspected("without its weights", f"{STATE}: ", "hint: ")
def no_weights(place):
    (place / LAST / "state.h5").unlink()


@case("checkpoint: no such", 66, "run/checkpoints/step-000000077", needs_run=True)
def no_such(place):
    return place.cellmill("inspect", "run/checkpoints/step-000000077")


@case("resume: genes in another order", 65, "gene 0: another vocabulary", "expected 'gene0'; found 'gene7'",
      "hint: use the gene order of the original data", needs_run=True)
def gene_order(place):
    (place / "npz/genes.txt").write_text("\n".join(reversed(NAMES)))
    return place.train("--resume")


@case("resume: another configuration", 64, "belongs to another configuration:", "model.cycle_autoencoder.latent: there 2, here 3", needs_run=True)
def configuration(place):
    return place.train("--resume", "--set", "model.cycle_autoencoder.latent=3")


@case("train: the folder holds a run", 64, "run already holds a run", "--resume continues it; or name another output.folder", needs_run=True)
def taken(place):
    return place.train()


@case("classify: cells of other genes", 65, "cells.h5ad: ", "gene", needs_run=True)
def other_genes(place):
    import h5py

    with h5py.File(place / "cells.h5ad", "r+") as file:
        del file["var/_index"]
        file.create_dataset("var/_index", data=[f"other{i}" for i in range(8)], dtype=h5py.string_dtype())
    return place.cellmill("classify", "--checkpoint", "run", "--input", "cells.h5ad", "--output", "classes.csv")
