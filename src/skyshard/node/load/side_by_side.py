"""Has several sessions of a server make the tables of an order at once.

An engine waits for its disk up to thirty times for one table, for its definition, its files and its logs; what
sessions wait for meanwhile is written together. Every table is made by one session from first to last, so nothing else
changes: the order fails as a whole, and only once all of them have ended.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TypeVar

from skyshard.db.connection import Connection
from skyshard.node.messages import BuildOrder
from skyshard.node.server.server_sessions import SESSIONS

T = TypeVar("T")
OpenBeside = Callable[[int], AbstractContextManager[Connection]]
"""Opens one of the further sessions, numbered from 1."""


def make_side_by_side(
    order: BuildOrder,
    connection: Connection,
    beside: OpenBeside | None,
    make: Callable[[Connection, BuildOrder], Sequence[T]],
) -> list[T]:
    """Results in the order of the builds; the first error, by session, once every session has ended.

    Args:
        beside: opens one of the further sessions.
        make: makes the tables of an order through one session; one result a table.
    """
    shares = in_shares([build.rows for build in order.builds], SESSIONS)
    orders = [replace(order, builds=tuple(order.builds[place] for place in share)) for share in shares]
    if beside is None or len(orders) < 2:
        return list(make(connection, order))

    with ThreadPoolExecutor(len(orders) - 1, "load") as threads:
        begun = [threads.submit(_further, beside, number, make, orders[number]) for number in range(1, len(orders))]
        try:
            made = [make(connection, orders[0])]
        finally:
            wait(begun)
        made += [one.result() for one in begun]
    found = {
        place: one for share, ones in zip(shares, made, strict=True) for place, one in zip(share, ones, strict=True)
    }
    return [found[place] for place in range(len(order.builds))]


def _further(
    beside: OpenBeside, number: int, make: Callable[[Connection, BuildOrder], Sequence[T]], order: BuildOrder
) -> Sequence[T]:
    with beside(number) as session:
        return make(session, order)


def in_shares(rows: Sequence[int], count: int) -> list[list[int]]:
    """Places of tables in at most ``count`` shares of about as many rows, the largest tables first; none is empty.

    >>> in_shares([1, 9, 4, 4], 2)
    [[1], [2, 3, 0]]
    >>> in_shares([0, 0], 6)
    [[0], [1]]
    """
    shares: list[list[int]] = [[] for _ in range(min(count, len(rows)))]
    loads = [(0, 0, number) for number in range(len(shares))]
    for place in sorted(range(len(rows)), key=lambda place: -rows[place]):
        load, tables, number = heapq.heappop(loads)
        shares[number].append(place)
        heapq.heappush(loads, (load + rows[place], tables + 1, number))
    return shares
