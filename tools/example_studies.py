"""Facts of the three studies of the example data. A sex stands only where the donor's is on record and the cells do not speak
against it (XIST, RPS4Y1, DDX3Y): H1437's record says male, its cells have XIST and no Y gene, so it stays missing."""

import dataclasses

import pandas as pd


@dataclasses.dataclass(frozen=True)
class Study:
    file: str  # the wheel's name for it
    dataset: str
    assay: str
    shape: tuple  # genes, cells


STUDIES = (
    Study("Baron_H1", "Baron 2016", "inDrop", (20125, 1937)),
    Study("Li", "Li 2017", "SMARTer C1", (55186, 561)),
    Study("Pollen", "Pollen 2014", "SMARTer C1", (23730, 301)),
)

# cell type -> tissue of origin, donor's sex
_LINES = {
    "A549": ("lung", "male"),
    "BJ": ("skin", "male"),
    "CRL-2338": ("breast", "female"),  # HCC1954
    "CRL-2339": ("blood", "female"),  # HCC1954 BL, of the same donor
    "GM12878": ("blood", "female"),
    "GW16": ("brain", None),
    "GW21": ("brain", None),
    "H1": ("embryo", "male"),
    "H1437": ("lung", None),
    "HCT116": ("colon", "male"),
    "HL60": ("blood", "female"),
    "IMR90": ("lung", "female"),
    "K562": ("blood", "female"),
    "Kera": ("skin", None),
    "NPC": (None, None),
    "iPS": (None, None),
}


def metadata(study, labels):
    """One row a cell from the wheel's labels: Li's _B1, _B2 are batches, Pollen's Hi_ a prefix, 2338 and 2339 ATCC numbers."""
    rows = []
    for label in labels:
        cell_type, batch = label, None
        if study.file == "Li" and label.endswith(("_B1", "_B2")):
            cell_type, batch = label[:-3], label[-2:]
        if study.file == "Pollen":
            cell_type = label.removeprefix("Hi_")
            cell_type = f"CRL-{cell_type}" if cell_type.isdigit() else cell_type
        tissue, sex = ("pancreas", "male") if study.file == "Baron_H1" else _LINES[cell_type]
        rows.append((study.dataset, study.assay, tissue, cell_type, sex, batch))
    return pd.DataFrame(rows, columns=["dataset", "assay", "tissue", "cell_type", "sex", "batch"], dtype=object)
