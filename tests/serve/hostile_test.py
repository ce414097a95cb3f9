"""Requests that nobody should send, and what the server makes of them."""
import concurrent.futures
import json
import os
import resource
import signal
import ssl
import subprocess
import time
import urllib.request

import pytest
from serving import BULK, SC, server, tokens_file

GENES = 60
GOOD = {"inputs": [{"counts": [1] * GENES}]}


@pytest.fixture(scope="module")
def running():
    with server(genes=GENES, samples=4, head_seconds=1, body_seconds=1) as one:
        yield one


def counts(first):
    return '{"inputs":[{"counts":[' + first + ",1" * (GENES - 1) + "]}]}"


WRONG = {
    "negative": (counts("-1"), "inputs[0].counts[0]"),
    "not whole": (counts("10.5"), "inputs[0].counts[0]"),
    "NaN": (counts("NaN"), "inputs[0].counts[0]"),
    "Infinity": (counts("Infinity"), "inputs[0].counts[0]"),
    "1e400": (counts("1e400"), "inputs[0].counts[0]"),
    "text": (counts('"1"'), "inputs[0].counts[0]"),
    "null": (counts("null"), "inputs[0].counts[0]"),
    "huge": (counts("123456789012345678901234567890"), "inputs[0].counts[0]"),
    "too deep": (counts("[" * 5000), "inputs[0].counts[0]"),
    "short": ('{"inputs":[{"counts":[1,2,3]}]}', "inputs[0].counts"),
    "long": ('{"inputs":[{"counts":[' + "1," * GENES + "1]}]}", "inputs[0].counts"),
    "zeros": ('{"inputs":[{"counts":[0' + ",0" * (GENES - 1) + "]}]}", "inputs[0].counts"),
    "no counts": ('{"inputs":[{}]}', "inputs[0].counts"),
    "second": ('{"inputs":[{"counts":[1' + ",1" * (GENES - 1) + ']},{"counts":[]}]}', "inputs[1].counts"),
    "too many samples": (json.dumps({"inputs": GOOD["inputs"] * 5}), "inputs"),
    "no inputs": ("{}", "inputs"),
    "unknown": (json.dumps({**GOOD, "sead": 1}), "sead"),
    "deep object": ('{"x":' * 3000 + "1" + "}" * 3000, "x"),
    "list": ("[]", ""),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("accept", ["application/json", "application/vnd.apache.arrow.stream"])
def test_what_is_wrong_is_told_by_its_path(running, name, accept):
    body, path = WRONG[name]
    status, _, answer = running.predict(body, Accept=accept)
    assert status in (400, 422), answer
    assert answer["errors"][0]["path"] == path and answer["errors"][0]["message"].strip(), answer
    assert running.predict(GOOD)[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b'{"inputs":[', b"null", b"x" * 3000, b"[" * 20000, b'{"inputs":[{"counts":[1]}]} 1'])
def test_what_is_no_json(running, body):
    status, _, answer = running.predict(body)
    assert status in (400, 422) and answer["errors"], answer


def test_a_body_that_is_too_large_is_refused_unread(running):
    before = running.memory()
    zeros = b'{"inputs":[{"counts":[' + b"0," * 100_000_000  # 200 MB
    status, _, answer = running.predict(zeros, timeout=60)
    assert status == 413 and answer["errors"][0]["path"] == "", answer
    assert running.memory() - before < 20e6


def test_a_chunked_body_has_the_same_limit(running):
    status, _, answer = running.call("POST", f"/api/models/{BULK}/predict", iter([b"0," * 500_000] * 10))
    assert status == 413, answer


def test_addresses_and_methods(running):
    for method, path, expected in [
        ("GET", "/nothing", 404), ("GET", "/../../etc/passwd", 404), ("GET", "/download/x/../y.json", 404),
        ("GET", "/download/" + "0" * 32 + ".json", 404), ("GET", "/api/model-queries/none/status", 404),
        ("POST", "/api/models/none/predict", 404), ("GET", f"/api/models/{BULK}/predict", 405), ("DELETE", "/", 405),
        ("GET", "/api/models/%00/example-query", 404), ("GET", "/" + "a" * 8000, 404), ("GET", "/" + "a" * 30000, 431),
    ]:  # fmt: skip
        status, _, answer = running.call(method, path, "{}" if method == "POST" else None)
        assert status == expected and "error" in answer, (method, path[:40], status)
    assert running.predict(json.dumps(GOOD), Content_Encoding="gzip")[0] == 415


