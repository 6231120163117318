#!/usr/bin/env bash
# Writes the manual pages of all tools, which the tools make from their own options.
#   bash scripts/manual.sh BUILD FOLDER     BUILD/dmltrain --manual > FOLDER/dmltrain.1, ...
set -euo pipefail
build=${1:?the folder with the tools} out=${2:?the folder for the pages}
mkdir -p "$out"
for tool in "$build"/dml* "$build"/convert_weights; do
  name=$(basename "$tool")
  [ -f "$tool" ] && [ -x "$tool" ] && [ -f "$(dirname "$0")/../apps/$name.cpp" ] || continue
  "$tool" --manual >"$out/$name.1"
  echo "$out/$name.1"
done
