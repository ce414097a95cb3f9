"""The page at "/" given .h5ad files that anndata wrote: it sends what it sends for the CSV of the same cells."""
import json
import struct
import time

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from browser import browser, needs_chromium
from serving import server

pytestmark = [needs_chromium, pytest.mark.filterwarnings("ignore")]
GENES, CELLS = 60, 100
CSR, CSC = scipy.sparse.csr_matrix, scipy.sparse.csc_matrix
KEEP_SENT = """window.sent = []; const real = window.fetch; window.fetch = (url, options) => {
  if (options && options.body) sent.push(...JSON.parse(options.body).inputs.map(i => i.counts)); return real(url, options); }"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with server(genes=GENES) as one, browser(tmp_path_factory.mktemp("profile")) as page:
        page.open(one.url + "/")
        page.run("models()")
        page.run(KEEP_SENT)
        yield page


def cells(kind=np.asarray, dtype="f4"):
    """Of 48 of the model's genes in another order, and 3 that it does not know."""
    draw = np.random.default_rng(7)
    counts = draw.poisson(0.8, (CELLS, 51)) * draw.integers(1, 4, (CELLS, 51))
    names = [f"GENE{g}" for g in draw.permutation(GENES)[:48]]
    names[5:5], names[20:20], names[51:] = ["MT-ND1"], ["XIST"], ["Zürich"]
    obs = pd.DataFrame({"donor": pd.Categorical(draw.choice(["ana", "bo", "čeněk"], CELLS)), "depth": counts.sum(1), "lane": pd.Categorical.from_codes(draw.integers(-1, 2, CELLS), ["L1", "L2"]),
                        "told": draw.choice([True, False], CELLS)}, index=[f"cell-{i}" for i in range(CELLS)])
    return anndata.AnnData(kind(counts.astype(dtype)), obs=obs, var=pd.DataFrame(index=names))


def as_logs(adata):
    adata.X = np.log1p(adata.X)
    return adata


def with_layer(name):
    adata = cells(CSR)
    adata.layers[name] = adata.X.copy()
    return as_logs(adata)


def with_raw():
    adata = cells(CSC)
    adata.raw = adata
    return as_logs(adata[:, ::2].copy())


def with_columns(many):
    adata = cells(CSR)
    for i in range(many):
        adata.obs[f"column {i} of obs, with a long name"] = i
    return adata


def by_column(column):
    adata = cells(CSR)
    adata.var["symbol"] = column(adata.var_names)
    adata.var_names = [f"ENSG{i:011d}" for i in range(adata.n_vars)]
    adata.var["length"] = np.arange(adata.n_vars)
    return adata


def save(adata, path, libver=None, of_x=None, **how):
    """`of_x`: how the parts of X are written, where that is not how all is."""
    with h5py.File(path, "w", libver=libver) as file:
        anndata.io.write_elem(file, "/", adata, dataset_kwargs=how)
        for place in ["X"] * isinstance(file["X"], h5py.Dataset) or ["X/data", "X/indices"]:
            if of_x:
                values, attributes = file[place][()], dict(file[place].attrs)
                del file[place]
                file.create_dataset(place, data=values, **of_x).attrs.update(attributes)


