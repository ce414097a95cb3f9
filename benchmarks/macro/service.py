#!/usr/bin/env python3
"""Load on the prediction service at GEM-1's size, ours or the peer's, over the same weights and bodies.

    macro/service.py --make FOLDER --build build/release             # a model of 44,592 genes (random but for a step), bodies of 1 and 8 samples
    macro/service.py FOLDER --build build/release --clients 32 --samples 1 --seconds 60
    macro/service.py FOLDER --build build/release --peer PYTHON      # peers/service/server.py, --workers 2 of one thread each

One JSON line: what the generator (peers/service/load.cpp: `ninja bench_service_load`) saw, resident memory, the first answer's labels.
"""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parents[1]
GENES, SECRET = 44592, "secret"
FIELDS = {"cell_type": 120, "tissue": 80, "disease": 60, "sex": 3, "sample_type": 6, "cell_line": 20,
          "assay": 12, "library_selection": 10, "instrument": 15, "perturbation_type": 11}  # fmt: skip


def make(folder, build):
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"data.synthetic_genes": GENES, "data.synthetic_cells": 512, "data.synthetic_density": 0.6, "data.synthetic_missing": 0,
                "data.synthetic_categories": list(FIELDS.values()), "data.synthetic_fields": list(FIELDS), "train.max_steps": 1,
                "model.factor_model.modality": "bulk", "model.factor_model.network": "{hidden: 512, prior_hidden: 64, adversary_hidden: 16}",
                "model.factor_model.latents": "{biological: 64, technical: 16, perturbation: 32}", "output.folder": folder / "run"}  # fmt: skip
    words = [f"{key}={value}".replace("'", "") for key, value in settings.items()]
    config = HERE.parent / "configs/factor_tiny.yaml"
    subprocess.run([f"{build}/cellmill", "train", "--config", config, "--set", *words], check=True)
    shared = np.random.default_rng(1).normal(0, 3.2, GENES)  # as bulk samples: log-normal rates, 20 M reads, about a third zeros
    draw = np.random.default_rng(5)
    rates = [np.exp(shared + draw.normal(0, 0.5, GENES)) for _ in range(64)]
    samples = [draw.poisson(rate / rate.sum() * 2e7).tolist() for rate in rates]
    for n in (1, 8):
        (folder / f"bodies{n}").mkdir(exist_ok=True)
        for i in range(64 // n):
            inputs = [{"counts": samples[i * n + k]} for k in range(n)]
            (folder / f"bodies{n}" / f"{i:02}.json").write_text(json.dumps({"inputs": inputs, "seed": 7, "source": "pysynthbio"}))


def free_port():
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


@contextlib.contextmanager
def server(o, folder):
    """(process, port) of a server that answers."""
    port, environment = free_port(), {**os.environ, "OMP_NUM_THREADS": str(o.threads)}
    if o.peer:
        command = [o.peer, "-m", "uvicorn", "server:app", "--port", str(port), "--workers", str(o.workers), "--no-access-log"]
        environment.update(RUN=str(o.folder / "run"), JOBS=folder, TOKEN=SECRET, THREADS=str(o.threads))
    else:
        command = [f"{o.build}/cellmill", "serve", "--model", f"gem-1-bulk={o.folder}/run", "--port", str(port), "--jobs", folder, *o.options.split()]
    log = open(f"{folder}/log", "w")
    process = subprocess.Popen(command, env=environment, cwd=HERE / "peers/service" if o.peer else None, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                line.request("GET", "/healthz")
                line.getresponse().read()
                break
            assert process.poll() is None, pathlib.Path(f"{folder}/log").read_text()[-2000:]
            time.sleep(0.2)
        yield process, port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def resident_mb(group):
    """Of all processes of the group."""
    total = 0
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rsplit(")", 1)[1].split()[2]) == group:
                total += int(re.search(r"Rss:\s+(\d+)", (status.parent / "smaps_rollup").read_text()).group(1))
    return total / 1024


def labels(port, body):
    """What the server answers to a body: a line for a person, that both serve the same weights."""
    def call(method, path, text=None):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        line.request(method, path, text, {"Authorization": f"Bearer {SECRET}"})
        return json.loads(line.getresponse().read())

    job = call("POST", "/api/models/gem-1-bulk_predict-metadata/predict", body)["modelQueryId"]
    while (state := call("GET", f"/api/model-queries/{job}/status"))["status"] == "running":
        time.sleep(0.1)
    output = call("GET", re.sub(r"^http://[^/]*", "", state["downloadUrl"]))["outputs"][0]
    counts = np.array(output["decoder_sample"]["counts"])
    return {"labels": list(output["metadata"].values())[:3], "counts": [int(counts.sum()), int((counts > 0).sum())]}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=pathlib.Path)
    options.add_argument("--make", action="store_true")
    options.add_argument("--build", default="build/release")
    options.add_argument("--peer", metavar="PYTHON", help="serve with peers/service/server.py")
    options.add_argument("--workers", type=int, default=2, help="of the peer")
    options.add_argument("--threads", type=int, default=0, help="of arithmetic a process; 0: 2, the peer's workers 2 together")
    options.add_argument("--clients", type=int, default=32)
    options.add_argument("--samples", type=int, default=1, choices=(1, 8))
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--poll-ms", type=int, default=100)
    options.add_argument("--options", default="", help="more for cellmill serve: --options='--wait-ms 20'")
    o = options.parse_args()
    o.folder, o.build = o.folder.resolve(), os.path.abspath(o.build)
    if o.make:
        return make(o.folder, o.build)
    o.threads = o.threads or (max(1, 2 // o.workers) if o.peer else 2)
    bodies = o.folder / f"bodies{o.samples}"
    with tempfile.TemporaryDirectory() as folder, server(o, folder) as (process, port):
        load = [f"{o.build}/bench_service_load", str(port), str(bodies)]
        subprocess.run([*load, "4", "3", str(o.poll_ms), SECRET], check=True, capture_output=True)  # to warm up
        done = subprocess.run([*load, str(o.clients), str(o.seconds), str(o.poll_ms), SECRET], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        line = {"benchmark": "service", "server": "peer" if o.peer else "cellmill", **json.loads(done.stdout)}
        line.update(resident_mb=round(resident_mb(process.pid)), first=labels(port, (o.folder / "bodies1/00.json").read_text()))
        print(json.dumps(line))


if __name__ == "__main__":
    main()
