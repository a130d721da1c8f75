#!/usr/bin/env bash
# Refreshes requirements.lock, the versions that every machine installs. Run it after a change of the dependencies in
# pyproject.toml, or to take newer releases:  make lock
set -euo pipefail
cd "$(dirname "$0")/.."

draft=.venv/requirements.draft
.venv/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --no-emit-index-url \
    --no-emit-find-links --no-annotate --no-header --quiet --output-file "$draft"
{
    echo '# The versions that every machine installs, made from pyproject.toml by `make lock` (tools/lock.sh); do not edit.'
    cat "$draft"
} > requirements.lock
rm "$draft"
