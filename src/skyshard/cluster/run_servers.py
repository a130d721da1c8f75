"""Starts and stops servers together, and tells what became of them. A start that fails leaves no process behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skyshard.basics.errors import SkyshardError, words_of
from skyshard.cluster.installation import Installation
from skyshard.cluster.left_scratch import clear_scratch
from skyshard.cluster.server import Server
from skyshard.host.interrupts import uninterrupted
from skyshard.log.event_log import EventLog
from skyshard.log.events import SERVER_CRASHED, SERVER_KILLED, SERVER_NOT_STARTED, SERVER_STARTED, SERVER_STOPPED

STOP_TIMEOUT_S = 60.0
GIVING_UP_TIMEOUT_S = 10.0

Report = Callable[[str], None]


def silent(_: str) -> None:
    """A report that is thrown away."""


def names_of(servers: Sequence[Server]) -> str:
    return ", ".join(server.name for server in servers)


def initialise_servers(servers: Sequence[Server], installation: Installation) -> None:
    """Make the data folders; servers that are alike get a copy of the first of them."""
    templates: dict[frozenset[tuple[str, str]], Server] = {}
    for server in servers:
        first = templates.setdefault(server.kept_settings, server)
        server.initialise(installation, template=None if first is server else first.data)


def start_servers(servers: Sequence[Server], installation: Installation, events: EventLog) -> None:
    """Start all at once and wait for all; when one fails or the user interrupts, none is left."""
    for server in servers:
        if server.is_crashed:
            events.tell(SERVER_CRASHED, node=server.name)
    try:
        for server in servers:
            server.start(installation)
        for server in servers:
            _wait_ready(server, installation, events)
    except BaseException:
        with uninterrupted():
            stop_servers(servers, events, timeout_s=GIVING_UP_TIMEOUT_S)
        raise


def stop_servers(
    servers: Sequence[Server], events: EventLog, report: Report = silent, *, timeout_s: float | None = None
) -> None:
    """Stop all at once; those that do not stop in time (a minute if None) are killed, which is reported."""
    timeout_s = STOP_TIMEOUT_S if timeout_s is None else timeout_s
    running = {server.name for server in servers if server.is_running()}
    for server in servers:
        server.request_stop()
    for server in servers:
        if not server.stop(timeout_s):
            report(f"{server.name} did not stop within {timeout_s:.0f} s and was killed")
            events.tell(SERVER_KILLED, node=server.name, reason=f"it did not stop within {timeout_s:.0f} s")
        elif server.name in running:
            events.tell(SERVER_STOPPED, node=server.name)


def _wait_ready(server: Server, installation: Installation, events: EventLog) -> None:
    try:
        server.wait_ready()
    except SkyshardError as error:
        events.tell(SERVER_NOT_STARTED, node=server.name, error=words_of(error))
        raise
    clear_scratch(server.endpoint, events)
    events.tell(SERVER_STARTED, node=server.name, pid=server.pid() or 0, version=installation.version_text)
