#!/usr/bin/env bash
# Makes a fresh clone ready: .venv with the locked versions, and a MariaDB server. Needs Python 3.11 or newer and pip.
# Run again at any time: what is there already is kept, and a warm run takes a fraction of a second.
# Package indexes are those of your own pip configuration; set PYTHON to choose an interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
LOCK=requirements.lock
STAMP=$VENV/.ready
VENV_PYTHON=$PWD/$VENV/bin/python

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# What the installed packages depend on: another text here means installing anew.
fingerprint() {
    { cat pyproject.toml "$LOCK"; echo "$PWD $(readlink -f "$VENV/bin/python")"; } | sha256sum | cut -d' ' -f1
}

make_venv() {
    local python
    python=$(find_python) || fail "no Python 3.11 or newer found; install python3 (Debian: apt-get install python3), or set PYTHON"
    say "making $VENV with $("$python" --version)"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv --clear "$VENV"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --clear --without-pip "$VENV"
        "$python" -m pip --python "$VENV_PYTHON" install --quiet pip
    else
        fail "$python has neither ensurepip nor pip; install python3-venv (Debian: apt-get install python3-venv)"
    fi
}

# uv does not read pip's configuration: hand it the index and the certificates, unless it has its own.
configure_uv() {
    local index
    index=${PIP_INDEX_URL:-$("$VENV_PYTHON" -m pip config get global.index-url 2>/dev/null || true)}
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=$index; fi
    if [ -n "${PIP_CERT:-}" ] && [ -z "${SSL_CERT_FILE:-}" ]; then export SSL_CERT_FILE=$PIP_CERT; fi
    if [ -f /etc/ssl/certs/ca-certificates.crt ]; then export UV_NATIVE_TLS=1 UV_SYSTEM_CERTS=1; fi
}

install_packages() {
    say "installing $(grep -cv '^#' "$LOCK") locked packages"
    if "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null; then
        configure_uv
        if "$VENV/bin/uv" pip install --quiet --python "$VENV_PYTHON" --requirement "$LOCK" \
            && "$VENV/bin/uv" pip install --quiet --python "$VENV_PYTHON" --no-deps --editable .; then
            return
        fi
        say "uv could not install them; trying pip"
    fi
    "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check --requirement "$LOCK" \
        && "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --editable . \
        || fail "pip cannot install the packages of $LOCK; see its lines above"
}

if [ ! -x "$VENV_PYTHON" ] || [ "$(cat "$STAMP" 2>/dev/null)" != "$(fingerprint)" ]; then
    "$VENV_PYTHON" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || make_venv
    install_packages
    # Commands start in half the time; where PYTHONDONTWRITEBYTECODE is set, nobody else would do it.
    "$VENV_PYTHON" -m compileall -q -j 0 "$VENV/lib" src >/dev/null 2>&1 || true
    fingerprint > "$STAMP"
fi
tools/provide_mariadb.sh
tools/provide_myrocks.sh --once
