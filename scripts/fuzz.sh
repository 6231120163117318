#!/usr/bin/env bash
# Fuzzes the readers of untrusted files under the address and undefined-behaviour sanitizers.
#   bash scripts/fuzz.sh             every target for 60 seconds
#   bash scripts/fuzz.sh 600 zip     one target for ten minutes
# Seeds are made by tests/fuzz/make_seeds.cpp; what is found stands in build/fuzz/found.
# Needs clang-14 and its runtime (bash scripts/setup.sh --dev).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(pickle zip legacy safetensors npy toml json jpeg tar)
compiler=${CLANG:-clang++-14}
command -v "$compiler" >/dev/null || { echo "fuzz: $compiler is not here (bash scripts/setup.sh --dev)" >&2; exit 2; }
build=${BUILD:-build/fuzz}
mkdir -p "$build" "$build/found"

launch=()
command -v ccache >/dev/null && launch=(ccache)
flags=(-std=c++20 -O1 -g1 -I. -fopenmp-simd -DDML_OWN_THREADS -march=native -fsanitize=address,undefined
       -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-everything)
# Everything that the readers are made of; the allocator is one that the sanitizer sees through.
sources=(engine/{tensor,device,names,schema,file,input_file,sha256,safetensors,npy,toml,config,preprocessing,libraries}.cpp
         engine/cpu/parallel.cpp data/archive/tar.cpp data/transform.cpp data/image/{reader,jpeg,jpeg_writer,png,resample}.cpp
         weights_convert/*.cpp weights_convert/rules/*.cpp
         tests/fuzz/memory_file.cpp tests/fuzz/plain_allocator.cpp)
libraries=(-lfmt -ljpeg -lpng -lzip -lz)

# Every source is compiled every time (ccache knows which have not changed). Coverage is what
# steers the fuzzer.
compile() {
  "${launch[@]}" "$compiler" "${flags[@]}" -fsanitize=fuzzer-no-link -c "$1" -o "$build/${1//\//_}.o" ||
    { echo "fuzz: $1 does not compile" >&2; return 1; }
}
objects=()
for source in "${sources[@]}"; do
  objects+=("$build/${source//\//_}.o")
done
echo "fuzz: compiling"
compiling=()
for source in "${sources[@]}" tests/fuzz/make_seeds.cpp "${targets[@]/#/tests/fuzz/}"; do
  compile "${source%.cpp}.cpp" &
  compiling+=($!)
  while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-2}" ]; do wait -n || true; done
done
for one in "${compiling[@]}"; do wait "$one"; done
"$compiler" "${flags[@]}" "${objects[@]}" "$build/tests_fuzz_make_seeds.cpp.o" -o "$build/make_seeds" "${libraries[@]}"
"$build/make_seeds" "$build/seeds"

export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
failed=0
for target in "${targets[@]}"; do
  "$compiler" "${flags[@]}" -fsanitize=fuzzer "${objects[@]}" "$build/tests_fuzz_$target.cpp.o" \
    -o "$build/$target" "${libraries[@]}"
  mkdir -p "$build/corpus/$target"
  if "$build/$target" "$build/corpus/$target" "$build/seeds/$target" -max_total_time="$seconds" \
      -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=60 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$build/found/$target-" >"$build/$target.log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$target.log")
    echo "fuzz: $target: nothing found in $seconds s, ${runs:-?} cases"
  else
    echo "fuzz: $target: FOUND something"
    tail -n 40 "$build/$target.log"
    failed=1
  fi
done
exit $failed
