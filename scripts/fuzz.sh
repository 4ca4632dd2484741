#!/usr/bin/env bash
# Hands the CNI plugin what libFuzzer makes up of plugin/fuzz/corpus: fuzz.sh [SECONDS]. Default: 20. What it crashes on is kept
# in plugin/fuzz, and named. What reached new code is kept in the target folder, and the next run begins there, too.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
export CARGO_TARGET_DIR
cd plugin/fuzz
# As cargo-fuzz has it without a sanitizer, which would need an unstable compiler.
level=-Cllvm-args=-sanitizer-coverage
export RUSTFLAGS="-Cpasses=sancov-module $level-level=4 $level-inline-8bit-counters $level-pc-table $level-trace-compares"
# A named target keeps the flags from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --quiet --locked --release --target "$host"
fuzzer=$CARGO_TARGET_DIR/$host/release/signpost-fuzz
new=$(mktemp -d "${TMPDIR:-/tmp}/signpost-fuzz.XXXXXX")
trap 'rm -rf "$new"' EXIT
mkdir -p "$CARGO_TARGET_DIR/corpus"
if "$fuzzer" -max_total_time="${1:-20}" -max_len=4096 -timeout=5 -print_final_stats=1 -verbosity=0 -artifact_prefix="$PWD/" \
  "$CARGO_TARGET_DIR/corpus" corpus >"$new/log" 2>&1; then
  grep -E "number_of_executed_units|peak_rss" "$new/log" || :
  printf 'test fuzz ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored\n'
else
  printf 'test fuzz ... FAILED\n\n---- fuzz ----\n'
  tail -40 "$new/log"
  printf 'test result: FAILED. 0 passed; 1 failed; 0 ignored\n'
  exit 1
fi