GZIP = {"compression": "gzip"}
WAYS = {
    "csr, gzip": (cells(CSR), GZIP, "X"),
    "csr, gzip 9, shuffled, small chunks": (cells(CSR), {"of_x": {"compression": "gzip", "compression_opts": 9, "shuffle": True, "chunks": (13,)}}, "X"),
    "csr, lzf": (cells(CSR), {"compression": "lzf"}, "X"),
    "csr, lzf, shuffled": (cells(CSR, "f8"), {"compression": "lzf", "shuffle": True}, "X"),
    "csr, as it lies": (cells(CSR), {}, "X"),
    "csr of int64": (cells(CSR, "i8"), GZIP, "X"),
    "csc, gzip": (cells(CSC), GZIP, "X"),
    "csc of uint16, as it lies": (cells(CSC, "u2"), {}, "X"),
    "dense, gzip": (cells(), GZIP, "X"),
    "dense, chunks that end beyond it": (cells(dtype="i4"), {"of_x": {"compression": "gzip", "chunks": (7, 9)}}, "X"),
    "dense of uint8, lzf": (cells(dtype="u1"), {"compression": "lzf"}, "X"),
    "dense of float64, as it lies": (cells(dtype="f8"), {}, "X"),
    "counts in a layer": (with_layer("counts"), GZIP, "layers/counts"),
    "counts in a layer of another name": (with_layer("before"), GZIP, "layers/before"),
    "counts in raw": (with_raw(), GZIP, "raw/X"),
    "gene names in a column": (by_column(list), GZIP, "X"),
    "gene names in a categorical column": (by_column(lambda names: pd.Categorical(names)), GZIP, "X"),
    "headers of HDF5 1.8": (cells(CSR), {"libver": ("v108", "v108"), **GZIP}, "X"),
    "headers of HDF5 1.8, many columns": (with_columns(150), {"libver": ("v108", "v108")}, "X"),
    "many columns": (with_columns(150), {}, "X"),
    "headers of HDF5 1.8, dense": (cells(), {"libver": ("v108", "v108")}, "X"),
}


@pytest.fixture(scope="module")
def expected(page, tmp_path_factory):
    """(What the page sends for the CSV, its lines.)"""
    adata, path = cells(), tmp_path_factory.mktemp("csv") / "cells.csv"
    pd.DataFrame(adata.X.T.astype(int), index=adata.var_names, columns=adata.obs_names).to_csv(path)
    page.run("sent.length = 0")
    assert f"{CELLS} samples (genes down), 48 of the model's {GENES} genes" in page.give(path)
    sent = np.array(page.run("sent"))
    assert sent.shape == (CELLS, GENES) and sent.sum() == adata[:, adata.var_names.str.startswith("GENE")].X.sum()
    return sent, page.run("document.querySelector('#answer table').innerText")


