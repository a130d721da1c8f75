#!/usr/bin/env bash
# Refreshes requirements.lock, the versions that every machine installs.
#   make lock              takes newer releases of everything
#   tools/lock.sh --keep   after a change of the dependencies in pyproject.toml: locks what is new, keeps every other version
set -euo pipefail
cd "$(dirname "$0")/.."

draft=.venv/requirements.draft
upgrade=--upgrade
if [ "${1:-}" = --keep ]; then
    upgrade=
    cp requirements.lock "$draft"
fi
.venv/bin/uv pip compile pyproject.toml --extra dev --extra docs --universal --python-version 3.11 $upgrade \
    --no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --output-file "$draft"
{
    echo '# The versions that every machine installs, made from pyproject.toml by `make lock` (tools/lock.sh); do not edit.'
    cat "$draft"
} > requirements.lock
rm "$draft"
