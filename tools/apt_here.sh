# shellcheck shell=bash
# apt with package lists and a cache of its own, below $DRAFT, so that it needs neither root nor the machine's lists;
# what it says goes to $LOG. To be sourced.
apt_here() {
    local tool=$1
    shift
    "apt-$tool" -qq -o Dir::State::Lists="$DRAFT/apt/lists" -o Dir::Cache="$DRAFT/apt/cache" \
        -o Debug::NoLocking=1 -o APT::Sandbox::User= "$@" 2>>"$LOG"
}

make_draft() {
    rm -rf "$DRAFT"
    mkdir -p "$DRAFT"/apt/{lists,cache/archives}/partial "$DRAFT"/debs "$DRAFT"/tree
}
