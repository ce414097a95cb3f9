"""What cellmill promises when it is killed, refused or fed damage, tried out fault by fault.

    crash_matrix CELLMILL MPIRUN [kills|refusals|moments|damage ...] [--long] [--only TEXT] [--first N] [--jobs N] [--list]

Without --long a sample that CI can pay for; with it every system call, every error, a thousand moments. Prints a table of what
was tried and what held, and ends with 1 if anything did not. Case names go to --only, which repeats them; --first goes on with
the case of that number.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import shutil
import sys
import tempfile
import time

import damage
import moments
import system_calls
from runs import NotHeld, Place, Programs


class Case:
    def __init__(self, fault, name, action, tries):
        self.fault, self.name, self.action, self.tries = fault, name, action, tries


class Matrix:
    def __init__(self, programs, root, long):
        self.programs, self.root, self.long = programs, root, long
        self.expected, self.seconds, self.cases, self.skipped = {}, {}, [], {}

    def add(self, fault, name, function, *arguments, tries=1):
        name = f"{len(self.cases):04}-{name}"
        self.cases.append(Case(fault, name, lambda: function(*arguments, self.root / name), tries))

    def unbroken(self, ranks, epochs=2):
        """What every other run must come to; alone, from two runs, so that a difference means something."""
        if (ranks, epochs) not in self.expected:
            for twin in "ab"[:1 if ranks > 1 else 2]:
                place = Place(self.root / f"unbroken-{ranks}-{epochs}-{twin}", self.programs, epochs)
                ended = place.start(ranks=ranks).end()
                if ended.code:
                    sys.exit(f"the unbroken run ended with {ended.code}\n{ended.said}")
                outcome = self.expected.setdefault((ranks, epochs), place.outcome())
                self.seconds[ranks, epochs] = ended.seconds
                if place.outcome() != outcome:
                    sys.exit(f"two unbroken runs differ: {place.outcome()} and {outcome}")
        return self.expected[ranks, epochs]

    def run(self, only, first, jobs):
        """[(fault, tried, held, untellable)], in the order in which faults were added. A case returns False where no program
        could tell."""
        tried, held, untellable = collections.Counter(), collections.Counter(), collections.Counter()
        cases = [case for case in self.cases[first:] if only in case.name]
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(case.action): case for case in cases}
            for future in concurrent.futures.as_completed(futures):
                case = futures[future]
                tried[case.fault] += case.tries
                try:
                    (untellable if future.result() is False else held)[case.fault] += case.tries
                except Exception as why:  # an outcome that cannot even be read is not held either
                    kind = "" if isinstance(why, NotHeld) else f"{type(why).__name__}: "
                    print(f"NOT HELD {case.name}: {kind}{why}\n", flush=True)
        return [(fault, tried[fault], held[fault], untellable[fault]) for fault in dict.fromkeys(c.fault for c in cases)]


GROUPS = {"kills": system_calls.add_kills, "refusals": system_calls.add_refusals, "moments": moments.add, "damage": damage.add}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cellmill")
    parser.add_argument("mpirun")
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--long", action="store_true", help="all of it: hours")
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="begin with case N of the groups asked for")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="cases at a time (default: one a core)")
    parser.add_argument("--list", action="store_true", help="names of the cases, and stop")
    options = parser.parse_args()
    start = time.monotonic()
    root = pathlib.Path(tempfile.mkdtemp(prefix="crash-matrix-"))
    try:
        matrix = Matrix(Programs(options.cellmill, options.mpirun), root, options.long)
        for group in options.groups or GROUPS:
            GROUPS[group](matrix)
        if options.list:
            print("\n".join(case.name for case in matrix.cases if options.only in case.name))
            return 0
        rows = matrix.run(options.only, options.first, options.jobs)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if rows:
        print("| fault | tried | held | |\n|---|---|---|---|")
    for fault, tried, held, untellable in rows:
        print(f"| {fault} | {tried} | {held} | {f'{untellable} that nothing can tell' if untellable else ''} |")
    for fault, why in matrix.skipped.items():
        print(f"{'SKIPPED' if not rows else 'left out'}: {fault}: {why}")
    print(f"{time.monotonic() - start:.0f} s, {options.jobs} at a time")
    return 0 if all(tried == held + untellable for _, tried, held, untellable in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
