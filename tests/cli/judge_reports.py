"""What people meet before and after a run: check, doctor, train --dry-run, report; and what several ranks say alike.

    judge_reports.py CELLMILL MPIRUN
"""
import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

CELLMILL, MPIRUN = map(os.path.abspath, sys.argv[1:3])
OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_mpi_yield_when_idle": "1"}
ENVIRONMENT = {**os.environ, **OPEN_MPI, "OMP_NUM_THREADS": "1"}
SETTINGS = """
data: {format: synthetic, synthetic_cells: 500, synthetic_genes: 40, synthetic_missing: 0.1, chunk_cells: 100}
model: {cycle_autoencoder: {latent: 8, classifier_hidden: [16]}}
train: {epochs: 3, global_batch: 50, device: cpu}
output: {folder: run, log_every_steps: 2}
"""


def run(place, *arguments, code=0, ranks=1):
    launcher = [MPIRUN, "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, CELLMILL, *map(str, arguments)], cwd=place, env=ENVIRONMENT, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def write_h5ad(path, matrix, cell_type, donor, genes):
    obs = pd.DataFrame({"cell_type": pd.Categorical(cell_type), "donor": pd.Categorical(donor),
                        "barcode": [f"c{i}" for i in range(len(donor))]}, index=[f"c{i}" for i in range(len(donor))])
    data = anndata.AnnData(sp.csr_matrix(matrix.astype(np.float32)), obs=obs)
    data.var_names = genes
    data.write_h5ad(path)


def judge_check(place):
    rng = np.random.default_rng(3)
    cells, genes = 400, 30
    matrix = rng.poisson(0.6, (cells, genes)).astype(float)
    matrix[0, 0] = 90
    types = np.where(np.arange(cells) % 20 == 0, "B", "T")
    donors = np.where(types == "B", "d2", "d1")
    names = [f"G{i}" for i in range(genes)]
    write_h5ad(place / "good.h5ad", matrix, types, donors, names)
    out, _ = run(place, "check", "good.h5ad", "--figure", "good.svg")
    assert f"good.h5ad: {cells} cells, {genes} genes, {np.count_nonzero(matrix)} entries" in out, out
    assert re.search(r"cell_type: 'T' dominates with 95\.0 % of the labelled cells", out), out
    assert "cell_type and donor go together (Cramér's V 1.00)" in out, out
    assert "set data.raw_counts=true" in out and out.rstrip().endswith("training would take these data"), out
    assert "barcode" not in out  # a value a cell is no field
    picture = ElementTree.parse(place / "good.svg").getroot()
    assert picture.tag.endswith("svg") and "Library sizes" in "".join(picture.itertext())
    said = json.loads(run(place, "check", "good.h5ad", "--json")[0])
    library = matrix.sum(1)
    assert (said["library"]["min"], said["library"]["max"]) == (library.min(), library.max())
    assert abs(said["library"]["median"] / np.median(library) - 1) < 0.06, said["library"]
    assert said["fields"]["cell_type"]["cells"] == {"B": 20, "T": 380}
    assert said["silent_genes"] == int((matrix.sum(0) == 0).sum())
    for ranks in (2, 3):
        assert json.loads(run(place, "check", "good.h5ad", "--json", "--set", "data.chunk_cells=70", ranks=ranks)[0]) == said
    matrix[5, 3], matrix[6, 4], matrix[7, 5], matrix[8, 5] = np.nan, -1, np.inf, -2
    write_h5ad(place / "bad.h5ad", matrix, types, donors, [*names[:-1], "G0"])
    out, _ = run(place, "check", "good.h5ad", "bad.h5ad", code=65)
    for line in ("REFUSED  not a number: 1 time; the first at bad.h5ad: /X: row 5, column 3",
                 "REFUSED  infinite: 1 time; the first at bad.h5ad: /X: row 7, column 5",
                 "REFUSED  a negative value: 2 times; the first at bad.h5ad: /X: row 6, column 4",
                 "REFUSED  a gene named twice: 1 time; the first at bad.h5ad: gene 29"):
        assert line in out, (line, out)
    assert out.rstrip().endswith("training would refuse these data")
    run(place, "train", "--set", "data.path=bad.h5ad", "data.fields=[cell_type]", "output.folder=never", code=65)
    _, err = run(place, "check", "none.h5ad", code=66)
    assert "none.h5ad: no such file or folder" in err, err
    split = ("data.split.validation_chunks=[0]", "data.chunk_cells=1", "data.fields=[donor]")
    write_h5ad(place / "new.h5ad", matrix[20:60], types[20:60], ["only"] + ["d1"] * 39, names)
    out, _ = run(place, "check", "new.h5ad", "--set", *split)
    assert "donor: 1 validation cells have values that training never sees: 'only'" in out, out


def judge_doctor(place):
    def examined(*arguments, ranks=1):
        """This machine may lack something (memory, /dev/shm): then the code says so."""
        launcher = [MPIRUN, "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        done = subprocess.run([*launcher, CELLMILL, "doctor", *arguments], cwd=place, env=ENVIRONMENT, text=True,
                              capture_output=True, timeout=120)
        assert done.returncode in (0, 69), done.stderr
        return done.returncode, done.stdout

    code, out = examined("--disk-mb", "8")
    assert re.search(r"\nok +MPI +Open MPI v", out) and re.search(r"\nok +disk speed +written and synced [\d.]+ GB/s", out), out
    assert re.search(r"^\w+ +first tensor +[\d.]+ s after", out), out
    assert ("nothing here would stop a run" in out) == (code == 0) == ("STOP" not in out), out
    code, out = examined("--json", "--disk-mb", "0", ranks=2)
    said = json.loads(out)
    assert said["exit_code"] == code
    assert any(f["what"] == "launcher" and "2 ranks" in f["found"] for f in said["findings"]), said
    assert not any(f["what"] == "disk speed" for f in said["findings"])
    # resource limits are the child's alone
    limited = subprocess.run(["bash", "-c", f"ulimit -n 100; {CELLMILL} doctor --disk-mb 0"], cwd=place, env=ENVIRONMENT,
                             capture_output=True, text=True, timeout=120)
    assert limited.returncode == 69, (limited.stdout, limited.stderr)
    assert re.search(r"STOP +open files +100\n +-> (ulimit -n 1024|ask for)", limited.stdout), limited.stdout
    out, _ = run(place, "doctor", "--disk-mb", "0", "--set", "output.folder=/proc/none", code=74)
    assert re.search(r"STOP +disk of /proc/none +/proc: is not writable: .*\n +-> name another output\.folder", out), out
    assert list(place.iterdir()) == []


def judge_dry_run(place):
    (place / "run.yaml").write_text(SETTINGS)
    dry = ("train", "--config", "run.yaml", "--dry-run")
    quick = ("--machine", "h100")
    out, _ = run(place, *dry)
    for what in ("settings", "data", "first batch", "model", "memory", "time", "output", "disk"):
        assert re.search(rf"^ok +{what} ", out, re.M), (what, out)
    assert re.search(r"time +.*: 27 steps of [\d.]+ ms on 1 rank of ", out), out
    assert not (place / "run").exists()
    out, _ = run(place, *dry, *quick, "--ranks", "16")
    assert "on 16 ranks of h100" in out, out
    run(place, *dry, *quick, ranks=2)
    wrong = [
        (78, "no score 'loss/generaor'", ["evaluation.score=loss/generaor"]),
        (66, "no such file or folder", ["data.format=auto", "data.path=none.h5ad"]),
        (74, "is not writable", ["output.folder=/proc/none"]),
    ]
    for code, text, settings in wrong:
        out, _ = run(place, *dry, *quick, "--set", *settings, code=code)
        assert text in out and "STOP" in out, (settings, out)
    _, err = run(place, *dry, "--set", "train.epohcs=1", code=78)
    assert "did you mean train.epochs?" in err
    _, err = run(place, "train", "--config", "run.yaml", "--ranks", "2", code=64)
    assert "are for --dry-run" in err
    # memory: more than there is
    out, _ = run(place, *dry, "--machine", "a100", "memory_gb=0.0001", code=69)
    assert re.search(r"STOP +memory .*there are 0\.0 GB\n +-> more ranks", out), out


class Page(html.parser.HTMLParser):
    """Well formed, and alone in the world."""
    VOID = {"meta", "br", "hr", "img", "link", "input"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.words, self.seen = [], [], {}

    def handle_starttag(self, tag, attributes):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        assert tag not in ("script", "link", "iframe", "img", "object", "embed", "base"), tag
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        for name, value in attributes:
            assert name not in ("href", "src", "xlink:href", "action") and not name.startswith("on"), (tag, name, value)
            assert name == "xmlns" or "://" not in (value or ""), (tag, name, value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open[-5:], tag, self.getpos())
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)
        if self.open and self.open[-1] == "style":
            assert "url(" not in data and "@import" not in data


def page_of(path):
    text = path.read_text(encoding="utf-8", errors="strict")
    assert text.startswith("<!DOCTYPE html>\n<html lang=\"en\">")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [] and page.seen["h1"] == page.seen["main"] == 1, (page.open, page.seen)
    assert text.split("</head>")[0].count("<title>") == 1  # pictures have titles of their own
    pictures = re.findall(r"<svg .*?</svg>", text, re.S)
    for picture in pictures:
        ElementTree.fromstring(picture)
        assert "nan" not in picture.lower() and not re.search(r"\binf\b", picture)
    return page, pictures, " ".join(page.words)


def judge_report(place):
    (place / "run.yaml").write_text(SETTINGS)
    run(place, "train", "--config", "run.yaml", ranks=2)
    run(place, "train", "--config", "run.yaml", "--resume", "--set", "train.epochs=4")
    sessions = [json.loads(line) for line in (place / "run/sessions.jsonl").read_text().splitlines()]
    assert [(s["ranks"], s["step"]) for s in sessions] == [(2, 0), (1, 27)], sessions
    assert {"cellmill", "hosts", "torch", "MPI", "started", "processor"} <= sessions[0].keys()
    influence = [json.loads(line) for line in (place / "run/influence.jsonl").read_text().splitlines()]
    assert [line["step"] for line in influence] == [9, 18, 27, 36], influence
    assert all(low <= mean <= high for line in influence for mean, low, high in line["heads"].values())
    (place / "run/failure.json").write_text(json.dumps({"rank": 1, "message": "a <script>alert(1)</script> & more"}))
    with open(place / "run/log/rank-1.log", "a") as log:
        log.write("2026-01-01T00:00:00.000 warning twice & more\n" * 2)
    out, _ = run(place, "report", "run")
    assert out.strip() == "run/report.html"
    page, pictures, words = page_of(place / "run/report.html")
    for text in ("Curves", "loss/generator", "Influence of heads", "Where the time went", "Library sizes", "start 2",
                 "a <script>alert(1)</script> & more", "twice & more", "config.yaml"):
        assert text in words, text
    assert len(pictures) > 8 and page.seen["section"] == 7
    for name in ("influence.jsonl", "sessions.jsonl"):  # their damage is found
        file = place / "run" / name
        whole = file.read_bytes()
        file.write_bytes(whole.replace(b'"step":', b'"stop":', 1))
        out, _ = run(place, "inspect", "run", "--verify", code=65)
        assert f"{name}: line 1, bytes 0 to" in out, out
        file.write_bytes(whole)
    run(place, "inspect", "run", "--verify")
    run(place, "report", "run", "--no-data", "--output", "short.html")
    assert "Left out: --no-data." in page_of(place / "short.html")[2]
    _, err = run(place, "report", ".", code=66)
    assert "holds no run" in err


def judge_console(place):
    (place / "run.yaml").write_text(SETTINGS)
    # counts without raw_counts: every rank that opens the data warns of them, each in its own log
    matrix = np.random.default_rng(1).poisson(9, (300, 20)).astype(float) * 7
    write_h5ad(place / "counts.h5ad", matrix, ["T", "B"] * 150, ["d1", "d2"] * 150, [f"G{i}" for i in range(20)])
    settings = ("data.format=h5ad", "data.path=counts.h5ad", "data.fields=[cell_type]", "train.max_steps=4")
    _, err = run(place, "train", "--config", "run.yaml", "--set", *settings, ranks=3)
    said = [line for line in err.splitlines() if "look like counts" in line]
    assert sum("[0] counts.h5ad: /X: the values" in line for line in said) == 1, err
    others = re.findall(r"\[0\] (?:also )?ranks? ([\d, ]+): counts\.h5ad: /X: the values", "\n".join(said))
    assert 1 <= len(others) <= 2 and sorted(re.findall(r"\d", " ".join(others))) == ["1", "2"], err
    for rank in range(3):
        assert "look like counts" in (place / f"run/log/rank-{rank}.log").read_text(), rank
    lines = [json.loads(line) for line in (place / "run/metrics.jsonl").read_text().splitlines()]
    assert {line["split"] for line in lines} >= {"train", "validation"} and all("step" in line for line in lines)


def main():
    with tempfile.TemporaryDirectory(prefix="cellmill-reports-") as root:
        for judge in (judge_check, judge_doctor, judge_dry_run, judge_report, judge_console):
            place = pathlib.Path(root) / judge.__name__
            place.mkdir()
            judge(place)
            print(judge.__name__, "well", flush=True)


main()
