#!/bin/sh
# Runs one step of what takes long: step.sh WHAT USUALLY COMMAND...
# A line says what begins and how long it usually takes, another that it is done. What the command
# prints is shown only if it fails, but then all of it.
set -eu
what=$1 usually=$2
shift 2
log=$(mktemp "${TMPDIR:-/tmp}/signpost-step.XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

started=$(date +%s)
echo "==> $what ($usually)" >&2
"$@" >"$log" 2>&1 </dev/null || {
    code=$?
    cat "$log" >&2
    echo "error: $what failed, see above: $*" >&2
    exit "$code"
}
echo "    $what: done in $(($(date +%s) - started)) s" >&2
