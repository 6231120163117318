#!/usr/bin/env bash
# From nothing to a trained embedding on a fresh Debian 12: installs, builds, draws the built-in
# pictures, measures the untrained net, trains it, and measures it again.
#   BUILD=build/demo   where to build      JOBS=2   compile jobs      DEMO=runs/demo   the run
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build/demo}
jobs=${JOBS:-$(nproc)}
run=${DEMO:-runs/demo}

echo "== 1 of 3: what is needed"
bash scripts/setup.sh
echo "== 2 of 3: building"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDML_CUDA=OFF -DDML_TESTS=OFF -DDML_BENCH=OFF \
  -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16 >/dev/null
cmake --build "$build" -j "$jobs" --target dmltrain dmleval convert_weights dmlinfo dmldata
echo "== 3 of 3: training"
mkdir -p data_cache
"$build/dmltrain" --preset demo/shapes --data-dir data_cache -o "$run" --overwrite
echo
echo "On the classes that were not trained, once more from the checkpoint:"
"$build/dmleval" "$run" --metrics recall@1,recall@2,recall@4,recall@8,nmi
echo
echo "$run holds config.toml, metrics.jsonl, epochs.csv and checkpoints; next steps:"
echo "  $build/dmltrain --help"
echo "  $build/dmltrain --net resnet18 --loss group --dataset folder --data-dir DIR -o runs/mine"
