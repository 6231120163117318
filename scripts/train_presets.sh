#!/usr/bin/env bash
# Every published preset, 50 steps on the built-in pictures and 50 on photographs: prints a table of the
# loss and of MAP@R on unseen classes, before and after, and exits with 1 if a run failed. Finished runs
# are not repeated, and presets whose settings agree but for the name of their data set share a run.
#   bash scripts/train_presets.sh DATA WEIGHTS [FOLDER]
#     DATA      photographs in CUB's layout      WEIGHTS   a ResNet-18 up to layer3 (convert_weights)
#     FOLDER    of the runs, runs/presets
#   BIN=build/test   where the tools are         STEPS=50   SIZE=96   THREADS=0 (all)   SEED=   the preset's
#   TRAIN_CLASSES=41   the others are tested     PRESETS="rcdml/sop .."   some of them
#   SETS="shapes photographs"   SHORT=1   150 steps at rates for so few, in place of the published ones
set -euo pipefail -o noglob
[ $# -ge 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1 weights=$2 out=${3:-runs/presets}
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${BIN:-$root/build/test}
steps=${STEPS:-${SHORT:+150}} steps=${steps:-50}
mkdir -p "$out"

# What gives way: the net, the size of pictures and batches, and what is counted in epochs of published
# length (warm-up of the head, clusterings). Rates, optimizer, loss, sampler, head and augmentation stay.
# settings PRESET SET
settings() {
  local few=4 batch=16  # chunks or images of a batch; the photographs get more
  [ "$2" = shapes ] || few=4 batch=24
  case $1 in
    *-finetune) echo --batch-size $batch ;;
    group-loss/* | intra-batch/*)  # the photographs keep the published size of a chunk
      echo --set sampler.classes=$few
      [ "$2" != shapes ] || echo --set sampler.images=4 ;;
    proxy-anchor/* | rcdml/*) echo --batch-size $batch --freeze-net-epochs 0 ;;
    lm-metric/*)  # a small flow: the published one takes three times as long as such a net
      echo --batch-size $batch --freeze-net-epochs 0 --set loss.flow_steps=2 --set loss.flow_channels=32 ;;
    divide-conquer/*)  # an epoch each with 1, 2 and 4 clusters and one of the merging phase; as it is on the photographs: 80
      [ "$2" != shapes ] || echo --batch-size 16
      echo --set loss.nb_clusters=4 --set loss.mod_epoch=1 --set loss.mod_epoch_freeze=0 --set loss.force_full_embedding_epoch=3 ;;
    *) echo "no settings for '$1'" >&2; return 2 ;;
  esac
}

# The published rates are for thousands of steps, and RAdam begins with tiny ones: Adam, and rates for a short schedule. The head's new
# layer learns as fast as the net, as published. A new classifier on plain pooled features must be faster than the net, or
# what it does not know yet spoils them. A net that begins with random numbers (shapes) wants 1e-3; what rises there as
# published stays.
# short PRESET SET
short() {
  local adam="--optimizer adam --set optimizer.eps=1e-8 --schedule constant"
  case $1/$2 in  # the masks of Divide & Conquer learn at their published 1e-3
    divide-conquer/*/shapes) echo --lr 1e-3 --set loss.mask_lr_mult=1 ;;
    group-loss/*/shapes) echo "$adam" --lr 1e-3 ;;
    lm-metric/*/photographs) echo --steps "${STEPS:-50}" ;;  # rises as published, and a step takes long
    # A normalised embedding behind a maximum of random maps learns slowly, and 240 pictures would be known by heart.
    intra-batch/*/shapes) echo "$adam" --lr 1e-3 --steps "${STEPS:-600}" --set sampler.classes=8 ;;
    */shapes) ;;
    divide-conquer/*) echo --lr 1e-4 --set loss.mask_lr_mult=10 ;;
    group-loss/*) echo "$adam" --lr 2e-5 --set groups.new.match=loss.* --set groups.new.lr=1e-2 ;;
    intra-batch/sop/*) echo "$adam" --lr 1e-4 --set groups.new.match=loss.* --set groups.new.lr=1e-3 ;;  # its only term
    intra-batch/*) echo "$adam" --lr 1e-4 ;;
    proxy-anchor/* | rcdml/*) echo --lr 1e-4 ;;
  esac
}

# super_classes FROM TO: the same pictures, seven classes to a super-class (a folder above theirs)
super_classes() {
  [ ! -e "$2/done" ] || return 0
  rm -rf "$2"
  mkdir -p "$2"
  cp "$1/classes.txt" "$1/image_class_labels.txt" "$2"
  local from number name; from=$(realpath "$1/images")
  while read -r number name; do
    mkdir -p "$2/images/$(((10#$number - 1) / 7))"
    ln -s "$from/$name" "$2/images/$(((10#$number - 1) / 7))/$name"
  done <"$1/classes.txt"
  awk 'NR == FNR { above[$2] = int(($1 - 1) / 7); next }
    { split($2, part, "/"); print $1, above[part[1]] "/" $2 }' "$1/classes.txt" "$1/images.txt" >"$2/images.txt"
  touch "$2/done"
}

# arguments PRESET SET: one word a line
arguments() {
  local own; own=$(settings "$1" "$2")
  [ -z "${SHORT:-}" ] || own="$own $(short "$1" "$2")"
  # shellcheck disable=SC2086  # the settings are words
  printf '%s\n' --preset "$1" --steps "$steps" $own --net resnet18 ${SEED:+--seed "$SEED"} \
    --metrics recall@1,map@r --select-by map@r --eval-before --eval-every 1000000 --log-every 1 \
    --no-tensorboard --progress none --overwrite --workers 1 --threads "${THREADS:-0}"
  case $1 in *-finetune) ;; *) printf '%s\n' --set augment.resize=0 ;; esac  # theirs are not cut at all
  if [ "$2" = shapes ]; then  # batch norm learns: the net begins with random numbers
    printf '%s\n' --image-size 64 --set net.last_layer=layer2 --freeze-batch-norm false
  else  # conv1 to layer2 and batch norm rest, as in compare_systems.sh
    printf '%s\n' --image-size "${SIZE:-96}" --set net.last_layer=layer3 --weights "$weights" --freeze-batch-norm true \
      --set 'groups.stem.match=conv1.*,layer1.*,layer2.*' --set groups.stem.frozen_epochs=1000000
  fi
  case $1/$2 in
    lm-metric/*/sop/*) printf '%s\n' --dataset cub200 --data-dir "$out/super-$2" ;;
    */shapes)
      case ${SHORT:-}/$1 in ?*/intra-batch/*) printf '%s\n' --set dataset.images=30 ;; *) printf '%s\n' --set dataset.images=10 ;; esac
      printf '%s\n' --dataset shapes --data-dir "$out/data" ;;
    *) printf '%s\n' --dataset cub200 --data-dir "$data" ;;
  esac
  [ "$2" = shapes ] || printf '%s\n' --set dataset.train_classes="${TRAIN_CLASSES:-41}"
}

# train PRESET SET: prints its row; 1 if it failed
train() {
  local words run id; mapfile -t words < <(arguments "$1" "$2")
  if ! id=$("$bin/dmltrain" "${words[@]}" -o unused --print-config 2>"$out/error"); then
    echo "| $1 | $2 | failed: $(tail -n 1 "$out/error") | | | |"
    return 1
  fi
  id=$(sed 's/ *#.*//; /^preset = /d; /^threads/d' <<<"$id" | sha1sum | cut -c1-12)
  run=$out/$2-$id
  if [ ! -e "$run/done" ] && ! { "$bin/dmltrain" "${words[@]}" -o "$run" >/dev/null 2>"$out/error" && touch "$run/done"; }; then
    echo "| $1 | $2 | failed: $(tail -n 1 "$out/error") | | | |"
    return 1
  fi
  local losses; losses=$(sed -n 's/.*"event":"step".*"loss":\([-0-9.e+]*\).*/\1/p' "$run/metrics.jsonl")
  printf '| %s | %s | %.4g | %.4g | %.4f | %.4f |\n' "$1" "$2" "$(head -n 5 <<<"$losses" | mean)" \
    "$(tail -n 5 <<<"$losses" | mean)" "$(map_at_r before)" "$(map_at_r test)"
}
mean() { awk '{ sum += $1 } END { print sum / NR }'; }
map_at_r() { sed -n 's/.*"map@r": *\([0-9.e-]*\).*/\1/p' "$run/eval/$1.json"; }

presets=${PRESETS:-$(cd "$root/apps/presets" && find . -name '*.toml' | sed 's,^\./,,; s,\.toml$,,' | grep -v -e ^demo/ -e ^defaults/ | sort)}
sets=${SETS:-shapes photographs}
case $sets in *shapes*)  # drawn at the first look
  "$bin/dmldata" verify shapes "$out/data" --quiet --set dataset.images=10 >/dev/null
  super_classes "$out/data/shapes-48x10" "$out/super-shapes" ;;
esac
case $sets in *photographs*) super_classes "$data" "$out/super-photographs" ;; esac

echo "| preset | set | loss, first 5 steps | last 5 | MAP@R before | after |"
echo "| --- | --- | --- | --- | --- | --- |"
failed=0
for set in $sets; do
  for preset in $presets; do train "$preset" "$set" || failed=1; done
done
exit $failed
