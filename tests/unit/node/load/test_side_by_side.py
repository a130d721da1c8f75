"""The tables of an order are shared out among sessions: each once, evenly, and the order fails as a whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column, Table
from skyshard.db.connection import Connection
from skyshard.node.load.side_by_side import in_shares, make_side_by_side
from skyshard.node.messages import BuildOrder, Loader, TableBuild
from skyshard.node.server.server_sessions import SESSIONS
from skyshard.rowimage.sqltype import parse_type

_TABLE = Table("T", (Column("i", parse_type("int")),))


def order_of(rows: list[int]) -> BuildOrder:
    builds = [TableBuild(f"T_{place}", "T", place, False, 0, "", (), count, "") for place, count in enumerate(rows)]
    return BuildOrder("db", _TABLE, Loader.IMAGE, tuple(builds), "InnoDB")


@contextmanager
def numbered(number: int) -> Iterator[Connection]:
    """A session that nothing is asked of but its number."""
    yield cast(Connection, number)


@given(st.lists(st.integers(0, 1_000), max_size=40), st.integers(1, 8))
def test_every_table_is_in_one_share(rows: list[int], count: int) -> None:
    """Whatever the sizes, no table is made twice or not at all, and no share is more than a table above another."""
    shares = in_shares(rows, count)
    assert sorted(place for share in shares for place in share) == list(range(len(rows)))
    assert all(shares)
    loads = [sum(rows[place] for place in share) for share in shares]
    assert max(loads, default=0) - min(loads, default=0) <= max(rows, default=0)


@given(st.lists(st.integers(0, 9), max_size=20))
def test_results_are_in_the_order_of_the_builds(rows: list[int]) -> None:
    """Which session made a table shows nowhere."""
    order = order_of(rows)

    def make(_: Connection, some: BuildOrder) -> list[str]:
        return [build.name for build in some.builds]

    found = make_side_by_side(order, cast(Connection, 0), numbered, make)
    assert found == [build.name for build in order.builds]


def test_sessions_are_at_work_at_once() -> None:
    """A table for each session: all of them are being made before one is done."""
    together = threading.Barrier(SESSIONS, timeout=60)
    used: list[Any] = []

    def make(session: Connection, some: BuildOrder) -> list[str]:
        together.wait()
        used.append(session)
        return ["" for _ in some.builds]

    make_side_by_side(order_of([1] * SESSIONS), cast(Connection, 0), numbered, make)
    assert sorted(used) == list(range(SESSIONS))


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_waits_for_all_sessions(failing: int) -> None:
    """What another session has under way has ended when the order fails, whichever session it was that failed."""
    has_failed, ended = threading.Event(), []

    def make(session: Any, some: BuildOrder) -> list[str]:
        if session == failing:
            has_failed.set()
            raise ValueError("no")
        has_failed.wait()
        ended.append(session)
        return ["" for _ in some.builds]

    with pytest.raises(ValueError, match="no"):
        make_side_by_side(order_of([1, 1, 1]), cast(Connection, 0), numbered, make)
    assert len(ended) == 2


def test_a_single_session_makes_all() -> None:
    """Where no further session may be opened, the one that is there does everything."""
    used: list[Any] = make_side_by_side(order_of([1, 2]), cast(Connection, 7), None, lambda session, _: [session] * 2)
    assert used == [7, 7]
