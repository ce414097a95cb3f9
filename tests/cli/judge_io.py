"""judge_io.py WRITE_IO: runs the writer in a fresh folder and reads each of its files with the library that owns the format."""
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import anndata
import h5py
import numpy as np
import scipy.sparse as sp
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator, plugin_event_multiplexer
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

MATRIX = [[0, 0.5, 0, 2], [0, 0, 0, 0], [7, 0, 0, 0]]


def judge_arrays(folder):
    for name in ("stored.npz", "deflated.npz"):
        matrix = sp.load_npz(folder / name)
        assert matrix.format == "csr" and matrix.dtype == np.float32 and matrix.indices.dtype == np.int32, name
        np.testing.assert_array_equal(matrix.toarray(), MATRIX)
    with np.load(folder / "arrays.npz") as arrays:
        np.testing.assert_array_equal(arrays["values"], np.arange(1, 7, dtype="f4").reshape(2, 3))
        assert arrays["scalar"].shape == () and arrays["scalar"] == 7
        assert arrays["numbers"].tolist() == [-1, 2**40]
        assert arrays["names"].tolist() == ["né", "", "β cell 𝛽"]
    with zipfile.ZipFile(folder / "many.zip") as many:
        assert len(many.namelist()) == 66_001 and many.read("last") == b"x" * 1000
        assert many.testzip() is None


def judge_hdf5(folder):
    with h5py.File(folder / "a.h5") as f:
        table = f["deep/table"]
        assert table.compression == "gzip" and table.shuffle and table.chunks[1] == 100
        np.testing.assert_array_equal(table[()], np.arange(100_000, dtype="f4").reshape(1000, 100))
        assert f["codes"][()].tolist() == [0, -1, 2] and f["codes"].dtype == np.int32
        assert f["scalar"][()] == 0.1
        assert f["names"].asstr()[()].tolist() == ["né", "", "β cell"]
        assert f["text"].asstr()[()] == "a: 1\n"
        assert f["flags"].dtype == np.bool_ and f["flags"][()].tolist() == [True, False, True]
        assert f.attrs["encoding-type"] == "anndata"
        deep = f["deep"].attrs
        assert deep["shape"].tolist() == [3, 4] and deep["count"] == -5 and deep["ordered"] is np.True_
        assert list(deep["column-order"]) == ["b", "a"] and len(deep["empty"]) == 0
    cells = anndata.read_h5ad(folder / "a.h5ad")
    np.testing.assert_array_equal(cells.X.toarray(), MATRIX)
    assert cells.obs_names.tolist() == ["c1", "c2", "c3"] and cells.var_names.tolist() == ["g1", "g2", "g3", "g4"]
    assert cells.obs["cell_type"].astype(object).fillna("?").tolist() == ["β", "?", "alpha"]
    assert cells.obs["primary"].tolist() == [True, False, True] and cells.obs["primary"].dtype == bool


def judge_tensors(folder):
    try:
        from safetensors import safe_open
    except ImportError:
        print("not judged: safetensors is not installed")
        return
    with safe_open(folder / "a.safetensors", "np") as f:
        assert f.metadata() == {"format": "np"} and sorted(f.keys()) == ["flag", "none", "weight"]
        assert f.get_tensor("weight").tolist() == [[0.5], [-2]] and f.get_tensor("weight").dtype == np.float32
        assert f.get_tensor("flag") == np.True_ and f.get_tensor("none").shape == (0, 2)


