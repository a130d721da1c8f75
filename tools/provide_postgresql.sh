#!/usr/bin/env bash
# Provides PostgreSQL, an optional backend of visits, where this is root and apt works: Debian's package, without the
# service that it would begin (Skyshard starts private servers of its own). Where there is none, tests that need it are
# skipped and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGE=postgresql-15
SKY_INDEX=postgresql-15-q3c # for stores with pixels=q3c
LOG=$PWD/.venv/apt.log

say() { printf 'setup: %s\n' "$*" >&2; }

is_there() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; }
has_sky_index() { compgen -G '/usr/share/postgresql/*/extension/q3c.control' >/dev/null; }

is_there && has_sky_index && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    is_there && { say "PostgreSQL without q3c; as root: apt-get install $SKY_INDEX"; exit 0; }
    say "no PostgreSQL; install one (Debian, as root: apt-get install $PACKAGE), or name its folder in SKYSHARD_POSTGRESQL"
    exit 1
fi
say "installing $PACKAGE and $SKY_INDEX with apt-get"
export DEBIAN_FRONTEND=noninteractive
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
{ apt-get update -qq && apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold "$PACKAGE" "$SKY_INDEX"; } >>"$LOG" 2>&1
is_there || { say "$PACKAGE could not be installed (see .venv/apt.log)"; exit 1; }
