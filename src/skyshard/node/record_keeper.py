"""Gives every node its records of a database: after what changed it, and where one lacks some.

Rules: what queries see is committed before; a node that cannot take its records is named, and gets them next time. A
registry that was restored from an old dump does not take away what nodes know of later transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import RECORDS_NOT_KEPT
from skyshard.node.kept_records import held_records, keep_records, known_everywhere, read_record
from skyshard.registry.backup.records import STATE, KeptRecord, listed_in
from skyshard.registry.registry import Registry
from skyshard.registry.stored.records import DROPPED_ROWS, DROPPED_TABLE

T = TypeVar("T")
REACH_S = 5.0
ANSWER_S = 120.0


def keep_on_nodes(
    registry: Registry,
    nodes: Mapping[str, Endpoint],
    database: str,
    events: EventLog = ONLY_LOGGED,
    *,
    anew: bool = False,
    over_later: bool = False,
) -> dict[str, str]:
    """Bring every node's records of a database (its stored name) up to date; returns the nodes that failed, and why.

    Args:
        anew: those of all transactions, too, as after moves of chunks.
        over_later: also where nodes know transactions that the registry lacks: what they brought is swept.
    """
    held, failed = ask_nodes(nodes, partial(held_records, database=database))
    plans = registry.records.finished(database)
    later = {} if over_later or not plans else _know_later(nodes, held, database, set(plans))
    if later:
        for node, why in later.items():
            events.about(node=node).tell(RECORDS_NOT_KEPT, database=database, error=why)
        return failed | later
    drops = [number for number, plan in plans.items() if plan in (DROPPED_ROWS, DROPPED_TABLE)]
    held = {node: {} if anew else still_right(one, database, drops) for node, one in held.items()}
    records = registry.records.of_database(database, known_everywhere(held, database))
    if records:
        answering = {name: nodes[name] for name in held}
        work = {name: partial(_keep, database, records, held[name]) for name in answering}
        failed |= ask_nodes(answering, work)[1]
    for node, why in failed.items():
        events.about(node=node).tell(RECORDS_NOT_KEPT, database=database, error=why)
    return failed


def still_right(
    held: Mapping[tuple[str, int], int], database: str, drops: Collection[int]
) -> dict[tuple[str, int], int]:
    """The records of a node, without those older than a drop of rows or a table: contributions changed with it.

    >>> still_right({("x", 1): 5, ("x", 2): 9, ("x", 3): 9, ("x", 4): 10}, "x", [3])
    {('x', 2): 9, ('x', 3): 9, ('x', 4): 10}
    >>> still_right({("x", 1): 5, ("x", 4): 10}, "x", [3])
    {('x', 4): 10}
    """
    made = {drop: held.get((database, drop)) for drop in drops}
    return {
        (name, number): sequence
        for (name, number), sequence in held.items()
        if all(drop <= number or (since is not None and since <= sequence) for drop, since in made.items())
    }


def _know_later(
    nodes: Mapping[str, Endpoint],
    held: Mapping[str, Mapping[tuple[str, int], int]],
    database: str,
    known: Set[int],
) -> dict[str, str]:
    """The node whose record of the database's state is the newest, where it lists transactions that are not known."""
    state = (database, STATE)
    if not any(number != STATE and number not in known for one in held.values() for _, number in one):
        return {}
    holders = sorted((one[state], node) for node, one in held.items() if state in one)
    for _, node in reversed(holders):
        read, failed = ask_nodes({node: nodes[node]}, partial(read_record, database=database, number=STATE))
        if failed:
            return failed
        if (record := read[node]) is not None:
            later = sorted(listed_in(record) - known)
            why = f"it knows transaction {later[-1]}, which the registry does not" if later else ""
            return {node: why} if later else {}
    return {}


def _keep(database: str, records: list[KeptRecord], held: Mapping[tuple[str, int], int], admin: Connection) -> None:
    wanted = [one for one in records if one.number == STATE or (database, one.number) not in held]
    keep_records(admin, database, wanted)


def opened(node: Endpoint) -> Connection:
    """A session of the administrator on a node's server."""
    admin = connect(node, Account.ADMIN, connect_timeout_s=REACH_S, answer_timeout_s=ANSWER_S)
    admin.speak_utf8()
    return admin


def ask_nodes(
    nodes: Mapping[str, Endpoint], work: Callable[[Connection], T] | Mapping[str, Callable[[Connection], T]]
) -> tuple[dict[str, T], dict[str, str]]:
    """What each node's server answers, all at once; and those that do not, with the reason."""

    def ask(name: str) -> T:
        mine = work[name] if isinstance(work, Mapping) else work
        with opened(nodes[name]) as admin:
            return mine(admin)

    found: dict[str, T] = {}
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(max(1, min(64, len(nodes))), "records") as pool:
        asked = {name: pool.submit(ask, name) for name in nodes}
        for name, future in asked.items():
            try:
                found[name] = future.result()
            except SkyshardError as error:
                failed[name] = error.what
    return found, failed
