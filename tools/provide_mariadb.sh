#!/usr/bin/env bash
# Provides a MariaDB server (10.6 or newer): the installed one if there is one; else, as root, Debian's package; else the
# package and the libraries it misses, unpacked beside the project in .mariadb, which needs no root.
# What counts as installed is decided in one place, src/skyshard/db/installation.py.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGE=mariadb-server-core
STAMP=.venv/.mariadb
LOG=$PWD/.venv/apt.log

say() { printf 'setup: %s\n' "$*" >&2; }

# The settings that decide which server is found, and the binary that was found with them.
settings() { echo "${SKYSHARD_MARIADB_ROOT:-}|${SKYSHARD_MARIADB_SEARCH:-}|$PATH"; }

is_warm() {
    [ -f "$STAMP" ] && [ "$(head -n 1 "$STAMP")" = "$(settings)" ] && [ -x "$(tail -n 1 "$STAMP")" ]
}

find_server() {
    local binary
    binary=$(.venv/bin/python -c 'from skyshard.db.installation import find_mariadbd; print(find_mariadbd().binary)' 2>/dev/null) \
        || return 1
    { settings; echo "$binary"; } > "$STAMP"
}

install_as_root() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $PACKAGE with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$PACKAGE"; } >>"$LOG" 2>&1
}

unpack_beside() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "unpacking $PACKAGE into .mariadb"
    local draft=$PWD/.venv/mariadb-draft wanted one
    rm -rf "$draft"
    mkdir -p "$draft"/apt/{lists,cache/archives}/partial "$draft"/debs "$draft"/tree
    apt_here() {
        apt-get -qq -o Dir::State::Lists="$draft/apt/lists" -o Dir::Cache="$draft/apt/cache" \
            -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@"
    }
    apt_here update >>"$LOG" 2>&1 || return 1
    # Every package that an installation would add: the server and the libraries that this machine does not have.
    wanted=$(apt_here --simulate --no-install-recommends --reinstall install "$PACKAGE" 2>>"$LOG" | awk '/^Inst /{print $2}')
    (cd "$draft/debs" && apt_here download ${wanted:-$PACKAGE} >>"$LOG" 2>&1) || return 1
    for one in "$draft"/debs/*.deb; do dpkg-deb -x "$one" "$draft/tree"; done
    rm -rf .mariadb
    mv "$draft/tree" .mariadb
    rm -rf "$draft"
}

is_warm && exit 0
find_server && exit 0
install_as_root && find_server && exit 0
unpack_beside && find_server && exit 0
rm -rf .venv/mariadb-draft
say "no MariaDB server 10.6 or newer could be provided (see .venv/apt.log); install one (Debian, as root: apt-get install $PACKAGE)"
exit 1
