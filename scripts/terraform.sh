#!/usr/bin/env bash
# Checks terraform/: sources, format, validity, its tests with mock providers, and the examples: those of AWS in an account that
# moto plays, those of Google Cloud in a project that the emulator of Compute Engine plays with scripts/terraform/gcp. The
# controller leads to what they made, and machines boot with their user data. Prints a line for each check, as cargo
# test does. Four minutes on two cores once the programs are built.
# terraform.sh --write puts the tables of inputs and outputs in the READMEs right instead.
# SIGNPOST_TERRAFORM_PLUGINS=FOLDER says where a mirror of providers is; without one Terraform's registry is asked, and where
# that does not answer, Google's provider is built from its source (scripts/terraform/google-provider.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
clients=e2e/clouds/common/clients.sh

python=$($clients scripts/terraform/requirements.txt)/bin/python
if [[ ${1:-} == --write ]]; then
  exec "$python" scripts/terraform/sources.py terraform --write
fi

failed=0
"$python" scripts/terraform/sources.py terraform || failed=1

skipped() { # skipped WHAT WHY
  printf '\n\033[1mSKIPPED: terraform %s: %s\033[0m\n\n' "$1" "$2"
  printf 'test terraform::%s ... ignored\ntest result: ok. 0 passed; 0 failed; 1 ignored\n' "${3:-everything_but_the_sources}"
}
skip() {
  skipped "fmt, validate, test and apply" "$1"
  exit "$failed"
}
command -v terraform >/dev/null || skip "there is no terraform in PATH. Remedy: install version 1.11 or newer"
version=$(CHECKPOINT_DISABLE=1 terraform version 2>/dev/null | sed -n 's/^Terraform v//p')
[[ $(printf '1.11\n%s\n' "$version" | sort -V | head -1) == 1.11 ]] || skip "terraform is $version. Remedy: install 1.11 or newer"

