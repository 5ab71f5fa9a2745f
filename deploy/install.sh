#!/bin/bash
# Installs the checkout into a virtual environment from the lock file: deploy/install.sh FOLDER
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=$1
distributions=(kit services/users services/bots services/staking gateway)

usable() { # a Python of a supported version that can make virtual environments (a version manager's shim may only pretend)
  "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
    if usable "$candidate"; then command -v "$candidate"; return; fi
  done
  echo "No Python 3.11, 3.12 or 3.13 with the venv module on the PATH: install one, or name it with PYTHON=…" >&2
  exit 1
}

pip() { # output only if it fails
  local log
  log=$(mktemp)
  if ! "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
}

if ! [ -x "$venv/bin/python" ] || ! usable "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  python=$(find_python)
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
version=$("$venv/bin/python" -c 'import sys; print(*sys.version_info[:3], sep=".")')
echo "Installing into $venv from requirements/dev.txt, Python $version (about a minute the first time)"
pip install --require-hashes --requirement requirements/dev.txt
pip install --no-build-isolation --no-deps "${distributions[@]/#/--editable=}"
