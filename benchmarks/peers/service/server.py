"""The service as a user would write it: FastAPI + PyTorch, the protocol of metadata prediction.

    RUN=FOLDER JOBS=FOLDER uvicorn server:app --port 8123 --workers 2        (THREADS=n of torch a worker; TOKEN=secret)
"""
import asyncio
import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import torch
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from model import LATENTS, FactorModel

JOBS, TOKEN = os.environ["JOBS"], os.environ.get("TOKEN", "secret")
torch.set_num_threads(int(os.environ.get("THREADS", "1")))
model = FactorModel(os.environ["RUN"])
GENES = len(model.genes)
IDS = "gem-1-bulk_predict-metadata", "gem-1-sc_predict-metadata"
pool, app = ThreadPoolExecutor(1), FastAPI()


def denied(request):
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return JSONResponse({"error": "unauthorized"}, 401)


def check(query):
    """(errors, [B, genes])"""
    if not isinstance(query, dict) or not isinstance(query.get("inputs"), list) or not query["inputs"]:
        return [{"path": "inputs", "message": "a non-empty list is required"}], None
    rows, errors = [], []
    for i, each in enumerate(query["inputs"]):
        counts, path = each.get("counts") if isinstance(each, dict) else None, f"inputs[{i}].counts"
        if not isinstance(counts, list) or len(counts) != GENES:
            errors.append({"path": path, "message": f"a list of {GENES} counts is required"})
            continue
        try:
            row = np.array(counts, dtype=np.float64)
        except (ValueError, TypeError):
            errors.append({"path": path, "message": "numbers are required"})
            continue
        if not np.isfinite(row).all() or (row < 0).any() or (row != np.floor(row)).any():
            errors.append({"path": path, "message": "non-negative whole numbers are required"})
            continue
        rows.append(row)
    return errors, None if errors else torch.from_numpy(np.stack(rows).astype(np.float32))


def answer(counts):
    z, p, y = model.predict(counts)
    outputs = []
    for i in range(len(counts)):
        probabilities = {field: dict(zip(labels, p[field][i].tolist())) for field, labels in model.labels.items()}
        outputs.append({"metadata": {field: max(row, key=row.get) for field, row in probabilities.items()}, "classifier_probs": probabilities,
                        "latents": {g: z[g][i].tolist() if g in z else [] for g in LATENTS}, "decoder_sample": {"counts": y[i].tolist()}})
    return {"gene_order": model.genes, "model_version": "peer-1", "outputs": outputs}


def work(job, counts):
    try:
        body = orjson.dumps(answer(counts))
        with open(f"{JOBS}/{job}.tmp", "wb") as file:
            file.write(body)
        os.rename(f"{JOBS}/{job}.tmp", f"{JOBS}/{job}.json")
    except Exception as error:
        with open(f"{JOBS}/{job}.failed", "w") as file:
            file.write(str(error))


@app.get("/healthz")
async def healthz():
    return {"status": "ok"}


@app.post("/api/models/{name}/predict")
async def predict(name: str, request: Request):
    if (no := denied(request)) is not None:
        return no
    if name not in IDS:
        return JSONResponse({"error": "not found"}, 404)
    try:
        query = orjson.loads(await request.body())
    except ValueError:
        return JSONResponse({"error": "Invalid request", "errors": [{"path": "", "message": "not JSON"}]}, 422)
    errors, counts = check(query)
    if errors:
        return JSONResponse({"error": "Invalid request", "errors": errors}, 422)
    job = uuid.uuid4().hex
    open(f"{JOBS}/{job}.run", "w").close()
    asyncio.get_running_loop().run_in_executor(pool, work, job, counts)
    return {"modelQueryId": job}


@app.get("/api/model-queries/{job}/status")
async def status(job: str, request: Request):
    if (no := denied(request)) is not None:
        return no
    if job.isalnum() and os.path.exists(f"{JOBS}/{job}.json"):
        return {"status": "ready", "downloadUrl": f"{request.base_url}dl/{job}.json"}
    if job.isalnum() and os.path.exists(f"{JOBS}/{job}.failed"):
        return {"status": "failed", "message": open(f"{JOBS}/{job}.failed").read()}
    if job.isalnum() and os.path.exists(f"{JOBS}/{job}.run"):
        return {"status": "running"}
    return JSONResponse({"error": "not found"}, 404)


@app.get("/dl/{name}")
async def download(name: str):
    path = f"{JOBS}/{name}"
    if not name.removesuffix(".json").isalnum() or not os.path.exists(path):
        return JSONResponse({"error": "not found"}, 404)
    with open(path, "rb") as file:
        return Response(file.read(), media_type="application/json")
