#!/usr/bin/env bash
# The laptop: in a mount namespace where no CUDA toolkit is to be seen, tools/setup picks CPU, the tree configures, and programs
# with and without libtorch build and run.   hidden_toolkit.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build_dir=${1:?a build folder}
if [[ ${2:-} != inside ]]; then
  ((EUID == 0)) || { echo "hiding the toolkit needs root (unshare --mount)"; exit 77; }
  unshare --mount true 2>/dev/null || { echo "this machine forbids mount namespaces"; exit 77; }
  exec env -u CUDA_HOME -u CUDA_PATH -u LIBRARY_PATH unshare --mount "$0" "$build_dir" inside
fi

for place in /usr/local/cuda* /opt/cuda* /usr/lib/cuda*; do
  [[ ! -d $place || -L $place ]] || mount -t tmpfs none "$place"
done
compgen -G '/usr/local/include/*cuda*' >/dev/null && mount -t tmpfs none /usr/local/include
compgen -G '/usr/local/lib/lib*cud*' >/dev/null && mount -t tmpfs none /usr/local/lib
hidden=$(mktemp -d)
trap 'rm -rf "$hidden"' EXIT
IFS=: read -ra path <<<"$PATH"
for index in "${!path[@]}"; do # a folder with an nvcc of its own: all its programs but that
  [[ -x ${path[index]}/nvcc ]] || continue
  mkdir "$hidden/$index"
  ln -s "${path[index]}"/* "$hidden/$index"
  rm "$hidden/$index/nvcc"
  path[index]=$hidden/$index
done
PATH=$(IFS=:; echo "${path[*]}")
mkdir -p "$build_dir"

expect() { # expect FILE TEXT
  grep -qF -- "$2" "$1" || { echo "FAILED: no '$2' in $1:"; tail -n 30 "$1"; exit 1; }
}
tools/setup --build-dir "$build_dir" --no-build >"$build_dir/setup.log" 2>&1 || { tail -n 30 "$build_dir/setup.log"; exit 1; }
expect "$build_dir/setup.log" "this machine: CPU: no CUDA toolkit (nvcc not found)"
expect "$build_dir/CMakeCache.txt" "CELLMILL_WITH_CUDA:BOOL=OFF"

cmake=cmake
[[ ! -x .venv/bin/cmake ]] || cmake=.venv/bin/cmake
for program in unit_base unit_metrics; do
  "$cmake" --build "$build_dir" --target "$program"
  if readelf -d "$build_dir/$program" | grep -E 'NEEDED.*(libtorch_cuda|libcudart|libnccl)'; then
    echo "FAILED: $program is linked with CUDA"
    exit 1
  fi
  "$build_dir/$program"
done
echo "without a toolkit: CPU picked, configured, built and run"
