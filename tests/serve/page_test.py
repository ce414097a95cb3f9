"""The page at "/" in a headless Chromium, driven through its debugging pipe."""
import base64
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from serving import server, tokens_file

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium")
GENES = 60


class Browser:
    """Commands of the DevTools protocol as NUL-ended JSON over file descriptors 3 (to it) and 4 (from it)."""

    def __init__(self, profile):
        to_read, self.out = os.pipe()
        self.inn, from_write = os.pipe()
        words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1100,900", f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        shell = f'exec 3<&{to_read} 4>&{from_write}; exec "$@"'
        self.process = subprocess.Popen(["bash", "-c", shell, "bash", *words], pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.number, self.rest, self.session = 0, b"", None

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                piece = os.read(self.inn, 1 << 16)
                assert piece, "the browser has ended"
                self.rest += piece
            text, self.rest = self.rest.split(b"\0", 1)
            reply = json.loads(text)
            if reply.get("id") == self.number:
                assert "error" not in reply, reply
                return reply["result"]

    def open(self, url):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.ask("Page.navigate", url=url)
        self.run("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def run(self, code):
        result = self.ask("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def end(self):
        self.process.terminate()
        self.process.wait()


def table(genes_down):
    names = ["a", "b", "c"]
    rows = [[f"GENE{g}", *(str((g * (s + 2)) % 5) for s in range(3))] for g in range(0, GENES, 2)]
    rows = [["gene", *names], *rows]
    if not genes_down:
        rows = list(map(list, zip(*rows)))
    return "\n".join(",".join(row) for row in rows)


def test_a_dropped_table_is_answered(tmp_path):
    tokens = tokens_file(tmp_path / "tokens", ana="secret")
    with server(genes=GENES, tokens=tokens) as one:
        browser = Browser(tmp_path / "profile")
        try:
            browser.open(one.url + "/")
            browser.run("new Promise(done => setTimeout(done, 300))")
            assert "token" in browser.run("document.getElementById('error').textContent")
            browser.run("document.getElementById('token').value = 'secret'; document.getElementById('error').textContent = ''; models()")
            answers = []
            for genes_down in (True, False):
                browser.run(f"take(new File([{json.dumps(table(genes_down))}], 'x.csv'))")
                assert browser.run("document.getElementById('error').textContent") == ""
                assert f"30 of the model's {GENES} genes" in browser.run("document.getElementById('state').textContent")
                answers.append(browser.run("document.getElementById('answer').innerText"))
                assert browser.run("document.querySelectorAll('#answer tbody tr').length") == 3
            assert answers[0] == answers[1] and "CL:" in answers[0] and "75 %" in answers[0]
            assert browser.run("document.querySelectorAll('#answer circle title').length") == 3
            colours = "new Set([...document.querySelectorAll('#answer circle')].map(c => c.getAttribute('fill'))).size"
            before = browser.run(colours)
            browser.run("document.getElementById('colour').value = 'sex'; document.getElementById('colour').onchange()")
            assert 1 <= browser.run(colours) <= 2 and before >= 1
            picture = browser.ask("Page.captureScreenshot", format="png")["data"]
            pathlib.Path(os.environ.get("CELLMILL_PICTURE") or tmp_path / "page.png").write_bytes(base64.b64decode(picture))
            browser.run("take(new File(['gene,a\\nGENE1,-3\\nGENE2,4'], 'x.csv'))")
            assert "inputs[0].counts[1]: must be a whole number" in browser.run("document.getElementById('error').textContent")
            browser.run("take(new File(['x'], 'cells.h5ad'))")
            assert "cellmill predict-metadata --input cells.h5ad" in browser.run("document.getElementById('error').textContent")
            browser.run("take(new File(['gene,a\\nother,3\\nthing,4'], 'x.csv'))")
            assert "No gene name" in browser.run("document.getElementById('error').textContent")
        finally:
            browser.end()
