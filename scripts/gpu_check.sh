#!/usr/bin/env bash
# Runs what only a GPU can confirm and prints a table. In a bundle (scripts/bundle.sh) or in a checkout.
#   bash gpu_check.sh [BUILD-FOLDER] [FOLDER-OF-GOLDEN-VECTORS]     default: build/test tests/golden
#   DEVICE=cpu bash gpu_check.sh     tries the script itself where there is no GPU
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -d "$here/bin" ]; then
  bin=$here/bin
  golden=${2:-$here/tests/golden}
  export LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
else
  bin=${1:-$here/../build/test}
  golden=${2:-$here/../tests/golden}
fi
device=${DEVICE:-cuda}
if [ "$device" = cpu ]; then
  echo "no GPU is looked at: DEVICE=cpu"
elif ! command -v nvidia-smi >/dev/null; then
  echo "gpu_check.sh: nvidia-smi was not found; this needs a machine with an NVIDIA GPU and its driver" >&2
  exit 4
else
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
fi

# Looks for kernels that read or write beyond their memory; comes with the CUDA toolkit.
sanitizer=$(PATH=$PATH:/usr/local/cuda/bin command -v compute-sanitizer || true)

logs=$(mktemp -d)
failed=0
rows=()
check() {  # check NAME PROGRAM ARGUMENT...; a program without / is one of ours
  local name=$1 program=$2 log=$logs/${#rows[@]}.log start=$SECONDS
  shift 2
  [[ $program == */* ]] || program=$bin/$program
  if [ ! -x "$program" ]; then
    rows+=("$(printf '%-34s absent' "$name")")
    failed=1
  elif timeout 900 "$program" "$@" >"$log" 2>&1; then
    rows+=("$(printf '%-34s passed %5ds' "$name" $((SECONDS - start)))")
  else
    rows+=("$(printf '%-34s FAILED %5ds  %s' "$name" $((SECONDS - start)) "$log")")
    tail -n 15 "$log"
    failed=1
  fi
}

check "devices" dmlinfo
check "slots and plans" test_cuda
check "ops: parity with the reference" test_ops
check "engine" test_engine
check "nets, also in bf16" test_nets
check "losses and retrieval" test_dml
check "golden vectors" dmlgolden "$golden"
run=$(mktemp -d)
training=(--preset demo/shapes --device "$device" --epochs 1 --eval-every 1 --no-eval-before --seed 1 --log-every 1
  --data-dir "$run/data" --progress none)
check "short training, first run" dmltrain "${training[@]}" -o "$run/a"
check "short training, the same again" dmltrain "${training[@]}" -o "$run/b"
[ "$device" = cpu ] || for precision in bf16 tf32; do
  check "short training, $precision" dmltrain "${training[@]}" --precision $precision -o "$run/$precision"
done
check "evaluation" dmleval "$run/a" --split test --device "$device"
if [ "$device" = cpu ] || [ -z "$sanitizer" ]; then
  rows+=("$(printf '%-34s skipped: %s' "memory check of two steps" "no GPU, or no compute-sanitizer")")
else
  check "memory check of two steps" "$sanitizer" --error-exitcode 1 "$bin/dmltrain" "${training[@]}" --steps 2 \
    --eval-every 0 -o "$run/c"
fi

printf '%s\n' "${rows[@]}"
# Equal bits: every step's loss is in metrics.jsonl, with times that differ.
losses() { grep -o '"loss": *[^,}]*' "$1"/metrics.jsonl 2>/dev/null; }
if [ -n "$(losses "$run/a")" ] && [ "$(losses "$run/a")" = "$(losses "$run/b")" ]; then
  echo "two runs with one seed: equal losses in every step"
else
  echo "two runs with one seed: losses DIFFER or are missing ($run)"
  failed=1
fi
exit $failed
