#!/usr/bin/env bash
# Sets up, builds and runs every test. On a fresh Debian 12: bash scripts/test.sh
#   BUILD=build/test   where to build            JOBS=2   compile jobs
#   SANITIZE=yes   also a part of the tests under sanitizers (scripts/sanitize.sh ci), before the rest
#   CUDA_ARCHITECTURES=90   GPUs to compile for, where nvcc is found
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/test}
jobs=${JOBS:-$(nproc)}

sanitize=${SANITIZE:-no}
setup=()
[ "$sanitize" = no ] || setup=(--sanitize)
bash scripts/setup.sh "${setup[@]}"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DDML_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-90}" \
  -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16
cmake --build "$build" -j "$jobs"
[ "$sanitize" = no ] || JOBS=$jobs bash scripts/sanitize.sh ci

ctest --test-dir "$build" --output-on-failure -j "$jobs"
