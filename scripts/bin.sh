#!/bin/sh
# Runs one of the programs that scripts/build.sh built: bin.sh PROGRAM [ARGUMENT...]
# Not `cargo run`, so that signals reach the program itself.
set -eu
cd "$(dirname "$0")/.."
program=$1
shift
exec "${CARGO_TARGET_DIR:-target}/debug/$program" "$@"
