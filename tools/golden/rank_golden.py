"""Golden cases of the rank encoder, by transformers: rank_golden.py OUTDIR [SEED].

A folder a case: config.json and model.safetensors, as save_pretrained writes them, and case.f32.safetensors and case.f64.safetensors:
one padded batch (input_ids, attention_mask, labels; -100: not to be predicted), hidden.0 ... hidden.N, logits, loss, grad.<parameter>.
`cellmill golden OUTDIR` runs them."""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM

VOCABULARY, LONGEST = 31, 14
CASES = {"relu": ("relu", False), "gelu": ("gelu", False), "relu_v2": ("relu", True)}  # activation, <cls> and <eos>


def make_model(activation):
    config = BertConfig(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                        max_position_embeddings=LONGEST, hidden_act=activation, layer_norm_eps=1e-12, initializer_range=0.3,
                        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, type_vocab_size=2, pad_token_id=0,
                        attn_implementation="eager")
    model = BertForMaskedLM(config).eval()
    with torch.no_grad():  # biases are not 0, weights of layer norms not 1
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model


def make_batch(special_tokens):
    lengths = [LONGEST, 3 if special_tokens else 1, 9, 6]
    ids = torch.zeros(len(lengths), LONGEST, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for row, length in enumerate(lengths):
        ids[row, :length] = 4 + torch.randperm(VOCABULARY - 4)[:length]
        if special_tokens:
            ids[row, 0], ids[row, length - 1] = 2, 3
        hidden = torch.rand(length) < 0.3
        hidden[length // 2] = True
        labels[row, :length][hidden] = ids[row, :length][hidden]
        ids[row, :length][hidden] = 1
    mask = (torch.arange(LONGEST) < torch.tensor(lengths)[:, None]).long()
    return ids, mask, labels


def write(folder, model, batch):
    model.save_pretrained(folder)
    ids, mask, labels = batch
    for dtype, tag in ((torch.float32, "f32"), (torch.float64, "f64")):
        model = model.to(dtype)
        model.zero_grad()
        out = model(input_ids=ids, attention_mask=mask, labels=labels, output_hidden_states=True)
        out.loss.backward()
        tensors = {"input_ids": ids, "attention_mask": mask, "labels": labels, "logits": out.logits.detach(), "loss": out.loss.detach()[None]}
        tensors |= {f"hidden.{k}": hidden.detach() for k, hidden in enumerate(out.hidden_states)}
        tensors |= {f"grad.{name}": parameter.grad for name, parameter in model.named_parameters()}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / f"case.{tag}.safetensors")
    model.to(torch.float32)


def main():
    out, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    torch.manual_seed(seed)
    for name, (activation, special_tokens) in CASES.items():
        write(out / name, make_model(activation), make_batch(special_tokens))


main()
