"""Bits flipped and ends cut off in every kind of file that cellmill writes: each must be found, with file and place, by what
reads it."""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

from runs import Place, require

BATCH = 40  # damaged checkpoints that one inspection looks at
TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"
PLACE = re.compile(r"bytes? \d+|block \d+|line \d+|format[;:]")


def damaged(data, n, cut):
    """`data` with bit n (of a draw by n) flipped, or cut off there."""
    draw = random.Random(n)
    byte = draw.randrange(len(data))
    if cut:
        return data[:byte]
    changed = bytearray(data)
    changed[byte] ^= 1 << draw.randrange(8)
    return bytes(changed)


def run(programs, cwd, *arguments):
    done = subprocess.run([programs.cellmill, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    return done.returncode, done.stdout, done.stderr


def require_told(name, code, said):
    """Exit 65, and one line that has both the file and a place in it."""
    require(code == 65, f"ended with {code}, not 65", said)
    require(any(name in line and PLACE.search(line) for line in said.splitlines()), f"no word of {name} and a place in it", said)


def checkpoints(programs, whole, file, cut, numbers, path):
    """A batch of copies of one checkpoint, each with its own damage, all found by one `inspect --verify`."""
    shutil.copytree(whole, path)
    folder = path / "run/checkpoints"
    good = sorted(folder.glob("step-*"))[-1]
    for n in numbers:
        copy = folder / f"step-{100000 + n:09}"
        shutil.copytree(good, copy)
        (copy / file).write_bytes(damaged((good / file).read_bytes(), n, cut))
    code, out, err = run(programs, path, "inspect", "run", "--verify", "--json")
    require(code == 65, f"ended with {code}, not 65", err)
    told = {pathlib.Path(v["checkpoint"]).name: v["problem"] for v in json.loads(out)["digests"]}
    for n in numbers:
        problem = told[f"step-{100000 + n:09}"]
        require(file in problem and PLACE.search(problem), f"damage {n} of {file}: {problem or 'not found'}")
    require(all(not problem for name, problem in told.items() if int(name[5:]) < 100000), f"a whole one is called damaged: {told}")
    shutil.rmtree(path)


def text_of_run(programs, whole, pattern, cut, n, path):
    """One damaged file of a finished run, found by `inspect --verify`."""
    shutil.copytree(whole, path)
    [file] = (path / "run").glob(pattern)
    data = file.read_bytes()
    change = damaged(data, n, cut)
    file.write_bytes(change)
    code, out, err = run(programs, path, "inspect", "run", "--verify")
    if pattern.startswith("events") and cut and code == 0 and ends_between_records(change):
        return False  # as whole as any: nothing can tell
    if cut and code == 0 and change + b"\n" == data and not pattern.endswith("jsonl"):
        return False  # a text without its last line's end says the same
    require_told(file.name, code, out + err)
    shutil.rmtree(path)
    return True


def ends_between_records(data):
    at = 0
    while at < len(data):
        at += int.from_bytes(data[at:at + 8], "little") + 16
    return at == len(data) > 0


def input_file(programs, whole, name, command, cut, n, path):
    """One damaged file of what training reads, found by `command`."""
    shutil.copytree(whole, path)
    file = path / name
    file.write_bytes(damaged(file.read_bytes(), n, cut))
    code, out, err = run(programs, path, *command)
    require_told(file.name, code, out + err)
    shutil.rmtree(path)


def add(matrix):
    long, programs = matrix.long, matrix.programs
    whole = matrix.root / "whole"
    place = Place(whole, programs)
    require(place.start().end().code == 0, "no run to damage")
    for file, flips, cuts in (("state.h5", 280, 40), ("manifest.json", 160, 40)):
        for what, count, cut in (("flipped bit", flips, False), ("truncation", cuts, True)):
            count *= 20 if long else 1
            for first in range(0, count, BATCH):
                matrix.add(f"{what} in a checkpoint's {file}", f"{'cut' if cut else 'flip'}-{file}-{first}", checkpoints, programs,
                           whole, file, cut, range(first, first + BATCH), tries=BATCH)
    for pattern in ("metrics.jsonl", "config.yaml", "checkpoints/best.json", "events.out.*"):
        for what, count, cut in (("flipped bit", 10, False), ("truncation", 4, True)):
            for n in range(count * (50 if long else 1)):
                matrix.add(f"{what} in {pattern}", f"{'cut' if cut else 'flip'}-{pattern.replace('/', '-')}-{n}", text_of_run,
                           programs, whole, pattern, cut, n)
    data = matrix.root / "inputs"
    data.mkdir()
    code, _, err = run(programs, data, "pack", "--output", "cells.cmpack", "--set", "data.format=synthetic",
                       "data.synthetic_cells=60", "data.synthetic_genes=20", "data.chunk_cells=20")
    require(code == 0, "no store to damage", err)
    add_input(matrix, data, "cells.cmpack", ["inspect", "cells.cmpack", "--verify"])
    code, _, err = run(programs, data, "unpack", "--input", "cells.cmpack", "--output", "cells")
    require(code == 0, "no folder of chunks", err)
    done = subprocess.run([sys.executable, TOOLS / "preprocess_metadata", "--data-dir", data / "cells", "--pattern", "*.csv"],
                          capture_output=True, text=True)
    if done.returncode:
        matrix.skipped["damaged label codes"] = f"tools/preprocess_metadata: {done.stderr.strip().splitlines()[-1]}"
        return
    fields = json.loads((data / "cells/preproc/metadata_vocab.json").read_text())
    command = ["pack", "--input", "cells", "--output", "again.cmpack", "--set", f"data.fields=[{next(name for name, codes in fields.items() if codes)}]"]
    for name in ("labels.h5", "labels.digests.json", "metadata_vocab.json"):
        add_input(matrix, data, f"cells/preproc/{name}", command)


def add_input(matrix, whole, name, command):
    short = pathlib.Path(name).name
    code, _, err = run(matrix.programs, whole, *command)
    require(code == 0, f"{short} is refused before it is damaged", err)
    (whole / "again.cmpack").unlink(missing_ok=True)
    for what, count, cut in (("flipped bit", 6, False), ("truncation", 3, True)):
        for n in range(500 if matrix.long else count):
            matrix.add(f"{what} in {short}", f"{'cut' if cut else 'flip'}-{short}-{n}", input_file, matrix.programs, whole, name,
                       command, cut, n)