@pytest.mark.parametrize("text", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50, b"GET / HTTP/1.1\r\nA: " + b"b" * 40000 + b"\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"])
def test_what_is_no_http(running, text):
    with running.raw() as line:
        line.sendall(text)
        begin = time.time()
        answer = line.recv(65536)
        assert not answer or answer.split()[1][:1] == b"4", answer
        assert time.time() - begin < 10
    assert running.call("GET", "/healthz")[0] == 200


def test_who_dawdles_is_cut_off(running):
    head = f"POST /api/models/{BULK}/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n".encode()
    lines = [running.raw() for _ in range(50)]
    begin = time.time()
    for i, line in enumerate(lines):
        line.sendall(head if i % 2 else head + b"\r\n" + b"{")  # half a head, or half a body
    with running.raw() as slow:  # a byte at a time
        try:
            for byte in head * 100:
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
                assert time.time() - begin < 20
        except OSError:
            pass
    for line in lines:
        line.settimeout(20)
        assert line.recv(10) == b""
        line.close()
    assert running.predict(GOOD)[0] == 200


def test_more_connections_than_allowed_are_told_so():
    with server(connections=4, genes=GENES) as one:
        lines = [one.raw() for _ in range(4)]
        time.sleep(0.3)
        status, headers, answer = one.call("GET", "/healthz")
        assert status == 503 and headers["Retry-After"] and answer["error"] == "too many connections"
        for line in lines:
            line.close()
        time.sleep(0.3)
        assert one.call("GET", "/healthz")[0] == 200


def test_tokens(tmp_path):
    audit = tmp_path / "audit.jsonl"
    with server(genes=GENES, tokens=tokens_file(tmp_path / "tokens", ana="secret"), audit=audit) as one:
        for token in (None, "wrong", "secre", "secret2"):
            for method, path in [("GET", "/api/models"), ("POST", f"/api/models/{BULK}/predict"), ("GET", "/metrics"), ("GET", "/api/model-queries/x/status"), ("GET", "/api/none")]:
                status, headers, answer = one.call(method, path, token=token)
                assert status == 401 and headers["WWW-Authenticate"] == "Bearer", (path, answer)
        assert one.predict(b"0" * 50_000_000, timeout=60)[0] == 401
        for path in ("/healthz", "/readyz", "/openapi.json", "/"):
            assert one.call("GET", path)[0] == 200
        status, _, answer = one.predict(GOOD, token="secret")
        assert status == 200
        state = one.call("GET", f"/api/model-queries/{answer['modelQueryId']}/status", token="secret")[2]
        link = state["downloadUrl"].removeprefix(one.url)
        assert answer["modelQueryId"] not in link
        assert one.call("GET", link)[0] == 200  # no token
        one.end()
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert {line["who"] for line in lines} == {"ana", "denied"}
    assert any(line["status"] == 200 and line["method"] == "POST" and line["who"] == "ana" for line in lines)
    assert "secret" not in audit.read_text() and link not in audit.read_text()


def test_a_full_queue_is_429_and_nothing_accepted_is_lost():
    with server(genes=GENES, queue=4, rows=1, samples=4, delay_ms=200) as one:
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: one.predict(GOOD), range(20)))
        refused = [a for a in answers if a[0] == 429]
        taken = [a for a in answers if a[0] == 200]
        assert len(refused) + len(taken) == 20 and refused and taken
        assert all(int(a[1]["Retry-After"]) >= 1 for a in refused)
        for _, _, answer in taken:
            assert one.call("GET", f"/api/model-queries/{answer['modelQueryId']}/status")[2]["status"] == "ready"


def test_a_model_that_fails_says_nothing_of_the_server(running):
    poison = {"inputs": [{"counts": [666] + [0] * (GENES - 1)}]}
    status, _, answer = running.predict(poison, Accept="application/vnd.apache.arrow.stream")
    assert status == 500 and answer == {"error": "the model could not answer"}
    answer = running.predict(poison)[2]
    state = running.call("GET", f"/api/model-queries/{answer['modelQueryId']}/status")[2]
    assert state == {"status": "failed", "message": "the model could not answer"}
    assert running.predict(GOOD)[0] == 200


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_accepted_jobs_outlive_the_server(tmp_path, how):
    with server(tmp_path / "jobs", genes=GENES, rows=1, delay_ms=300) as one:
        ids = [one.predict({**GOOD, "seed": i})[2]["modelQueryId"] for i in range(6)]
        done = one.call("GET", f"/api/model-queries/{ids[0]}/status")[2]
        before = one.call("GET", done["downloadUrl"].removeprefix(one.url))[2]
        ended = one.end(how)
        assert ended == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    with server(tmp_path / "jobs", genes=GENES) as two:
        for i, job in enumerate(ids):
            state = two.call("GET", f"/api/model-queries/{job}/status")[2]
            assert state["status"] == "ready", state
            answer = two.call("GET", state["downloadUrl"].removeprefix(two.url))[2]
            if i == 0:
                assert answer == before
        two.end()
    with server(tmp_path / "jobs", genes=GENES + 1) as three:  # finished ones keep their genes
        state = three.call("GET", f"/api/model-queries/{ids[0]}/status")[2]
        assert three.call("GET", state["downloadUrl"].removeprefix(three.url))[2] == before


