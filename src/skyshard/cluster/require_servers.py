"""Whether servers that others run can be used; where some cannot, one error says which, and why the first one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from skyshard.basics.ask_at_once import AskedAtOnce
from skyshard.basics.errors import ClusterError, UserError
from skyshard.db.connection import Account, Endpoint, connect

REACH_S = 3.0
"""A server that cannot be reached for so long is said to be down."""
ALL_REACHED_S = 10.0
"""All servers together have so long to answer."""
MOST_NAMES = 10
SEE_CHECK = "see `skyshard cluster check`"


def ask(endpoint: Endpoint) -> None:
    """Have a session answer. Raises ClusterError or UserError."""
    with connect(endpoint, Account.READER, connect_timeout_s=REACH_S, answer_timeout_s=REACH_S) as connection:
        connection.value("SELECT 1")


def require_servers(cluster: str, endpoints: Mapping[str, Endpoint]) -> None:
    """Make sure that all servers, by name, can be used; all are asked at once.

    Raises:
        UserError: the first one that cannot be used refuses, as with a wrong password.
        ClusterError: it does not answer, or not as it should.
    """
    answers = AskedAtOnce({name: partial(_fault, endpoint) for name, endpoint in endpoints.items()}).answers(
        ALL_REACHED_S
    )
    unheard = ClusterError(f"no answer in {ALL_REACHED_S:.0f} s", remedy=SEE_CHECK)
    found = {name: fault for name in endpoints if (fault := answers.get(name, unheard)) is not None}
    if not found:
        return
    first = next(iter(found.values()))
    what = f"{len(found)} of {len(endpoints)} servers of cluster {cluster} cannot be used"
    if len(found) == 1:
        raise type(first)(f"{what}: {first.what}", remedy=first.remedy) from first
    names = ", ".join([*list(found)[:MOST_NAMES], *(["..."] if len(found) > MOST_NAMES else [])])
    raise type(first)(f"{what} ({names}), the first because: {first.what}", remedy=f"{first.remedy}; {SEE_CHECK}")


def _fault(endpoint: Endpoint) -> UserError | ClusterError | None:
    try:
        ask(endpoint)
    except (UserError, ClusterError) as error:
        return error
    return None