@pytest.mark.parametrize("way", WAYS)
def test_an_h5ad_is_answered_as_its_csv(page, expected, way, tmp_path):
    adata, how, place = WAYS[way]
    save(adata, tmp_path / "cells.h5ad", **how)
    page.run("sent.length = 0")
    assert f"{CELLS} samples ({place}), 48 of the model's {GENES} genes" in page.give(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(page.run("sent"), expected[0])
    assert page.run("document.querySelector('#answer table').innerText") == expected[1]
    note = page.text("note")
    assert ("X holds 1.6094, no counts" in note) == (place != "X") and ('Genes are named by var["symbol"]' in note) == way.endswith("column")


def test_as_write_h5ad_writes_and_its_own_labels_colour_the_plot(page, expected, tmp_path):
    adata = cells(CSR)
    adata.write_h5ad(tmp_path / "cells.h5ad", compression="gzip")
    page.run("sent.length = 0")
    page.give(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(page.run("sent"), expected[0])
    assert page.run("[...document.querySelectorAll('#colour option')].map(o => o.value)")[-2:] == ["f:donor", "f:lane"]
    for column in ("donor", "lane"):
        page.run(f"document.getElementById('colour').value = 'f:{column}'; document.getElementById('colour').onchange()")
        many = adata.obs[column].value_counts(dropna=False)
        told = {f"{'(none)' if pd.isna(label) else label}: {n}" for label, n in many.items()}
        assert set(page.run("[...document.querySelectorAll('.plot li')].map(l => l.textContent)")) == told


def test_a_file_of_many_cells_is_thinned_evenly_and_says_so(page, tmp_path):
    adata = anndata.concat([cells(CSC)] * 51, index_unique="/")
    adata.write_h5ad(tmp_path / "many.h5ad", compression="gzip")
    page.run("sent.length = 0")
    assert "5,000 of 5,100 samples, evenly spaced" in page.give(tmp_path / "many.h5ad")
    assert "cellmill predict-metadata --input many.h5ad" in page.text("note")
    pick = np.arange(5000) * 5100 // 5000
    order = [list(adata.var_names).index(f"GENE{g}") if f"GENE{g}" in adata.var_names else -1 for g in range(GENES)]
    assert np.array_equal(np.array(page.run("sent")), np.where(np.array(order) >= 0, adata.X.toarray()[pick][:, order], 0))
    assert page.run("document.querySelector('tbody tr:last-child td').textContent") == adata.obs_names[pick[-1]]


def hdf5(path, **libver):
    return h5py.File(path, "w", **libver)


def big_endian(path):
    save(cells(), path)
    with h5py.File(path, "r+") as file:
        del file["X"]
        file.create_dataset("X", data=cells().X.astype(">f4"))


def ten_x(path):
    with hdf5(path) as file:
        file.create_group("matrix").create_dataset("data", data=np.arange(9))


def short_obs(path):
    save(cells(), path)
    with h5py.File(path, "r+") as file:
        names = file["obs/_index"][:-1]
        del file["obs/_index"]
        file["obs"].create_dataset("_index", data=names)


def wrong_gene(path):
    save(cells(CSR), path)
    with h5py.File(path, "r+") as file:
        file["X/indices"][10] = 51


UNREAD = {
    "logs only": (lambda path: save(as_logs(cells(CSR)), path), "expected whole numbers in X, a layer or raw/X, found X holds 1.6094"),
    "fletcher32": (lambda path: save(cells(), path, of_x={"fletcher32": True}), "X: expected gzip, lzf, shuffle or nothing, found fletcher32"),
    "latest": (lambda path: save(cells(), path, libver="latest", **GZIP), 'written with libver="latest"?'),
    "big-endian": (big_endian, "big-endian"),
    "10x": (ten_x, "X: expected counts, as AnnData has them, found none; this file has matrix"),
    "no HDF5": (lambda path: path.write_text("gene,a\n" * 30), "expected an HDF5 file (.h5ad), found 210 other bytes"),
    "empty": (lambda path: path.write_bytes(b""), "expected an HDF5 file (.h5ad), found 0 other bytes"),
    "too few names": (short_obs, "obs/_index: expected 100 values, found 99"),
    "a gene that is none": (wrong_gene, "X: expected a gene below 51, found 51"),
    "other genes": (lambda path: save(anndata.AnnData(np.ones((3, 2), "f4"), var=pd.DataFrame(index=["A", "B"])), path), "No gene name of this file is one of the model's, such as GENE0, GENE1, GENE2; found A, B"),
}


@pytest.mark.parametrize("what", UNREAD)
def test_what_is_not_read_is_said(page, what, tmp_path):
    make, said = UNREAD[what]
    make(tmp_path / "odd.h5ad")
    found = page.give(tmp_path / "odd.h5ad", patience=5)
    assert said in found and found.startswith("odd.h5ad: ") and page.run("document.querySelectorAll('#answer *').length") == 0
    assert any(hint in found for hint in ("cellmill predict-metadata --input odd.h5ad", "Is the file whole?", 'adata.layers["counts"]', "such as GENE0"))


DAMAGE = """async (name, times) => {
  const whole = new Uint8Array(await window[name]), known = new Map(Array.from({length: %d}, (_, i) => ["GENE" + i, i]));
  let state = 1;
  const draw = n => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor(state / 2 ** 32 * n); };
  const out = {messages: 0, answers: 0, others: [], slowest_message: 0, slowest_answer: 0, cut: 0};
  for (let i = 0; i < times; ++i) {
    const bytes = whole.slice(), at = draw(bytes.length), kind = i %% 4, word = n => Math.floor(draw(n) / 8) * 8;
    if (kind === 1) bytes[at] ^= 1 << draw(8);
    if (kind === 2) bytes.copyWithin(word(bytes.length - 8), ...(from => [from, from + 8])(word(bytes.length - 8)));  // an address, a size from elsewhere
    if (kind === 3) bytes.fill(255, at, at + 1 + draw(8));
    const cut = kind === 0 ? bytes.slice(0, at) : bytes, begin = performance.now();
    let said = "an answer";
    try {
      const given = await readH5ad(cut.buffer, known, 5000);
      await given.counts(0, given.names.length);
      ++out.answers;
    } catch (problem) {
      said = problem.message;
      if (problem instanceof FileError) ++out.messages, out.cut += kind === 0;
      else out.others.push(`${i}: ${problem.stack}`);
    }
    const took = performance.now() - begin;
    const kindOf = said === "an answer" ? "slowest_answer" : "slowest_message";
    if (took > out[kindOf]) Object.assign(out, {[kindOf]: took, [kindOf + "_was"]: `${i}: ${said}`});
  }
  return out;
}""" % GENES


@pytest.mark.parametrize("way", ["csr, gzip", "csr, lzf, shuffled", "csc, gzip", "dense, chunks that end beyond it", "counts in raw", "headers of HDF5 1.8"])
def test_damaged_files_get_a_message_within_a_second(page, way, tmp_path):
    adata, how, _ = WAYS[way]
    save(adata, tmp_path / "cells.h5ad", **how)
    root = page.ask("DOM.getDocument")["root"]["nodeId"]
    page.run("window.kept = document.createElement('input'); kept.type = 'file'; kept.id = 'kept'; document.body.append(kept)")
    page.ask("DOM.setFileInputFiles", files=[str(tmp_path / "cells.h5ad")], nodeId=page.ask("DOM.querySelector", nodeId=root, selector="#kept")["nodeId"])
    page.run("window.damaged = kept.files[0].arrayBuffer(); kept.remove()")
    times = 200
    out = page.run(f"({DAMAGE})('damaged', {times})")
    print(way, json.dumps(out))
    assert out["others"] == [] and out["slowest_message"] < 1000 and out["slowest_answer"] < 5000
    assert out["cut"] == times // 4 and out["messages"] > times // 4 and out["messages"] + out["answers"] == times


def by_hand(root, *parts):
    """A file of superblock 0 whose root object lies at 96, and {place: bytes} after it."""
    head = b"\x89HDF\r\n\x1a\n" + struct.pack("<8B2HI", 0, 0, 0, 0, 0, 8, 8, 0, 4, 16, 0)
    file = bytearray(1 << 17)
    file[:96] = head + struct.pack("<4QQQIIQQ", 0, 2**64 - 1, len(file), 2**64 - 1, 0, 96, 0, 0, 0, 0)
    for place, part in ((96, root), *parts):
        file[place : place + len(part)] = part
    return bytes(file)


def message(kind, body):
    return struct.pack("<HHI", kind, len(body), 0) + body


def header(body):
    return struct.pack("<BBHIII", 1, 0, 1, 1, len(body), 0) + body


def a_header_that_continues_in_itself():
    nothing = message(0, bytes(60000))
    return by_hand(header(message(0x10, struct.pack("<QQ", 4096, 24 + len(nothing)))), (4096, nothing + message(0x10, struct.pack("<QQ", 4096, 24 + len(nothing)))))


def a_tree_of_all_paths():
    """60 levels, each node names the next one eight times: 8^60 leaves, and each leaf many long names."""
    node = lambda level, next_one: b"TREE" + struct.pack("<BBH", 0, level, 8) + struct.pack("<QQ", 0, 0) + struct.pack("<QQ", 0, next_one) * 8
    places = [8192 + 256 * i for i in range(60)]
    leaf = b"SNOD" + struct.pack("<BBH", 1, 0, 1000) + struct.pack("<QQIIQQ", 0, 96, 0, 0, 0, 0) * 1000
    heap = b"HEAP" + struct.pack("<IQQQ", 0, 20000, 0, 100000)
    return by_hand(header(message(0x11, struct.pack("<QQ", places[0], 4096))), (4096, heap), (32768, leaf), (100000, b"x" * 20000), *((p, node(59 - i, [*places, 32768][i + 1])) for i, p in enumerate(places)))


@pytest.mark.parametrize("make", [a_header_that_continues_in_itself, a_tree_of_all_paths])
def test_files_that_would_take_for_ever_are_stopped(page, make, tmp_path):
    (tmp_path / "odd.h5ad").write_bytes(make())
    begin = time.time()
    assert "expected at most 2,097,152 parts, found more" in page.give(tmp_path / "odd.h5ad", patience=20)
    assert time.time() - begin < 5  # a second, where the machine is idle
