#!/usr/bin/env bash
# Every sweep, whole: hours on a small machine. A sweep that was interrupted goes on where it stopped. The summaries go
# to docs/coverage, the table made of them to docs/coverage.md.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${GODWIT_PYTHON:-build/venv/bin/python}
mkdir -p docs/coverage
"$python" -m pip install --quiet --disable-pip-version-check timm==1.0.31 transformers onnxscript Pillow pyyaml || exit 1
"$python" -c 'import torchvision' 2>/dev/null ||
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps torchvision==0.28.0 || exit 1

for pair in torchvision:pt2 torchvision:onnx torchvision:torchscript timm:pt2 transformers:pt2; do
  source=${pair%:*} route=${pair#*:}
  "$python" tools/sweeps/models.py --source "$source" --route "$route" --summary "docs/coverage/$source-$route.json"
done
for script in onnx_backend core_aten trace_ops; do
  [ ! -f tools/sweeps/$script.py ] || "$python" tools/sweeps/$script.py --summary "docs/coverage/$script.json"
done
cmake --install build --prefix build/test-prefix >/dev/null
OMP_NUM_THREADS=1 "$python" tools/real_models/run.py --prefix build/test-prefix --summary docs/coverage/real-models.json
"$python" tools/bench/convert_memory.py --summary docs/coverage/convert_memory.json
"$python" tools/sweeps/coverage.py
