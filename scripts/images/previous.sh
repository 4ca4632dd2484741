#!/usr/bin/env bash
# Images, tagged `previous`, of the version that clusters are upgraded from in tests: of the commit that e2e/previous
# names. Once for each such commit (some minutes); what is there is not built again. Prints their folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/images/lib.sh

commit=$(<e2e/previous)
folder=$cache/previous/$commit
programs=$folder/programs
mkdir -p "$folder"
exec 8>"$folder/.lock"
flock 8
if [[ ! -d $programs ]]; then
  # A shallow clone has the last commits only.
  git cat-file -e "$commit^{commit}" 2>/dev/null || git fetch --quiet --depth 1 origin "$commit" ||
    fail "the commit $commit, of which e2e/previous wants images, cannot be had. Remedy: git fetch --unshallow"
  step "the version before, $commit (some minutes, once)" >&2
  rm -rf "$folder/source"
  mkdir "$folder/source"
  git archive "$commit" | tar -x -C "$folder/source"
  CARGO_TARGET_DIR=$folder/target cargo build --quiet --locked --manifest-path "$folder/source/Cargo.toml" \
    -p signpost-controller -p signpost-node -p signpost-cni --bins >&2
  mkdir "$folder/built"
  mv "$folder"/target/debug/signpost-{controller,node,cni} "$folder/built"
  mv "$folder/built" "$programs"
  rm -rf "$folder/target" "$folder/source"
fi
IMAGE_VERSION=previous scripts/images/local.sh "$programs" >&2
echo "$programs/images"
