#!/usr/bin/env bash
# The systems side by side: the same photographs, net, weights, picture size and number of images seen,
# three seeds each; prints the table of docs/results.md. Finished runs are not repeated, a run that
# was interrupted begins again.
#   bash scripts/compare_systems.sh DATA WEIGHTS [FOLDER]
#     DATA      photographs in CUB's layout      WEIGHTS   a ResNet-18 up to layer3 (convert_weights)
#     FOLDER    of the runs, runs/compare
#   BIN=build/test   where the tools are         SEEDS="1 2 3"   STEPS=40   SIZE=112   THREADS=0 (all)
#   TRAIN_CLASSES=41   the others are tested     METHODS="group_loss .."   some of them
#   SEARCH=1   one seed at the two rates that each method's own was chosen among
set -euo pipefail -o noglob
[ $# -ge 2 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1 weights=$2 out=${3:-runs/compare}
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${BIN:-$root/build/test}
seeds=${SEEDS:-1 2 3} steps=${STEPS:-40} size=${SIZE:-112}
all="triplet_margin proxy_anchor group_loss intra_batch rcdml lm_metric divide_conquer"
mkdir -p "$out"

# What a preset says of published sizes (batches of 32 in place of 54 to 176, the plain pooled
# features as embedding, no epochs of warm-up) gives way, so that all see the same; what it says of the
# method stays. conv1 to layer2 rest; layer3 and what the method adds learn. New classifiers, proxies and layers
# learn at a rate of their own.
settings() {
  balanced=(--sampler classes_times_images --set sampler.classes=8 --set sampler.images=4)
  chunks=(--set sampler.classes=8 --set sampler.images=4)
  pooled=(--set head.pooling=avg --set head.dim=0)
  case $1 in
    triplet_margin) echo --loss triplet_margin --miner distance_weighted --set loss.margin=0.2 "${balanced[@]}" ;;
    proxy_anchor) echo --preset proxy-anchor/cub200-resnet50 "${pooled[@]}" --batch-size 32 ;;
    group_loss) echo --preset group-loss/cub200 --optimizer adam "${chunks[@]}" --set loss.temperature=10 --set groups.new.match=loss.* --set groups.new.lr=1e-3 ;;
    intra_batch) echo --preset intra-batch/cub200 --optimizer adam "${pooled[@]}" "${chunks[@]}" --set sampler.vary=false --set groups.new.match=loss.* --set groups.new.lr=1e-3 ;;
    rcdml) echo --preset rcdml/cub200 "${pooled[@]}" --batch-size 32 ;;
    lm_metric) echo --preset lm-metric/paper/cub200 --batch-size 32 --set loss.dim=256 --set loss.flow_steps=2 --set loss.flow_channels=32 --set loss.eval_sigma=0 ;;
    divide_conquer) echo --preset divide-conquer/cub200 --embedding-dim 256 --batch-size 32 --set loss.hierarchy=none --set loss.nb_clusters=4 --set loss.mod_epoch_freeze=0 --set sampler.images=4 ;;
    # Of the longer schedule: 1, 2, 4 clusters in an epoch each, then one embedding; masks learn at the published 1e-3.
    # The other is the same without clusters and masks.
    divide_longer) echo --preset divide-conquer/cub200 --embedding-dim 256 --batch-size 32 --set loss.nb_clusters=4 --set loss.mod_epoch=1 --set loss.mod_epoch_freeze=0 --set loss.force_full_embedding_epoch=3 --set loss.mask_lr_mult=10 --set sampler.images=4 ;;
    undivided) echo --preset divide-conquer/cub200-fixed --embedding-dim 256 --batch-size 32 --set loss.nb_clusters=1 --set loss.mod_epoch_freeze=0 --set sampler.images=4 ;;
    *) echo "no method '$1'; there are: $all divide_longer undivided" >&2; return 2 ;;
  esac
}
rates="1e-4 3e-4"
# The better of the two by MAP@R of seed 1; SEARCH=1 repeats the choice.
rate_of() {
  case $1 in lm_metric | divide_conquer) echo 3e-4 ;; *) echo 1e-4 ;; esac
}

# train METHOD RATE SEED: leaves FOLDER/METHOD-RATE-SEED/done
train() {
  local run=$out/$1-$2-$3
  [ -e "$run/done" ] && return
  echo "$1, rate $2, seed $3" >&2
  local own before=(); own=$(settings "$1")
  case $1 in lm_metric | divide_*) before=(--eval-before) ;; esac  # others: pooled features
  # shellcheck disable=SC2086  # the settings are words
  "$bin/dmltrain" $own --net resnet18 --set net.last_layer=layer3 --weights "$weights" \
    --freeze-batch-norm true --freeze-net-epochs 0 --lr "$2" --schedule constant --steps "$steps" \
    --dataset cub200 --data-dir "$data" --set dataset.train_classes="${TRAIN_CLASSES:-41}" \
    --image-size "$size" --set augment.resize=0 --seed "$3" --threads "${THREADS:-0}" \
    --set groups.stem.match='conv1.*,layer1.*,layer2.*' --set groups.stem.frozen_epochs=1000000 \
    --metrics recall@1,r_precision,map@r --select-by map@r "${before[@]}" --eval-every 1000000 \
    --no-tensorboard --progress none --overwrite -o "$run" >/dev/null
  touch "$run/done"
}

# table METHOD..: a row each from the last evaluations; deviation of the sample.
table() {
  echo "| unseen classes, $size pixels | R@1 | R-precision | MAP@R |"
  echo "| --- | --- | --- | --- |"
  "$bin/dmleval" "$weights" --net resnet18 --features layer3 --dataset cub200 --data-dir "$data" \
    --set dataset.train_classes="${TRAIN_CLASSES:-41}" --image-size "$size" --json --quiet \
    --metrics recall@1,r_precision,map@r | tr -d ' ,"' |
    awk -F: '$1 == "recall@1" || $1 == "r_precision" || $1 == "map@r" { v[$1] = $2 }
      END { printf "| starting weights, pooled features | %.4f | %.4f | %.4f |\n", v["recall@1"], v["r_precision"], v["map@r"] }'
  local method rate seed
  for method in "$@"; do
    rate=$(rate_of "$method")
    for seed in $seeds; do tail -n 1 "$out/$method-$rate-$seed/epochs.csv"; done |
      awk -F, -v name="${method//_/ }, rate $rate" '
        { for (k = 0; k < 3; ++k) { x = $(7 + k); sum[k] += x; squares[k] += x * x } }
        END {
          printf "| %s |", name
          for (k = 0; k < 3; ++k) {
            mean = sum[k] / NR
            spread = NR > 1 ? (squares[k] - NR * mean * mean) / (NR - 1) : 0
            printf " %.4f ± %.4f |", mean, sqrt(spread > 0 ? spread : 0)
          }
          print ""
        }'
  done
}

methods=${METHODS:-$all}
if [ -n "${SEARCH:-}" ]; then
  for method in $methods; do
    for rate in $rates; do
      train "$method" "$rate" 1
      echo "$method $rate $(tail -n 1 "$out/$method-$rate-1/epochs.csv" | cut -d, -f7-)"
    done
  done
  exit
fi
for method in $methods; do
  for seed in $seeds; do train "$method" "$(rate_of "$method")" "$seed"; done
done
# shellcheck disable=SC2086
table $methods
