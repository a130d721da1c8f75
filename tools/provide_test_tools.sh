#!/usr/bin/env bash
# Provides what tests with several hosts on one machine, with a browser, or with clients of others run, where this is root
# and apt works. What cannot be had is said, and no failure: the tests that need it are skipped and name the package. What
# failed is not tried again.
set -uo pipefail
cd "$(dirname "$0")/.."

STAMP=.venv/.test-tools
LOG=$PWD/.venv/apt.log
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'setup: %s\n' "$*" >&2; }

missing() {
    local pair
    for pair in ip:iproute2 nsenter:util-linux openssl:openssl nft:nftables faketime:faketime \
        chromium:chromium stilts:stilts mariadb:mariadb-client mariadb-dump:mariadb-client; do
        command -v "${pair%:*}" >/dev/null || echo "${pair#*:}"
    done
}

PACKAGES=$(missing | sort -u | tr '\n' ' ')
if [ -z "$PACKAGES" ] || [ "$(cat "$STAMP" 2>/dev/null)" = "$PACKAGES" ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing ${PACKAGES% }"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $PACKAGES; } >>"$LOG" 2>&1
fi
PACKAGES=$(missing | sort -u | tr '\n' ' ')
if [ -n "$PACKAGES" ]; then say "tests that need ${PACKAGES% } will be skipped (see .venv/apt.log)"; fi
echo "$PACKAGES" >"$STAMP"
