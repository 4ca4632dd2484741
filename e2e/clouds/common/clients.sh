#!/usr/bin/env bash
# Installs the packages of a list, such as a cloud's own clients, into an environment of their own and
# prints its folder. Quiet and fast when that has been done before. clients.sh REQUIREMENTS
set -euo pipefail
requirements=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/signpost/clients

# The system's Python first: a version manager's may be gone tomorrow.
python=
for candidate in /usr/bin/python3 python3; do
  if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [[ -z $python ]]; then
  echo "error: no Python that can make environments. Remedy: apt-get install python3 python3-venv (e2e/setup.sh does so)" >&2
  exit 1
fi

# Another list of packages or another Python gets another folder.
key=$({ cat "$requirements"; "$python" -V; } | sha256sum | cut -c1-16)
environment=$cache/$key
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ ! -e $environment/complete ]]; then
  rm -rf "$environment"
  "$python" -m venv "$environment" >&2
  if ! "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2; then
    echo "error: cannot install $(grep -v '^#' "$requirements" | tr '\n' ' '). Remedy: make PyPI or a mirror of it reachable (pip config set global.index-url …)" >&2
    exit 1
  fi
  touch "$environment/complete"
fi
echo "$environment"