work=$(mktemp -d "${TMPDIR:-/tmp}/signpost-terraform.XXXXXX")
accounts=() logs=()
finish() {
  for account in "${accounts[@]}"; do kill "$account" 2>/dev/null || :; done
  for account in "${accounts[@]}"; do wait "$account" 2>/dev/null || :; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Only copies are written to, and no settings of the user's count.
cp -r terraform manifests "$work"
find "$work/terraform" \( -name .terraform -o -name '*.tfstate*' -o -name .terraform.lock.hcl \) -prune -exec rm -rf {} +
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1 TF_CLI_CONFIG_FILE=$work/terraformrc
unset TF_DATA_DIR TF_CLI_ARGS TF_WORKSPACE TF_PLUGIN_CACHE_DIR
# Where the providers are: each in a mirror of its own, or in Terraform's registry. Google's is built where neither has it.
mirror_of() {
  for folder in "${SIGNPOST_TERRAFORM_PLUGINS:-}" /opt/tf-plugins /usr/local/share/terraform/plugins \
    "$HOME/.terraform.d/plugins" "$HOME/.local/share/terraform/plugins"; do
    if [[ -d $folder/registry.terraform.io/hashicorp/$1 ]]; then
      echo "$folder"
      return
    fi
  done
}
aws=$(mirror_of aws) google=$(mirror_of google) no_google=
if [[ -z $google ]] && ! curl -fsS -o "$work/log" -m 20 https://registry.terraform.io/.well-known/terraform.json 2>/dev/null; then
  google=$(scripts/terraform/google-provider.sh) || no_google="neither a mirror nor the registry has it, and it cannot be built, see above"
fi
{
  echo 'provider_installation {'
  for provider in aws google; do
    name=registry.terraform.io/hashicorp/$provider
    if [[ ${!provider} ]]; then
      printf '  filesystem_mirror {\n    path = "%s"\n    include = ["%s"]\n  }\n' "${!provider}" "$name"
    else
      printf '  direct {\n    include = ["%s"]\n  }\n' "$name"
    fi
  done
  echo '}'
} >"$TF_CLI_CONFIG_FILE"
if grep -q direct "$TF_CLI_CONFIG_FILE"; then
  export TF_PLUGIN_CACHE_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/signpost/terraform
  mkdir -p "$TF_PLUGIN_CACHE_DIR"
fi
# What is started ends with this script, whatever ends it.
quietly=(setpriv --pdeathsig TERM nice -n 10)
in_folder() { "${quietly[@]}" terraform -chdir="$work/terraform/$1" "${@:2}" </dev/null; }
clouds=()
can_have() { # can_have CLOUD PROVIDER [WHY NOT]
  if [[ -z ${3:-} ]] && in_folder "$1" init -input=false -no-color >"$work/log" 2>&1; then
    clouds+=("$1")
  else
    local why=${3:-$(grep -m1 -A2 Error: "$work/log" | tr '\n' ' ')}
    skipped "validate, test and apply for $1" "no $2 provider: $why. Remedy: make registry.terraform.io reachable, or name a mirror in SIGNPOST_TERRAFORM_PLUGINS" "$1"
  fi
}
can_have aws AWS
can_have gcp Google "$no_google"

# The controller and an API server, as the tests have them: nothing is built twice.
. ./scripts/features.sh
cargo test --quiet --workspace --features "$features" --no-run
programs=${CARGO_TARGET_DIR:-target}/debug
clusters=$(./e2e/binaries/build.sh kubelet kubectl kubeadm containerd containerd-shim-runc-v2 ctr)

# Accounts and projects wait most of the time, so they go beside each other and beside the rest.
beside() { # beside LOG PYTHON PROGRAM ARGUMENTS...
  logs+=("$work/$1.log")
  "${quietly[@]}" "$2" -B "scripts/terraform/$3" "${@:4}" >"$work/$1.log" 2>&1 &
  accounts+=($!)
}
boots() { # boots CLOUD PYTHON
  [[ $EUID -eq 0 ]] || return 0
  for role in control-plane workers; do
    beside "$1-$role" "$2" boot.py "$1" "$work/$1-small-$role.user-data" "$role" "$clusters" "$programs"
  done
}
modules=(cloud-init)
for cloud in "${clouds[@]}"; do
  modules+=("$cloud" "$cloud/modules/controller-role")
done
if [[ " ${clouds[*]} " == *" aws "* ]]; then
  moto=$($clients controller/cloud/tests/aws/moto-requirements.txt)/bin/python
  for example in aws-small aws-three-zones; do
    beside "$example" "$moto" account.py "$work" "$example" "$programs"
  done
  boots aws "$moto"
fi
if [[ " ${clouds[*]} " == *" gcp "* ]]; then
  apis=$($clients scripts/terraform/gcp-requirements.txt)/bin/python
  for example in gcp-small gcp-three-zones gcp-shared-vpc; do
    beside "$example" "$apis" project.py "$work" "$example" "$programs"
  done
  boots gcp "$apis"
fi

passed=0 broken=0
check() { # check NAME COMMAND...
  if "${@:2}" >"$work/log" 2>&1; then
    echo "test terraform::$1 ... ok"
    passed=$((passed + 1))
  else
    printf 'test terraform::%s ... FAILED\n\n---- terraform::%s ----\n' "$1" "$1"
    cat "$work/log"
    broken=$((broken + 1))
  fi
}
valid() {
  in_folder "$1" init -input=false -no-color && in_folder "$1" validate -no-color
}
check fmt "${quietly[@]}" terraform fmt -check -diff -recursive terraform
check tflint "${quietly[@]}" "$(./e2e/binaries/build.sh tflint)/tflint" --chdir=terraform --recursive
# What it is told to skip stands in the sources, with the reason.
check checkov "${quietly[@]}" "$($clients scripts/terraform/checkov-requirements.txt)/bin/checkov" \
  --directory terraform --framework terraform --compact --quiet --skip-download
for module in "${modules[@]}"; do
  check "validate::$module" valid "$module"
done
for module in "${modules[@]:1}"; do
  in_folder "$module" test -no-color >"$work/tests" 2>&1 || failed=1
  awk -v module="$module" '
    / in progress$/ { file = $1; sub(/.*\//, "", file); sub(/\.tftest.*/, "", file) }
    /^  run / {
      name = "terraform::test::" module "::" file "::" substr($2, 2, index($2, "\"...") - 2)
      print "test " name " ... " ($NF == "pass" ? "ok" : $NF == "skip" ? "ignored" : "FAILED")
      count[$NF]++
    }
    END {
      print "test result: " (count["fail"] || !count["pass"] ? "FAILED" : "ok") ". " count["pass"] + 0 " passed; " \
        count["fail"] + 0 " failed; " count["skip"] + 0 " ignored"
    }' "$work/tests"
  if ! grep -q '^Success!' "$work/tests"; then
    printf '\n---- terraform::test::%s ----\n' "$module"
    grep -v '\.\.\. pass$' "$work/tests"
  fi
done
[[ $broken == 0 ]] || failed=1
printf 'test result: %s. %d passed; %d failed; 0 ignored\n' "$([[ $broken == 0 ]] && echo ok || echo FAILED)" "$passed" "$broken"

for index in "${!accounts[@]}"; do
  wait "${accounts[$index]}" || failed=1
  cat "${logs[$index]}"
done
if [[ $EUID -ne 0 ]]; then
  printf '\n\033[1mSKIPPED: machines that boot with the user data: only root can run them\033[0m\n\n'
  printf 'test terraform::machine ... ignored\ntest result: ok. 0 passed; 0 failed; 1 ignored\n'
fi
accounts=()
exit "$failed"
