#!/usr/bin/env bash
# Provides the storage engine MyRocks: Debian's plugin of the same version as the server that is found, and the libraries
# that it misses, unpacked as .mariadb-plugins/VERSION beside the project. Needs no root. What cannot be had is said, and
# no failure: only layouts with the engine MyRocks need it. With --once, what failed before is not tried again.
set -uo pipefail
cd "$(dirname "$0")/.."
. tools/apt_here.sh

PACKAGE=mariadb-plugin-rocksdb
STAMP=.venv/.myrocks
LOG=$PWD/.venv/apt.log
DRAFT=$PWD/.venv/myrocks-draft
PLUGIN=usr/lib/mysql/plugin/ha_rocksdb.so

say() { printf 'setup: %s\n' "$*" >&2; }

# Version of the server, and whether it has the plugin.
server() {
    .venv/bin/python -c 'from skyshard.cluster.installation import find_mariadbd
found = find_mariadbd()
print(found.version_text, "has" if found.plugin_options else "lacks")' 2>/dev/null
}

# The package's full version for the server's, in the lists that "$@" reads.
full_version() {
    "$@" madison "$PACKAGE" 2>/dev/null | awk -F '|' -v wanted=":$VERSION-" '{gsub(" ", "", $2)} index($2, wanted) {print $2; exit}'
}

missing_libraries() { LD_LIBRARY_PATH=$(echo "$DRAFT"/tree/usr/lib/*-linux-*) ldd "$DRAFT/tree/$PLUGIN" | grep 'not found'; }

unpack_beside() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    say "unpacking $PACKAGE into .mariadb-plugins"
    local full one get=(apt-get -qq) cache=(apt-cache)
    make_draft || return 1
    full=$(full_version "${cache[@]}")
    if [ -z "$full" ]; then  # the machine's lists do not have it, or are not there
        get=(apt_here get) cache=(apt_here cache)
        apt_here get update >>"$LOG" || return 1
        full=$(full_version "${cache[@]}")
    fi
    [ -n "$full" ] || { say "$PACKAGE is not there in version $VERSION"; return 1; }
    (cd "$DRAFT/debs" && "${get[@]}" download "$PACKAGE=$full" >>"$LOG" 2>&1) || return 1
    for one in "$DRAFT"/debs/*.deb; do dpkg-deb -x "$one" "$DRAFT/tree" || return 1; done
    if missing_libraries >/dev/null; then
        one=$("${cache[@]}" depends "$PACKAGE=$full" | awk '$1 ~ /Depends:/ && $2 ~ /^lib/ {print $2}' | grep -vE '^lib(c6|gcc|stdc)')
        (cd "$DRAFT/debs" && rm -f ./*.deb && "${get[@]}" download $one >>"$LOG" 2>&1) || return 1
        for one in "$DRAFT"/debs/*.deb; do dpkg-deb -x "$one" "$DRAFT/tree" || return 1; done
    fi
    ! missing_libraries >>"$LOG" || return 1
    mkdir -p .mariadb-plugins
    rm -rf ".mariadb-plugins/$VERSION"
    mv "$DRAFT/tree" ".mariadb-plugins/$VERSION"
}

if [ "${1:-}" = --once ] && [ -f "$STAMP" ]; then exit 0; fi
read -r VERSION STATE <<<"$(server)"
if [ "${STATE:-}" = lacks ]; then
    unpack_beside || say "no MyRocks (see .venv/apt.log); layouts with engine MyRocks are refused. Try again: make myrocks"
    rm -rf "$DRAFT"
fi
touch "$STAMP"
