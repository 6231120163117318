#!/usr/bin/env bash
# Installs everything that the engine is built from on Debian 12 (bookworm).
#   bash scripts/setup.sh          build tools and libraries (embedded default: no GPU needed)
#   bash scripts/setup.sh --cuda   also the CUDA toolkit and cuDNN, where the system has none
#   bash scripts/setup.sh --dev    also what contributors use: clang-format, clang-tidy, fuzzers
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  build-essential cmake ninja-build ccache pkg-config python3
  libdnnl-dev libfaiss-dev libopenblas-dev
  libturbojpeg0-dev libjpeg62-turbo-dev libpng-dev
  doctest-dev libfmt-dev libtomlplusplus-dev nlohmann-json3-dev libcli11-dev
  zlib1g-dev libzip-dev libmatio-dev
)
want_cuda=no
for argument in "$@"; do
  case "$argument" in
    --cuda) want_cuda=yes ;;
    --dev) packages+=(clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev) ;;
    *) echo "setup.sh: unknown option '$argument' (known: --cuda, --dev)" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  echo "setup: installing ${missing[*]}"
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ "$want_cuda" = yes ] && ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ]; then
  echo "setup: --cuda needs NVIDIA's toolkit" >&2
fi
echo "setup: done"
