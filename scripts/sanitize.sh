#!/usr/bin/env bash
# Runs the tests under the sanitizers.
#   bash scripts/sanitize.sh            address + undefined behaviour, then threads
#   bash scripts/sanitize.sh asan       the former alone       JOBS=2   jobs at a time
#   bash scripts/sanitize.sh tsan       the latter alone
#   bash scripts/sanitize.sh ci         both, without the tests that kill a training again and again
#                                       and without the commands of the README, which other tests run
# Compiled by clang where it is there (bash scripts/setup.sh --sanitize): about half the time of GCC.
# Loops run on threads of our own instead of OpenMP's, so that the thread sanitizer sees what two
# parts of a loop do to each other. oneDNN and Faiss are not compiled with sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
compiler=${COMPILER:-$(command -v clang++-14 || echo g++)}
linker=  # that of GNU takes seconds for a program with so many symbols
case $compiler in *clang*) ! command -v ld.lld-14 >/dev/null || linker=-fuse-ld=lld-14 ;; esac
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1

skipped=  # test cases that are left out

# Warnings are the ordinary build's matter. Loops over elements are compiled with -O1
# (cmake/Folders.cmake), all else for a quick build.
configure() {
  cmake --preset "$1" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS=-w -DDML_WERROR=OFF \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O0 -g1" -DDML_BENCH=OFF \
    -DCMAKE_EXE_LINKER_FLAGS="$linker" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 "${@:2}" >/dev/null
}

# run FOLDER TEST...: builds the tests and runs them, `jobs` at a time; what fails is shown whole.
run() {
  local folder=$1 tests=("${@:2}")
  cmake --build "$folder" -j "$jobs" --target "${tests[@]}" >"$folder/build.log" 2>&1 ||
    { tail -n 60 "$folder/build.log"; exit 1; }
  export folder skipped
  printf '%s\n' "${tests[@]}" | xargs -P "$jobs" -I{} bash -c '
    if "$folder/{}" --no-skipped-summary "-tce=$skipped" >"$folder/{}.log" 2>&1; then
      echo "sanitize: $folder: {}: $(grep -a "test cases:" "$folder/{}.log" | tr -d "\033")"
    else
      cat "$folder/{}.log"; echo "sanitize: $folder: {} FAILED"; exit 255
    fi'
}

address() {
  configure asan -DDML_FOLDERS=
  run build/asan test_apps test_nets test_dml test_ops test_data test_engine test_weights_convert
}

# The data loader and the thread pool.
threads() {
  configure tsan "-DDML_FOLDERS=engine;data"
  run build/tsan test_data test_engine
}

case "${1:-all}" in
  asan) address ;;
  tsan) threads ;;
  ci) skipped='*killed*,README*'; address; threads ;;
  all) address; threads ;;
  *) echo "sanitize: known are asan, tsan, ci and nothing (asan and tsan)" >&2; exit 2 ;;
esac
echo "sanitize: nothing found"
