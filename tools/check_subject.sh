#!/usr/bin/env bash
# Refuses a commit whose subject has more than 72 characters, or whose second line is not empty. Called with the message's file.
set -euo pipefail
subject=$(sed -n 1p "$1")
if [ "${#subject}" -gt 72 ]; then
    echo "the subject has ${#subject} characters; use at most 72" >&2
    exit 1
fi
if [ -n "$(sed -n '2{/^#/!p}' "$1")" ]; then
    echo "the second line is not empty; leave one empty line below the subject" >&2
    exit 1
fi