def judge_whole_run(folder):
    run = event_accumulator.EventAccumulator(str(folder), size_guidance={event_accumulator.IMAGES: 0}).Reload()
    tags = run.Tags()
    assert tags["scalars"] == ["loss/train"] and sorted(tags["histograms"]) == ["constant", "influence"], tags
    assert [(e.step, e.value) for e in run.Scalars("loss/train")] == [(s, s + 0.5) for s in range(1, 11)]
    histogram = run.Histograms("influence")[0]
    counts = histogram.histogram_value
    assert histogram.step == 3 and (counts.min, counts.max, counts.num, counts.sum) == (0, 1000, 1001, 500500)
    assert len(counts.bucket) == 30 and sum(counts.bucket) == 1001 and set(counts.bucket) <= {33, 34, 35}
    assert counts.bucket_limit[-1] == 1000 and abs(counts.bucket_limit[0] - 1000 / 30) < 1e-9
    constant = run.Histograms("constant")[0].histogram_value
    assert list(constant.bucket) == [3] and constant.min == constant.max == 2
    image = run.Images("figure")[0]
    assert (image.step, image.width, image.height) == (4, 3, 2)
    judge_png(image.encoded_image_string)
    (text,) = run.Tensors("config")
    assert text.step == 5 and tensor_util.make_ndarray(text.tensor_proto).item().decode().startswith("# run\n")
    assert run.SummaryMetadata("config").plugin_data.plugin_name == "text"
    judge_hparams(run)


def judge_png(data):
    """Chunks, their CRCs and the pixels, by the standard library."""
    import struct
    import zlib

    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0]
        chunks[kind], at = body, at + 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"] and struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 2, 8, 2, 0, 0, 0)
    pixels = bytes(10 * i for i in range(18))
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0" + pixels[:9] + b"\0" + pixels[9:]


def judge_hparams(run):
    content = {tag: plugin_data_pb2.HParamsPluginData.FromString(data) for tag, data in run.PluginTagToContent("hparams").items()}
    experiment = content["_hparams_/experiment"].experiment
    assert [(h.name, h.type) for h in experiment.hparam_infos] == [("lr", 3), ("model", 1), ("zinb", 2)]
    assert [m.name.tag for m in experiment.metric_infos] == ["loss/train"]
    settings = content["_hparams_/session_start_info"].session_start_info.hparams
    assert settings["lr"].number_value == 0.25 and settings["model"].string_value == "cycle" and settings["zinb"].bool_value is True
    assert content["_hparams_/session_end_info"].session_end_info.status == 1


def judge_resumed_runs(events):
    """Steps 1 to 5 of the first start, 6 to 12 (again: 6, 7) of the second: each once, whatever reads."""
    expected = [(s, s if s < 6 else s + 0.5) for s in range(1, 13)]
    twice = [(s, s if s < 6 else s + 0.25 if s < 8 else s + 0.5) for s in range(1, 13)]
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(events)).Reload()
    for name in ("same_file", "new_file", "again", "dropped"):
        right = twice if name == "again" else expected
        run = event_accumulator.EventAccumulator(str(events / name)).Reload()
        assert [(e.step, e.value) for e in run.Scalars("loss/train")] == right, name
        tensors = multiplexer.Tensors(name, "loss/train")
        assert [(e.step, tensor_util.make_ndarray(e.tensor_proto).item()) for e in tensors] == right, name


def judge_watched_run(folder):
    """A TensorBoard that is open all the while has the dropped steps in memory; the restart in the new file purges them."""
    # the first file alone, as the watcher found it; then the second
    first, second = sorted((folder / "new_file").iterdir())
    watched = folder / "watched"
    watched.mkdir()
    (watched / first.name).write_bytes(first.read_bytes())
    run = plugin_event_accumulator.EventAccumulator(str(watched)).Reload()
    assert [e.step for e in run.Tensors("loss/train")] == list(range(1, 11))
    (watched / second.name).write_bytes(second.read_bytes())
    run.Reload()
    assert [e.step for e in run.Tensors("loss/train")] == list(range(1, 13))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1], name], check=True)
        judge_arrays(folder)
        judge_hdf5(folder)
        judge_tensors(folder)
        judge_whole_run(folder / "events" / "whole")
        judge_resumed_runs(folder / "events")
        judge_watched_run(folder / "events")
    print("all read")


if __name__ == "__main__":
    main()
