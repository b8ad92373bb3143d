#!/usr/bin/env bash
# Coverage-guided fuzzing of every reader with libFuzzer (needs clang).
#
#   scripts/fuzz.sh [SECONDS] [TARGET...]     default: 60 seconds each, all targets
#
# Findings lie in build-fuzz/findings; `GODWIT_FUZZ_TARGET=TARGET build-fuzz/bin/fuzz_libfuzzer FILE` repeats one.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
shift || true
[ -f build-fuzz/build.ninja ] || cmake --preset fuzz >/dev/null
cmake --build build-fuzz --target fuzz_libfuzzer fuzz_readers >/dev/null
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(build-fuzz/bin/fuzz_readers --list)
mkdir -p build-fuzz/findings
failed=()
for target in "${targets[@]}"; do
  corpus=build-fuzz/corpus/$target
  mkdir -p "$corpus"
  build-fuzz/bin/fuzz_readers "$target" --samples "$corpus"
  log=build-fuzz/findings/$target.log
  GODWIT_FUZZ_TARGET=$target nice -n 10 build-fuzz/bin/fuzz_libfuzzer "$corpus" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -malloc_limit_mb=512 -artifact_prefix="build-fuzz/findings/$target-" >"$log" 2>&1 ||
    failed+=("$target")
  echo "$target: $(grep -oE '^#[0-9]+.*(DONE|REDUCE|NEW|pulse|RELOAD).*' "$log" | tail -n 1 | cut -c1-100)"
done
[ ${#failed[@]} -eq 0 ] || { echo "findings in: ${failed[*]} (build-fuzz/findings)"; exit 1; }
