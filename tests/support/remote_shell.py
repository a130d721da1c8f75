"""A command in place of ``ssh`` for hosts of a lab: it reaches them beside their networks, as a console does."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.support.hosts import Lab


def remote_shell(lab: Lab) -> Path:
    """The command; like ``ssh``, it runs its words in a shell of the host that ``root@HOST`` names."""
    cases = [
        f'root@{name}) exec {shlex.join(host.entering)} env PATH="{lab.own / "bin"}:$PATH" sh -c "$words" ;;'
        for name, host in lab.hosts.items()
    ]
    file = lab.folder / "remote-shell"
    lines = [
        "#!/bin/sh",
        "host=$1; shift; words=$*",
        'case "$host" in',
        *cases,
        "esac",
        'echo "no $host" >&2; exit 255',
    ]
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o755)
    return file
