"""A server for the length of a `with`, and calls to it without any client's help."""
import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

SERVER = os.environ.get("CELLMILL_TEST_SERVER") or "build/release/test_server"
PROGRAM = os.environ.get("CELLMILL_PROGRAM") or "build/release/cellmill"
BULK, SC = "gem-1-bulk_predict-metadata", "gem-1-sc_predict-metadata"


class Running:
    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method, path, body=None, token=None, timeout=30, **headers):
        """(status, headers, body: parsed if it is JSON)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        is_json = reply.headers.get("Content-Type", "").startswith("application/json")
        return reply.status, reply.headers, json.loads(text) if is_json else text

    def predict(self, body, model=BULK, **more):
        return self.call("POST", f"/api/models/{model}/predict", body, **more)

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def started(command):
    """Of a command that listens, with FOLDER for a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("r") as log:
        words = [folder if word == "FOLDER" else str(word) for word in command]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=open(log.name, "w"))
        try:
            yield Running(process, port_of(process, log), log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def server(folder="FOLDER", **settings):
    """The test predictor's."""
    return started([SERVER, "0", folder] + [f"{name}={value}" for name, value in settings.items()])


def program(models, *options):
    """`cellmill serve` of {name: folder}."""
    return started([PROGRAM, "serve", "--port", "0", "--jobs", "FOLDER", *options] + [w for name, run in models.items() for w in ("--model", f"{name}={run}")])


def port_of(process, log, patience=60):
    end = time.time() + patience
    while time.time() < end and process.poll() is None:
        log.seek(0)
        found = re.search(r"listening on \S+:(\d+)", log.read())
        if found:
            return int(found[1])
        time.sleep(0.02)
    log.seek(0)
    sys.exit(f"the server does not listen:\n{log.read()}")


def tokens_file(path, **tokens):
    path.write_text("".join(f"{name} {hashlib.sha256(t.encode()).hexdigest()}\n" for name, t in tokens.items()))
    return path
