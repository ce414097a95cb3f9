"""judge_golden.py PROGRAM ROOT: `cellmill golden` on the committed cases, on fresh ones of another seed, on damaged ones (it must see them),
and on the full sets in ../shared/golden where they are; in all forms of the step."""
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

program, root = sys.argv[1], pathlib.Path(sys.argv[2])


def golden(folder, compute):
    run = subprocess.run([program, "golden", str(folder), "--compute", compute], capture_output=True, text=True, timeout=200)
    last = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else run.stderr
    print(f"{folder}, {compute}: {last} (exit {run.returncode})")
    return run.returncode, last, run.stdout


def all_pass(folder, summary):
    for compute in ("plain", "dense", "factored"):
        code, last, text = golden(folder, compute)
        assert code == 0 and summary in last, text


def factor_passes(folder, summary):
    code, last, text = golden(folder, "plain")
    assert code == 0 and summary in last, text


committed = root / "tests/golden/cases"
factor = root / "tests/golden/factor_cases"
all_pass(committed, "8 passed, 0 failed, 0 skipped")
factor_passes(factor, "6 passed, 0 failed, 0 skipped")

with tempfile.TemporaryDirectory() as scratch:
    fresh = pathlib.Path(scratch) / "fresh"
    seed = random.randrange(1000, 9999)
    print("seed", seed)
    subprocess.run([sys.executable, root / "tools/golden/cycle_golden.py", fresh, str(seed)], check=True, timeout=200)
    all_pass(fresh, "8 passed, 0 failed, 0 skipped")
    fresh = pathlib.Path(scratch) / "fresh_factor"
    subprocess.run([sys.executable, root / "tools/golden/factor_golden.py", fresh, str(seed)], check=True, timeout=200)
    factor_passes(fresh, "6 passed, 0 failed, 0 skipped")

    from safetensors import safe_open
    from safetensors.torch import save_file

    def damaged(case, names):
        for name in names:
            wrong = pathlib.Path(scratch) / "wrong"
            shutil.rmtree(wrong, ignore_errors=True)
            wrong.mkdir()
            with safe_open(case, "pt") as f:
                tensors, metadata = {k: f.get_tensor(k) for k in f.keys()}, f.metadata()
            tensors[name].view(-1)[-1] += 1e-6
            save_file(tensors, wrong / case.name, metadata=metadata)
            code, last, text = golden(wrong, "plain")
            assert code == 1 and last == "0 passed, 1 failed, 0 skipped" and name.split("/")[0] in text, text

    damaged(committed / "basic.f64.safetensors",
            ("grad0/dec.assay.weight", "adam_v5/ffn.cell_type.w1", "out/Xsts", "loss/int", "param5/base.weight"))
    damaged(factor / "bulk.f64.safetensors",
            ("grad0/enc.in.weight", "adam_m5/clf.sex.weight", "out/generated", "out/prob.dose", "loss/rec_prior", "loss/kl.technical", "param5/lik.log_var"))

for folder in ("cycle", "cycle_original"):
    shared = root.parent / "shared/golden" / folder
    if shared.is_dir():
        all_pass(shared, ", 0 failed")
    else:
        print(f"{shared} is not there: not run")

factor = root.parent / "shared/golden/factor"
if factor.is_dir():
    factor_passes(factor, ", 0 failed, 0 skipped")
else:
    print(f"{factor} is not there: not run")
