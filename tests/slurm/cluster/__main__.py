"""slurm/*.sbatch on a real Slurm: slurmctld and three slurmds on virtual hosts of this machine.

    cluster CELLMILL [endings|requeues] [--only NAME] [--long] [--packages FOLDER] [--keep]

Prints a line a test. Without root, namespaces or Slurm's packages it says SKIPPED and why.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import endings
import requeues
import slurm_packages
import virtual_hosts
from job_runs import Workshop
from mini_slurm import MiniSlurm

GROUPS = {"endings": endings.add, "requeues": requeues.add}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cellmill", type=pathlib.Path)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--only", default="", help="the test of this name")
    parser.add_argument("--long", action="store_true", help="also those that wait for Slurm's minutes")
    parser.add_argument("--packages", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "cellmill-slurm-packages",
                        help="where Debian's packages are unpacked if Slurm is not installed")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the cluster and its logs")
    options = parser.parse_args()
    if why := virtual_hosts.why_not():
        return print(f"SKIPPED: {why}")
    try:
        programs = slurm_packages.find(options.packages)
    except slurm_packages.Absent as absent:
        return print(f"SKIPPED: {absent}")
    tests = []
    for group in options.groups or GROUPS:
        GROUPS[group](tests, options.long)
    program = str(options.cellmill.resolve())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cellmill-slurm-")).resolve()
    os.chdir(folder)  # where jobs are submitted
    failed = 0
    try:
        slurm = MiniSlurm(programs, folder / "cluster", 3)
        try:
            shop = Workshop(slurm, folder, program)
            for test in tests:
                if options.only in ("", test.__name__):
                    failed += not held(test, shop)
        finally:
            slurm.close()
    finally:
        os.chdir("/")
        if options.keep:
            print(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return failed


def held(test, shop, again=True):
    start = time.monotonic()
    shop.place_of.clear()
    try:
        test(shop)
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as why:
        if again and shop.set_crash_aside():
            print(f"again  {test.__name__}: a rank crashed in MPI_Init (open-mpi/ompi#12495)", flush=True)
            return held(test, shop, again=False)
        print(f"FAILED {test.__name__} ({time.monotonic() - start:.0f} s): {test.__doc__.strip()}\n{why}", flush=True)
        shop.slurm.ask("scancel", "--user=root")
        return False
    print(f"ok     {test.__name__} ({time.monotonic() - start:.0f} s): {test.__doc__.strip()}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
