"""tools/gpu_check: without a GPU, its dry run, and with stand-ins for GPU and programs: a failing stage, the table."""

import json
import pathlib
import sys

import pytest

from conftest import ROOT

FIGURES = {f"{form}_{precision}": 9000 for form in ("dense", "factored") for precision in ("float32", "tf32", "bfloat16")}
PYTHON = f"""case "$*" in
  *limits.py*) echo '{json.dumps({**FIGURES, "peaks": {"float32": 51000, "copy": 3000}})}' ;;
  *--compile*) echo "RuntimeError: no compiler" >&2; exit 1 ;;
  *train.py*) echo '{{"cells_s_med": 1000}}' ;;
  *) exec {sys.executable} "$@" ;;
esac"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Writes stand-ins: a program's name and its shell lines. PATH begins with their folder bin; programs are in build."""

    def stub(name, lines):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)

    stub("bin/nvidia-smi", 'echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)"')
    stub("bin/python", PYTHON)
    for name in ("unit_nn", "unit_data", "unit_models", "unit_train", "unit_comm"):
        stub(f"build/{name}", "exit 0")
    stub("build/cellmill", 'case "$*" in *factored*) echo "FAILED: basic"; exit 1;; esac')
    stub("build/bench_step", """echo '{"cells_per_second": {"median": 4500}}'""")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return stub


def check(tool, folder, stages, *more):
    return tool("gpu_check", "--only", stages, "--build", folder / "build", "--out", folder / "out", "--python", folder / "bin/python", *more)


def test_without_a_gpu(tool, machine):
    machine("bin/nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
    done = tool("gpu_check")
    assert done.returncode == 77 and done.stdout.startswith("no NVIDIA GPU here")


def test_dry_run_names_every_stage_and_command(tool):
    done = tool("gpu_check", "--dry-run")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines() if not line.startswith(" ")] == [
        "build", "unit", "golden", "nccl", "ceilings", "step", "fed", "embed", "table"]  # fmt: skip
    assert "    tools/setup --preset cuda --build-dir build/cuda --no-build\n" in done.stdout or (ROOT / "build/cuda").exists()
    assert "    build/cuda/cellmill golden --device cuda --compute factored tests/golden/cases\n" in done.stdout
    assert " build/cuda/mpi_step_test\n" in done.stdout and "--only gpu-step\n" in done.stdout


def test_unknown_stage(tool):
    done = tool("gpu_check", "--only", "golden,steps")
    assert done.returncode == 64 and done.stderr.startswith("error: no stage steps; expected build, unit, golden")


def test_carried_programs_are_not_built(tool, machine, tmp_path):
    done = check(tool, tmp_path, "build", "--dry-run")
    assert done.stdout.splitlines()[1:] == []


def test_a_failing_stage_is_reported_and_the_rest_goes_on(tool, machine, tmp_path):
    done = check(tool, tmp_path, "golden,unit,nccl")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["unit", "golden", "nccl"]
    assert lines[0].endswith(" s  passed")
    assert lines[1].endswith(f"FAILED: cellmill: exit 1; {tmp_path}/out/golden.log")
    assert "FAILED: mpi" in lines[2], "not there"
    assert "FAILED: basic" in (tmp_path / "out/golden.log").read_text()
    assert "| golden | 0 | cellmill: exit 1 |" in (tmp_path / "out/table.md").read_text()


def test_the_table(tool, machine, tmp_path):
    done = check(tool, tmp_path, "ceilings,step,table", "--rows", "`real`, bfloat16")
    assert done.returncode == 0, done.stdout
    lines = [json.loads(line) for line in (tmp_path / "out/results.jsonl").read_text().splitlines()]
    assert {line["role"] for line in lines} == {"ours", "peer", "limit"}
    assert lines[0]["gpus"] == ["NVIDIA H100 80GB HBM3"]
    table = (tmp_path / "out/table.md").read_text()
    assert table.startswith("# NVIDIA H100 80GB HBM3\n") and '{"float32": 51000, "copy": 3000}' in table
    row = next(line for line in table.splitlines() if line.startswith("| `real`, bfloat16, factored"))
    assert "eager **1,000**<br>compiled exit 1: RuntimeError: no compiler<br>expert **1,000**" in row
    assert "| **9,000** | **4,500** | 4.50 × | ≥ 3 × eager | met |" in row
    assert ", 1 × NVIDIA H100 80GB HBM3, " in table


def test_a_figure_that_is_missing_fails_the_stage(tool, machine, tmp_path):
    machine("build/bench_step", 'echo "error: out of memory" >&2; exit 70')
    done = check(tool, tmp_path, "step", "--rows", "`real`, tf32, dense")
    assert done.returncode == 1
    assert "FAILED: 1 of 1 figures missing: exit 70: error: out of memory" in done.stdout


def test_carry_takes_programs_and_their_libraries_but_torchs(tool, machine, tmp_path):
    for name in ("cellmill-cuda", "cellmill-cpu", "bench_encode", "mpi_communicator_suite", "mpi_step_test"):
        machine(f"build/{name}", "exit 0")
    machine("bin/strip", "exit 0")
    machine("lib/libyaml-cpp.so.0.7", "")
    others = "/x/torch/lib/libtorch.so /usr/lib/libc.so.6 /usr/local/cuda-13.0/lib/libcudart.so.13 /lib/libstdc++.so.6"
    machine("bin/ldd", f"for l in {tmp_path}/lib/libyaml-cpp.so.0.7 {others}; do echo \"lib => $l (0x1)\"; done")
    done = tool("gpu_check", "--carry", tmp_path / "gpu", "--build", tmp_path / "build")
    assert done.returncode == 0 and done.stdout.endswith(f"tools/gpu_check --build {tmp_path}/gpu/build\n")
    assert [file.name for file in (tmp_path / "gpu/lib").iterdir()] == ["libyaml-cpp.so.0.7"]
    assert (tmp_path / "gpu/build/bench_step").exists()


def test_carry_wants_what_is_built(tool, tmp_path):
    done = tool("gpu_check", "--carry", tmp_path / "gpu", "--build", pathlib.Path("nowhere"))
    assert done.returncode == 66 and done.stderr.endswith("not built\n  hint: tools/gpu_check --only build makes it\n")
