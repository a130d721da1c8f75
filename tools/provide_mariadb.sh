#!/usr/bin/env bash
# Provides a MariaDB server (10.6 or newer): the installed one if there is one; else, as root, Debian's package; else the
# package and the libraries it misses, unpacked beside the project in .mariadb, which needs no root.
# What counts as installed is decided in one place, src/skyshard/cluster/installation.py.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/apt_here.sh

PACKAGE=mariadb-server-core
STAMP=.venv/.mariadb
LOG=$PWD/.venv/apt.log
DRAFT=$PWD/.venv/mariadb-draft

say() { printf 'setup: %s\n' "$*" >&2; }

# The settings that decide which server is found, and the binary that was found with them.
settings() { echo "${SKYSHARD_MARIADB_ROOT:-}|${SKYSHARD_MARIADB_SEARCH:-}|$PATH"; }

is_warm() {
    [ -f "$STAMP" ] && [ "$(head -n 1 "$STAMP")" = "$(settings)" ] && [ -x "$(tail -n 1 "$STAMP")" ]
}

find_server() {
    local binary
    binary=$(.venv/bin/python -c 'from skyshard.cluster.installation import find_mariadbd; print(find_mariadbd().binary)' 2>/dev/null) \
        || return 1
    { settings; echo "$binary"; } > "$STAMP"
}

install_as_root() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $PACKAGE with apt-get"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "$PACKAGE"; } >>"$LOG" 2>&1
}

# The server, and the libraries that an installation would add to this machine. Where apt cannot tell (a machine with
# broken dependencies), all libraries that the server names, except those of the compiler.
wanted_packages() {
    local found
    found=$(apt_here get --simulate --no-install-recommends --reinstall install "$PACKAGE" | awk '/^Inst /{print $2}')
    if [ -z "$found" ]; then
        found="$PACKAGE $(apt_here cache depends "$PACKAGE" | awk '$1 ~ /Depends:/ && $2 ~ /^lib/ {print $2}' \
            | grep -vE '^lib(c6|gcc|stdc|crypt1)')"
    fi
    echo "$found"
}

unpack_beside() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "unpacking $PACKAGE into .mariadb"
    local one wanted
    make_draft || return 1
    apt_here get update >>"$LOG" || return 1
    wanted=$(wanted_packages)
    (cd "$DRAFT/debs" && apt_here get download $wanted >>"$LOG") || return 1
    for one in "$DRAFT"/debs/*.deb; do dpkg-deb -x "$one" "$DRAFT/tree" || return 1; done
    rm -rf .mariadb
    mv "$DRAFT/tree" .mariadb
    rm -rf "$DRAFT"
}

is_warm && exit 0
find_server && exit 0
install_as_root && find_server && exit 0
unpack_beside && find_server && exit 0
rm -rf "$DRAFT"
say "no MariaDB server 10.6 or newer could be provided (see .venv/apt.log); install one (Debian, as root: apt-get install $PACKAGE)"
exit 1
