#!/bin/sh
# Everything that must hold, from format to packets, with one summary at the end.
set -eu
cd "$(dirname "$0")/.."
. ./scripts/features.sh
log=$(mktemp "${TMPDIR:-/tmp}/signpost-test.XXXXXX")
trap 'rm -f "$log" "$log.failed"' EXIT
trap 'exit 130' INT TERM

./scripts/lint.sh
printf '\033[1m==> what clusters are made of\033[0m\n'
./e2e/binaries/build.sh
./e2e/binaries/build.sh helm kube-network-policies agnhost e2e.test ginkgo coredns portmap cnitool kubeadm tflint
./scripts/images/previous.sh
printf '\033[1m==> cargo test --no-run\033[0m\n'
# All programs too, with the features that the tests have: nothing is built twice.
cargo test --workspace --features "$features" --no-run

printf '\033[1m==> cargo test\033[0m\n'
# A file tells of the failure, since the pipe's exit code is that of tee.
{
    cargo test --workspace --features "$features" --no-fail-fast 2>&1 || : >"$log.failed"
    printf '\033[1m==> fuzzing\033[0m\n'
    setpriv --pdeathsig TERM ./scripts/fuzz.sh 2>&1 || : >"$log.failed"
    printf '\033[1m==> the agent under systemd\033[0m\n'
    setpriv --pdeathsig TERM python3 -B scripts/debian/unit.py "${CARGO_TARGET_DIR:-target}/debug" 2>&1 || : >"$log.failed"
    printf '\033[1m==> terraform\033[0m\n'
    setpriv --pdeathsig TERM ./scripts/terraform.sh 2>&1 || : >"$log.failed"
} | tee "$log"

awk '
    /^test r[0-9][0-9]_.* \.\.\. ok/ { rows[toupper(substr($2, 1, 3))]++ }
    /^test .* FAILED$/               { failed[++failures] = $2 }
    # The first lines of what a failed test said, so that the summary tells why.
    /^---- .* ----$/ || /^---- .* stdout ----$/ { saying = $2; lines = 0; next }
    /^(failures:|test result: .*)$/             { saying = "" }
    saying != "" && $0 != "" && lines++ < 12    { said[saying] = said[saying] "        " $0 "\n" }
    /^test result: / {
        binaries++
        for (i = 1; i < NF; i++) {
            if ($(i + 1) ~ /^passed/)   passed   += $i
            if ($(i + 1) ~ /^failed/)   broken   += $i
            if ($(i + 1) ~ /^ignored/)  ignored  += $i
            if ($(i + 1) ~ /^filtered/) filtered += $i
        }
    }
    END {
        printf "\n==> requirements covered by passing end-to-end tests:"
        for (i = 1; i <= 99; i++) {
            row = sprintf("R%02d", i)
            if (row in rows) printf " R%d", i
        }
        printf "\n"
        for (i = 1; i <= failures; i++) {
            printf "    failed: %s\n", failed[i]
            printf "%s", said[failed[i]]
        }
        printf "test result: %s. %d passed; %d failed; %d ignored; 0 measured; %d filtered out (%d test programs)\n",
            broken ? "FAILED" : "ok", passed, broken, ignored, filtered, binaries
    }' "$log"
[ ! -e "$log.failed" ]
