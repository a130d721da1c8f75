"""Faults of servers on many machines, where an event brings no command of its own: lines for units of systemd. No I/O.

A unit is the one of ``docs/examples/hosts`` that runs the server. What changes a unit lies below ``/run``, so that it
is gone when its host starts again. ``SKYSHARD_SSH`` names another command than ``ssh``, as in shipped scenarios.
"""

from __future__ import annotations

import shlex
from typing import NamedTuple

from skyshard.bench.workload.fault_scenario import CZAR, Do, FaultEvent


class HostCommand(NamedTuple):
    """Lines for ``sh`` on the host of the benchmark."""

    command: str
    undo: str = ""


_CHANGES = "/run/systemd/system/$1.service.d"
_CHANGED_BACK = f"rm -f {_CHANGES}/skyshard-fault.conf\nsystemctl daemon-reload\n"
_BODIES: dict[Do, tuple[str, str]] = {
    Do.KILL: (
        f"mkdir -p {_CHANGES}\n"
        f"printf '[Service]\\nRestart=no\\n' > {_CHANGES}/skyshard-fault.conf\n"
        "systemctl daemon-reload\n"
        'systemctl kill --signal=KILL "$1"\n',
        f'{_CHANGED_BACK}systemctl reset-failed "$1" || true\nsystemctl start "$1"\n',
    ),
    Do.STOP: ('systemctl kill --signal=STOP "$1"\n', 'systemctl kill --signal=CONT "$1"\n'),
    Do.RESTART: ('systemctl restart "$1"\n', ""),
    Do.CLOCK: (
        'set -- "$1" "$2" $(ls /usr/lib/*/faketime/libfaketimeMT.so.1)\n'
        '[ -n "$3" ] || { echo "its host needs the package faketime" >&2; exit 1; }\n'
        f"mkdir -p {_CHANGES}\n"
        'printf \'[Service]\\nEnvironment=LD_PRELOAD=%s FAKETIME=%ss FAKETIME_DONT_FAKE_MONOTONIC=1\\n\' "$3" "$2"'
        f" > {_CHANGES}/skyshard-fault.conf\n"
        "systemctl daemon-reload\n"
        'systemctl restart "$1"\n',
        f'{_CHANGED_BACK}systemctl restart "$1"\n',
    ),
}
"""What happens on the host: ``$1`` is the unit, ``$2`` seconds with their sign."""


def host_command(event: FaultEvent, node: str) -> HostCommand | None:
    """The lines of an event on a node, or ``czar``: its own, or those of its kind; None where there are none.

    >>> host_command(FaultEvent(do="stop", node="random"), "db1").undo.splitlines()[2]
    'systemctl kill --signal=CONT "$1"'
    """
    if event.command:
        return HostCommand(event.command, event.undo)
    if event.do not in _BODIES:
        return None
    unit = "skyshard-head" if node == CZAR else f"skyshard-node@{node}"
    done, undone = (_on_the_host(body, unit, event.shift_s) if body else "" for body in _BODIES[event.do])
    return HostCommand(done, undone)


def _on_the_host(body: str, unit: str, shift_s: float) -> str:
    """A line that runs a script in a shell of root on the node's host."""
    words = shlex.join([unit, f"{shift_s:+g}"])
    return f"${{SKYSHARD_SSH:-ssh}} \"root@$SKYSHARD_HOST\" sh -s {words} <<'END'\nset -e\n{body}END\n"
