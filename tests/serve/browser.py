"""A headless Chromium, driven through its debugging pipe."""
import contextlib
import json
import os
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium")


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

    def text(self, name):
        return self.run(f"document.getElementById('{name}').textContent")

    def give(self, path, patience=60):
        """Chooses the file by the page's own input; once it is answered or refused, what the page says."""
        self.run("document.getElementById('error').textContent = ''; document.getElementById('answer').replaceChildren()")
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        self.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=self.ask("DOM.querySelector", nodeId=root, selector="#file")["nodeId"])
        done = "document.getElementById('error').textContent || document.querySelector('#answer tbody') ? done() : setTimeout(look, 10)"
        self.run(f"Promise.race([new Promise(done => (function look() {{ {done} }})()), new Promise((_, no) => setTimeout(() => no('no answer'), {1000 * patience}))])")
        return self.text("error") or self.text("state")

    def end(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def browser(profile):
    one = Browser(profile)
    try:
        yield one
    finally:
        one.end()
