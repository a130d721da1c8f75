"""Looks which nodes answer, and keeps it in the registry: so it is known since when one is down, and which ones flap.

Rules: all servers are asked at once, for a few seconds; czars that work look every ten seconds, one of them for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import SkyshardError
from skyshard.cluster.server_check import plain_version
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.registry import Registry

REACH_S = 4.5
"""So long a session may take to open, and again to answer: on a busy host a server that lives may take seconds."""
ALL_S = 9.0
"""All servers together have so long to answer."""
EACH_S = 9.0
"""No two looks of czars are closer to each other; less than the time between their heartbeats."""
_ASK = (
    "SELECT VERSION(), UNIX_TIMESTAMP(NOW(6)) - VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
    "WHERE VARIABLE_NAME = 'UPTIME'"
)


def look_at_nodes(registry: Registry, nodes: Mapping[str, Endpoint]) -> dict[str, str]:
    """Ask servers, and keep in the registry which answered; node → version of these."""
    asked = AskedAtOnce({name: partial(_ask, endpoint) for name, endpoint in nodes.items()})
    answers = {name: answer for name, answer in asked.answers(ALL_S).items() if answer is not None}
    registry.nodes.see({name: answers[name][1] if name in answers else None for name in nodes})
    return {name: version for name, (version, _) in answers.items()}


def watch_nodes(registry: Registry, nodes: Callable[[], Mapping[str, Endpoint]]) -> None:
    """The same, unless another process has looked just now."""
    if registry.nodes.take_look(EACH_S):
        look_at_nodes(registry, nodes())


def _ask(endpoint: Endpoint) -> tuple[str, float] | None:
    """Version of a node's server, and when it was started; None where it does not answer."""
    with (
        suppress(SkyshardError),
        connect(endpoint, Account.ADMIN, connect_timeout_s=REACH_S, answer_timeout_s=REACH_S) as admin,
    ):
        [(version, started_s)] = admin.rows(_ASK)
        return plain_version(str(version)), float(started_s)
    return None
