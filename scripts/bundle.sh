#!/usr/bin/env bash
# Packs the tools and tests of a build with the shared libraries that they need, for a machine that has
# none of them but NVIDIA's driver.
#   bash scripts/bundle.sh [BUILD-FOLDER] [OUTPUT]     default: build/test bundle.tar.gz
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/test}
output=${2:-bundle.tar.gz}

programs=()
for program in "$build"/*; do
  [ -f "$program" ] && [ -x "$program" ] && programs+=("$program")
done
if [ ${#programs[@]} -eq 0 ]; then
  echo "bundle.sh: no programs in $build; build first (cmake --build $build)" >&2
  exit 3
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/bundle/bin" "$folder/bundle/lib" "$folder/bundle/tests"
cp "${programs[@]}" "$folder/bundle/bin/"
cp -r tests/golden "$folder/bundle/tests/golden"
cp scripts/gpu_check.sh "$folder/bundle/"
mkdir -p "$folder/bundle/share/dml"
cp -r apps/presets "$folder/bundle/share/dml/presets"  # where an installed dmltrain looks

# The C library and the loader belong to the other system, libcuda to its driver.
ldd "${programs[@]}" | awk '/=> \// {print $3}' | sort -u |
  grep -vE '/(ld-linux|libc|libm|libdl|libpthread|librt|libcuda|libnvidia)[-.]' |
  while read -r library; do cp -Lu "$library" "$folder/bundle/lib/"; done
# cuDNN and cuBLAS load parts of themselves by name at run time.
# (awk reads to the end: leaving early would end ldd by a signal, and this script with it.)
cudnn=$(ldd "${programs[@]}" | awk '/libcudnn\.so/ && !found {print $3; found = 1}')
if [ -n "$cudnn" ]; then
  cp -L "$(dirname "$cudnn")"/libcudnn*.so.9 "$folder/bundle/lib/"
  for pattern in 'libnvrtc*.so.*' 'libcublas*.so.*'; do
    find "$(dirname "$cudnn")" -maxdepth 1 -name "$pattern" ! -name '*.alt*' -exec cp -Ln {} "$folder/bundle/lib/" \;
  done
fi
tar czf "$output" -C "$folder" bundle
echo "bundle.sh: $output, $(du -h "$output" | cut -f1), ${#programs[@]} programs"
