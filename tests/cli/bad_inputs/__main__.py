"""What cellmill must not take, case by case: exit code, and file, place, expected, found and hint in what it says.

    bad_inputs CELLMILL PREPROCESS_METADATA [--only TEXT] [--show]

Every case spoils one thing of a good data set and runs the program on it. Nothing half-written may stay behind. --show prints
what was said.
"""
import argparse
import concurrent.futures
import os
import pathlib
import sys
import tempfile

import checkpoint_cases
import h5ad_cases
import metadata_cases
import npz_cases
import pack_cases
import settings_cases
from place import Programs, Template

GROUPS = (npz_cases, h5ad_cases, pack_cases, metadata_cases, settings_cases, checkpoint_cases)


def judge(case, template, root, show):
    """What did not hold, in words; empty if all did."""
    place = template.copy(root / str(case.number))
    command = case.spoil(place)
    before = place.everything()
    done = place.run(command)
    if show:
        print(f"--- {case.name}: {done.code}\n{done.said.replace(str(place.folder) + '/', '')}", flush=True)
    wrong = [] if done.code == case.code else [f"exit {done.code}, expected {case.code}"]
    wrong += [f"does not say: {text}" for text in case.says if text not in done.said]
    if "Traceback" in done.said or "terminate called" in done.said:
        wrong.append("it broke instead of refusing")
    left = sorted(place.everything() - before) if case.code else []
    # a run's folder keeps its log and failure.json; what was packed so far is gone on with
    left = [name for name in left if not name.startswith("run") and ".packing" not in name]
    if left:
        wrong.append(f"left behind: {left}")
    return [*wrong, done.said] if wrong else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cellmill")
    parser.add_argument("preprocess_metadata")
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--show", action="store_true", help="print what was said")
    options = parser.parse_args()
    programs = Programs(*map(os.path.abspath, (options.cellmill, options.preprocess_metadata)))
    cases = [case for group in GROUPS for case in group.CASES]
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    for number, case in enumerate(cases):
        case.number = number
    cases = [case for case in cases if options.only in case.name]
    held = 0
    with tempfile.TemporaryDirectory(prefix="bad_inputs-") as name, concurrent.futures.ThreadPoolExecutor(2) as pool:
        root = pathlib.Path(name)
        template = Template(root / "good", programs, with_run=any(case.needs_run for case in cases))
        for case, wrong in zip(cases, pool.map(lambda case: judge(case, template, root, options.show), cases), strict=True):
            held += not wrong
            if wrong:
                print(f"NOT HELD {case.name}\n  " + "\n  ".join(wrong).replace(str(root), ""), flush=True)
    print(f"bad inputs: {len(cases)} tried, {held} held")
    sys.exit(held != len(cases))


if __name__ == "__main__":
    main()
