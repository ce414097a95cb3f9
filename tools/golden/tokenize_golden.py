#!/usr/bin/env python3
"""Golden cases of the rank tokenizer, from its definition in plain Python: tokenize_golden.py FILE [SEED]

  value = x / n_counts * 10,000 / median in float64, largest first, ties: the lower column first; columns of one gene are summed
  at the first one's place; then the cut, <cls> before and <eos> behind.
"""
import json
import random
import sys

GENES = 12


def tokens_of(row, case):
    """The sequence of one cell: `row` is {column: count}."""
    columns = case["columns"]
    total = sum(row.values())
    sums = {}
    for column in sorted(row):
        gene = columns[column]
        if gene in case["tokens"] and row[column] > 0:
            sums[gene] = sums.get(gene, 0.0) + row[column]
    ranked = sorted((-(x / total * 10_000 / case["medians"][gene]), columns.index(gene), gene) for gene, x in sums.items())
    special = case["special_tokens"]
    kept = [case["tokens"][gene] for _, _, gene in ranked][: case["max_length"] - 2 * special]
    return [2, *kept, 3] if special else kept


def case(name, draw, rows, *, max_length=2048, special=False, medians=None, columns=None):
    first = 4 if special else 2
    genes = [f"ENSG{number:011d}" for number in range(GENES)]
    made = dict(name=name, max_length=max_length, special_tokens=special, columns=columns or genes,
                tokens=dict(zip(genes, draw.sample(range(first, first + GENES), GENES))),
                medians=dict(zip(genes, medians or [round(draw.gammavariate(2, 1) + 0.1, 3) for _ in genes])))
    cells = [{c: x for c, x in enumerate(row) if x} for row in rows]
    return {**made, "cells": [[list(cell), list(cell.values())] for cell in cells],
            "expected": [tokens_of(cell, made) for cell in cells]}


def cases(seed):
    draw = random.Random(seed)
    counts = lambda width=GENES, least=0: [[max(least, int(draw.gammavariate(0.4, 6))) for _ in range(width)] for _ in range(6)]
    genes = [f"ENSG{number:011d}" for number in range(GENES)]
    unknown = ["GENE_A", *genes[:5], "GENE_B", *genes[5:]]
    shared = [*genes[3:6], *genes, *genes[2:5]]
    return [
        case("plain", draw, counts()),
        case("cut", draw, counts(least=1), max_length=5),
        case("special tokens", draw, counts(), special=True),
        case("special tokens, cut", draw, counts(least=1), special=True, max_length=6),
        case("ties", draw, counts(), medians=[2.0] * GENES),
        case("ties by scaling", draw, [[3 * m for m in (1, 2, 4) * 4]] * 2, medians=[1.0, 2.0, 4.0] * 4, max_length=7),
        case("unknown columns", draw, counts(len(unknown)), columns=unknown),
        case("no known gene", draw, [[0] * 14, [7] + [0] * 13], columns=unknown, special=True),
        case("one gene in several columns", draw, counts(len(shared)), columns=shared),
        case("fractions", draw, [[x * 0.375 for x in row] for row in counts()]),
        case("equal in float32", draw, [[2**23 + j for j in range(GENES)], [2**24 - j for j in range(GENES)]], medians=[3.0 + j * 1e-9 for j in range(GENES)]),
    ]


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for line, one in enumerate(cases(int(sys.argv[2]) if len(sys.argv) > 2 else 0)):
            file.write(("[" if line == 0 else ",\n") + json.dumps(one))
        file.write("]\n")
