"""completion_test.py CELLMILL: completion as bash, zsh and fish themselves do it. A shell that is not installed is left out, loudly."""
import os
import pathlib
import pty
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
ENVIRONMENT = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
# what is typed before the tab, and the line after it
UNIQUE = {
    "cellmill trai": "cellmill train ",
    "cellmill config che": "cellmill config check ",
    "cellmill completion ba": "cellmill completion bash ",
    "cellmill train --dry": "cellmill train --dry-run ",
    "cellmill train --set train.epo": "cellmill train --set train.epochs=",
    "cellmill train --set train.schedule=cos": "cellmill train --set train.schedule=cosine ",
    "cellmill train --set optimizer.shard=t": "cellmill train --set optimizer.shard=true ",
}


class Terminal:
    """A shell as somebody sits before it."""

    def __init__(self, *command):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], command, ENVIRONMENT)
        self.said = b""

    def write(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, mark, seconds=60):
        end = time.monotonic() + seconds
        while mark.encode() not in self.said:
            if time.monotonic() > end:
                raise AssertionError(f"no {mark!r} in {self.said[-400:]!r}")
            if select.select([self.terminal], [], [], 0.1)[0]:
                self.said += os.read(self.terminal, 65536)
        before, _, self.said = self.said.partition(mark.encode())
        return before.decode(errors="replace")

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.process, 0)


class Completion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def script(self, shell):
        if not shutil.which(shell):
            self.skipTest(f"{shell} is not installed")
        path = self.folder / f"cellmill.{shell}"
        path.write_bytes(subprocess.run([PROGRAM, "completion", shell], check=True, capture_output=True, timeout=60).stdout)
        return path

    def after_tab(self, terminal, typed):
        """The line that is there after the tab: it is put into quotes and printed."""
        terminal.write(typed + "\t")
        time.sleep(0.3)
        terminal.write("\x01printf 'LINE<%s>\\n' '\x05'\r")
        terminal.read_until("\nLINE<")
        return terminal.read_until(">")

    def judge(self, terminal, script):
        terminal.write(f"PS1='> '; unset zle_bracketed_paste; source {script}; printf 'LOADED%s\\n' :\r")
        terminal.read_until("LOADED:")
        found = {typed: self.after_tab(terminal, typed).rstrip() for typed in UNIQUE}
        terminal.close()
        self.assertEqual(found, {typed: line.rstrip() for typed, line in UNIQUE.items()})

    def test_bash(self):
        self.judge(Terminal("bash", "--norc", "--noprofile", "-i"), self.script("bash"))

    def test_zsh(self):
        self.judge(Terminal("zsh", "-f", "-i"), self.script("zsh"))

    def test_fish(self):
        script = self.script("fish")
        for typed, line in UNIQUE.items():
            command = ["fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'"]
            done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True)
            words = [row.split("\t")[0] for row in done.stdout.splitlines()]
            self.assertIn(line.split()[-1], words, typed)
            self.assertLessEqual(len(words), 2, typed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
