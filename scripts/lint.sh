#!/bin/sh
# Format, clippy and documentation with warnings as errors, and the licences of all dependencies.
set -eu
cd "$(dirname "$0")/.."
. ./scripts/features.sh
step() { printf '\033[1m==> %s\033[0m\n' "$*"; }

step 'cargo fmt --check'
cargo fmt --all --check
step 'cargo clippy'
cargo clippy --quiet --workspace --features "$features" --all-targets -- -D warnings
step 'cargo doc'
# Those who read the source follow links to private items.
RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --quiet --workspace --features "$features" --no-deps
step 'licences'
./scripts/licences.sh
