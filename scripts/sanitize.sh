#!/usr/bin/env bash
# Runs the tests under the sanitizers.
#   bash scripts/sanitize.sh            address + undefined behaviour, then threads
#   bash scripts/sanitize.sh asan       the former alone       JOBS=2   compile jobs
# The thread sanitizer looks at the data loader and the thread pool. libgomp is not instrumented:
# its barriers are unknown to the sanitizer, so what runs inside its regions is left out
# (scripts/tsan.supp).
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=suppressions=$PWD/scripts/tsan.supp:halt_on_error=1:ignore_noninstrumented_modules=1

# The checks need no fast kernels, but small steps: -O1 -g1 builds in half the time.
configure() {
  cmake --preset "$1" -DDML_BENCH=OFF -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" >/dev/null
}

address() {
  configure asan
  local tests=(test_engine test_data test_weights_convert test_dml test_nets)
  cmake --build build/asan -j "$jobs" --target "${tests[@]}"
  for test in "${tests[@]}"; do
    echo "sanitize: $test under address and undefined behaviour"
    build/asan/"$test" --minimal --no-skipped-summary
  done
}

threads() {
  configure tsan
  cmake --build build/tsan -j "$jobs" --target test_data test_engine
  echo "sanitize: loader and thread pool under threads"
  build/tsan/test_data --minimal --test-case="*loader*,check:*"
  build/tsan/test_engine --minimal --test-case="*parallel*,*thread*"
}

case "${1:-all}" in
  asan) address ;;
  tsan) threads ;;
  all) address; threads ;;
  *) echo "sanitize: known are asan, tsan and nothing (both)" >&2; exit 2 ;;
esac
echo "sanitize: nothing found"
