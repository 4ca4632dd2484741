#!/bin/sh
# Fails if a dependency has no licence that Apache-2.0 software may be shipped with.
set -eu
cd "$(dirname "$0")/.."
allowed='^(Apache-2\.0( WITH LLVM-exception)?|MIT(-0)?|BSD-[23]-Clause|ISC|Zlib|0BSD|Unlicense|CC0-1\.0|Unicode-3\.0|MPL-2\.0|OpenSSL|CDLA-Permissive-2\.0|BSL-1\.0)$'
# An expression is acceptable if, of each part joined by AND, one alternative is in the list.
refused=$(cargo metadata --format-version 1 --locked | jq -r --arg allowed "$allowed" '
  .packages[] | select(.source != null)
  | (.license // "none") as $license
  | select([$license | gsub(" */ *"; " OR ") | gsub("[()]"; "") | split(" AND ")[]
            | [split(" OR ")[] | test($allowed)] | any] | all | not)
  | "  \(.name) \(.version): \($license)"')
if [ -n "$refused" ]; then
    printf 'Dependencies whose licence is not in the list of scripts/licences.sh:\n%s\n' "$refused" >&2
    exit 1
fi
