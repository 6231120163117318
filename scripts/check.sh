#!/usr/bin/env bash
# What a contributor runs before sending a change: layers, budgets, documentation, format.
#   bash scripts/check.sh          all of it, then build and tests
#   bash scripts/check.sh --fast   without build and tests
set -euo pipefail
cd "$(dirname "$0")/.."
python3 scripts/check_layers.py
python3 scripts/size_budget.py
python3 scripts/check_docs.py
if command -v clang-format-14 >/dev/null; then
  git ls-files '*.hpp' '*.cpp' '*.cu' '*.cuh' | xargs clang-format-14 --dry-run --Werror
  echo "format: ok"
else
  echo "format: clang-format-14 is not installed (bash scripts/setup.sh --dev), not checked"
fi
[ "${1:-}" = --fast ] || bash scripts/test.sh