def test_a_job_of_another_model_fails_with_its_reason(tmp_path):
    with server(tmp_path / "jobs", genes=GENES, delay_ms=5000) as one:
        job = one.predict(GOOD)[2]["modelQueryId"]
        one.end(signal.SIGKILL)
    with server(tmp_path / "jobs", genes=GENES + 1) as two:
        state = two.call("GET", f"/api/model-queries/{job}/status")[2]
        assert state["status"] == "failed" and "restarted with another model" in state["message"], state


def test_a_question_for_the_state_is_held_until_it_is_known():
    with server(genes=GENES, delay_ms=700, hold=0.2) as one:
        job = one.predict(GOOD)[2]["modelQueryId"]
        begin = time.time()
        assert one.call("GET", f"/api/model-queries/{job}/status")[2] == {"status": "running"}
        assert 0.15 < time.time() - begin < 5
    with server(genes=GENES, delay_ms=700) as one:
        job = one.predict(GOOD)[2]["modelQueryId"]
        assert one.call("GET", f"/api/model-queries/{job}/status")[2]["status"] == "ready"


def test_metrics_and_health(running):
    running.predict(GOOD)
    text = running.call("GET", "/metrics")[2].decode()
    assert 'cellmill_http_requests_total{route="predict",status="200"}' in text
    assert "cellmill_batch_samples_count" in text and 'cellmill_queue_samples{model="gem-1-sc"}' in text
    assert running.call("GET", "/readyz")[2]["status"] == "ready"
    api = running.call("GET", "/openapi.json")[2]
    assert api["openapi"].startswith("3.1") and BULK in api["components"]["parameters"]["model_id"]["schema"]["enum"]
    assert b"<!doctype html>" in running.call("GET", "/")[2]


def test_tls(tmp_path):
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], capture_output=True)
    if made.returncode:
        pytest.skip("no openssl program to make a certificate with")
    with server(genes=GENES, certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem") as one:
        trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
        url = one.url.replace("http:", "https:")
        ask = lambda path, body=None: json.load(urllib.request.urlopen(urllib.request.Request(url + path, body and json.dumps(body).encode()), context=trust))
        job = ask(f"/api/models/{SC}/predict", GOOD)["modelQueryId"]
        link = ask(f"/api/model-queries/{job}/status")["downloadUrl"]
        assert link.startswith(url) and len(ask(link.removeprefix(url))["outputs"]) == 1
        with one.raw() as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"200" not in plain.recv(100)


def test_memory_stays_flat():
    body = json.dumps({"inputs": [{"counts": [i % 7 for i in range(2000)]}] * 8})
    with server(genes=2000, keep_hours=0) as one:
        def burst(n):
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                assert set(a[0] for a in pool.map(lambda _: one.predict(body, Accept="application/vnd.apache.arrow.stream"), range(n))) == {200}
        burst(100)
        before = one.memory()
        burst(300)
        assert one.memory() - before < 30e6, (before, one.memory())


def test_a_full_disk_refuses_jobs_without_asking_the_model():
    def batches(running):
        return [line for line in running.call("GET", "/metrics")[2].decode().splitlines() if "batch_samples_count" in line]

    with server(genes=GENES) as running:
        assert running.predict(GOOD)[0] == 200
        before = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (1, before[1]))
        running.predict(GOOD)  # from here on the server knows
        time.sleep(0.2)
        asked = batches(running)
        for _ in range(5):
            status, headers, answer = running.predict(GOOD)
            assert (status, answer) == (503, {"error": "the job could not be stored"}) and int(headers["Retry-After"]) > 0
        assert batches(running) == asked
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, before)
        job = running.predict(GOOD)[2]["modelQueryId"]
        assert running.call("GET", f"/api/model-queries/{job}/status")[2]["status"] == "ready"
