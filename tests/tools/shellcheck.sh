#!/usr/bin/env bash
# Every bash script of the checkout is clean by shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v shellcheck >/dev/null || { echo "shellcheck is not installed"; exit 77; }
mapfile -t scripts < <(grep -lE '^#!.*\b(ba)?sh$' .ci/* tools/* tests/*/*.sh tools/packaging/* benchmarks/* slurm/* 2>/dev/null)
shellcheck "${scripts[@]}"
echo "${#scripts[@]} scripts are clean"
