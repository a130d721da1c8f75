#!/usr/bin/env bash
# Runs all tests; the arguments are pytest's. A few that fail beside others are asked once more, alone: one that passes
# then is unsteady, a fault of its own (CONTRIBUTING.md, "Unsteady tests"). It is named at the end, and the run goes on.
set -uo pipefail
cd "$(dirname "$0")/.."

most_asked_again=5
failed=.pytest_cache/v/cache/lastfailed

rm -f "$failed"
.venv/bin/pytest "$@"
code=$?
[ "$code" -eq 1 ] && [ -s "$failed" ] || exit "$code" # 1: tests failed; others: none was there, stopped, a fault of pytest
mapfile -t names < <(.venv/bin/python -c "import json, sys; print(*json.load(open(sys.argv[1])), sep='\n')" "$failed")
[ "${#names[@]}" -le "$most_asked_again" ] || exit "$code"

printf '\n%s failed: asking once more, alone\n' "${#names[@]}"
.venv/bin/pytest -n 0 --last-failed --last-failed-no-failures none || exit 1
printf 'unsteady, mend it: %s\n' "${names[@]}"
