#!/usr/bin/env bash
# Installs everything that the engine is built from on Debian 12 (bookworm).
#   bash scripts/setup.sh          build tools and libraries (embedded default: no GPU needed)
#   bash scripts/setup.sh --cuda   also the CUDA toolkit and cuDNN, where the system has none
#   bash scripts/setup.sh --sanitize   also the compiler of scripts/sanitize.sh and its runtime
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
sanitizer_packages=(clang-14 lld-14 libclang-rt-14-dev)
cuda_packages=(python3-venv python3-pip)
want_cuda=no
for argument in "$@"; do
  case "$argument" in
    --cuda) want_cuda=yes; packages+=("${cuda_packages[@]}") ;;
    --sanitize) packages+=("${sanitizer_packages[@]}") ;;
    --dev) packages+=("${sanitizer_packages[@]}" clang-format-14 clang-tidy-14) ;;
    *) echo "setup.sh: unknown option '$argument' (known: --cuda, --sanitize, --dev)" >&2; exit 2 ;;
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

# NVIDIA's wheels hold the same files as its installers; they go into a folder of the project.
install_cuda() {
  local root=$PWD/.cache/cuda
  if [ -x "$root/bin/nvcc" ]; then return; fi
  echo "setup: installing the CUDA toolkit and cuDNN into .cache/cuda (1.6 GB)"
  rm -rf "$root" .cache/wheels
  python3 -m venv .cache/pip
  .cache/pip/bin/pip install -q --no-cache-dir --no-deps --target .cache/wheels \
    nvidia-cuda-nvcc==13.0.* nvidia-nvvm==13.0.* nvidia-cuda-crt==13.0.* nvidia-cuda-runtime==13.0.* \
    nvidia-cuda-cccl==13.0.* nvidia-cuda-nvrtc==13.0.* nvidia-cuda-culibos==13.0.* \
    nvidia-nvjitlink==13.0.* nvidia-cublas==13.1.* nvidia-cudnn-cu13==9.19.*
  mv .cache/wheels/nvidia/cu13 "$root"
  cp -rn .cache/wheels/nvidia/cudnn/include/. "$root/include/"
  cp -rn .cache/wheels/nvidia/cudnn/lib/. "$root/lib/"
  rm -rf .cache/wheels .cache/pip
  ln -sfn lib "$root/lib64"
  local library
  for library in "$root"/lib/*.so.*; do  # the wheels have no development links
    ln -sfn "$(basename "$library")" "${library%%.so.*}.so"
  done
  chmod +x "$root"/bin/* "$root"/nvvm/bin/*
}
if [ "$want_cuda" = yes ] && ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ]; then
  install_cuda
fi
echo "setup: done"
