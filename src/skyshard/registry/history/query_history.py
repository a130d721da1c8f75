"""The queries that were asked: their lifecycle, progress and statistics.

Rules: a state changes only by an allowed event, in one UPDATE that names the states it may come from, so two processes
cannot both end a query. Statements that are answered at once are written when they have ended, many in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.db.short_transactions import ShortTransactions
from skyshard.host.processes import host_id, is_there
from skyshard.registry.history.heartbeats import SILENT_S
from skyshard.registry.stored import plain_sql
from skyshard.registry.stored.lifecycle import QueryEvent, QueryState, State, steps
from skyshard.registry.stored.plain_sql import HISTORY, HISTORY_FLAGS

WRITTEN_ROWS = 8
"""Rows of one INSERT: a longer text takes the interpreter from the queries for longer than they take themselves."""
STATES_AT_A_TIME = 1000
KEPT_S = 7 * 86_400.0
"""So long queries and results are kept."""


OPEN = (QueryState.QUEUED, QueryState.EXECUTING)
HistoryRow = dict[str, Any]


class QueryHistory:
    """Reads and writes of the table ``queries``."""

    def __init__(self, plain: ShortTransactions) -> None:
        self._plain = plain

    def submit(self, name: str, statement: str, database: str, owner: str = "", limit_s: float = 0.0) -> int:
        """Note a statement of somebody that is to be answered later; returns its number.

        Args:
            limit_s: so long it may take from when it begins on; 0: no limit.
        """
        row: HistoryRow = {"name": name, "statement": statement, "database": database, "owner": owner}
        row["limit_s"] = limit_s
        row["state"] = QueryState.QUEUED
        with self._plain.writing() as connection:
            row |= {"is_async": True, "submitted_s": float(connection.value(plain_sql.NOW_S))}
            connection.execute(plain_sql.insert_queries(1), _whole(row))
            return int(connection.value(plain_sql.INSERTED_QUERY))

    def move(self, number: int, event: QueryEvent, **values: Any) -> bool:
        """Follow the lifecycle; False when the query is in no state that allows it."""
        allowed = steps(QueryState, event)
        (after,) = set(allowed.values())
        timed = {QueryEvent.BEGIN: "begun_s", QueryEvent.EXPIRE: ""}.get(event, "ended_s")
        return self._update(number, list(allowed), timed, state=after, **values)

    def withdraw(self, number: int) -> bool:
        """Cancel a query that nobody has begun; False for any other, which whoever runs it has to end."""
        return self._update(number, [QueryState.QUEUED], "ended_s", state=QueryState.CANCELLED)

    def progress(self, number: int, **values: Any) -> bool:
        """Write counters, and learn whether the query is to stop."""
        self._update(number, [QueryState.EXECUTING], **values)
        return bool(self.get(number)["is_stop_wanted"])

    def want_stop(self, number: int) -> None:
        """Ask whoever runs a query to stop it, unless it has ended."""
        self._update(number, OPEN, is_stop_wanted=True)

    def _update(self, number: int, sources: Sequence[State], timed: str = "", **values: Any) -> bool:
        """True when it changed the query: a step does, since no query goes from a state to the same one."""
        text = plain_sql.update_query(values, len(sources), timed=timed)
        arguments = [*map(_plain_value, values.values()), number, *map(str, sources)]
        with self._plain.writing() as connection:
            return connection.execute(text, arguments) > 0

    def get(self, number: int) -> HistoryRow:
        """A query by its number; ``UserError`` if there is none."""
        found = self._rows(plain_sql.QUERY, number)
        if not found:
            raise UserError(f"no query {number}", remedy="skyshard queries lists them")
        return found[0]

    def is_gone(self, row: HistoryRow) -> bool:
        """Whether the process that began a query has ended: as this host tells, of another host by its heartbeats."""
        if row["host"] in ("", host_id()):
            return not is_there(row["process"], row["process_began"])
        with self._plain.reading() as connection:
            return bool(connection.value(plain_sql.GONE_ELSEWHERE, [row["id"], SILENT_S, SILENT_S]))

    def last(self, count: int, *, only_open: bool = False) -> list[HistoryRow]:
        """The queries that came last, newest first."""
        if only_open:
            return self._rows(plain_sql.last_queries_in(len(OPEN)), *OPEN, count)
        return self._rows(plain_sql.LAST_QUERIES, count)

    def find(
        self,
        count: int,
        *,
        states: Sequence[str] = (),
        text: str = "",
        database: str = "",
        since_s: float | None = None,
        until_s: float | None = None,
        below: int | None = None,
        owner: str = "",
        most_bytes: int = 0,
    ) -> list[HistoryRow]:
        """The last queries of some states, with a text in their statement, of one database and one owner, submitted in
        [since, until), with a number below one; newest first. Letters of either case are equal in the text.

        Args:
            most_bytes: of their statements and errors, so that fewer may come; the first one comes anyhow. 0: no limit.
        """
        given: list[tuple[str, Sequence[Any]]] = []
        if states:
            given.append((plain_sql.in_states(len(states)), states))
        if text:
            given.append(("LOCATE(%s, statement COLLATE utf8mb4_general_ci) > 0", [text]))
        if database:
            given.append(("`database` = %s", [database]))
        if since_s is not None:
            given.append(("submitted_s >= %s", [since_s]))
        if until_s is not None:
            given.append(("submitted_s < %s", [until_s]))
        if owner:
            given.append(("owner = %s", [owner]))
        if below is not None:
            given.append(("id < %s", [below]))
        conditions = [condition for condition, _ in given]
        arguments = [_plain_value(argument) for _, arguments in given for argument in arguments]
        with self._plain.reading() as connection:
            if most_bytes:
                sizes = connection.rows(plain_sql.sizes_of_queries(conditions), [*arguments, count])
                conditions, arguments = [*conditions, "id >= %s"], [*arguments, _last_within(sizes, most_bytes)]
            return _history_rows(connection.rows(plain_sql.found_queries(conditions), [*arguments, count]))

    def waiting_since(self, before_s: float) -> list[int]:
        """The numbers of queries that were submitted before a time, and that nobody has begun; newest first."""
        with self._plain.reading() as connection:
            return [int(number) for (number,) in connection.rows(plain_sql.WAITING, [str(QueryState.QUEUED), before_s])]

    def kept_of(self, owner: str) -> int:
        """How many queries of somebody hold a result, or are to."""
        states = [str(one) for one in (*OPEN, QueryState.COMPLETED)]
        with self._plain.reading() as connection:
            return int(connection.value(plain_sql.count_queries_of(len(states)), [owner, *states]))

    def states(self, numbers: Collection[int]) -> dict[int, str]:
        """The states of some queries; without those that were forgotten."""
        found: dict[int, str] = {}
        wanted = sorted(numbers)
        with self._plain.reading() as connection:
            for start in range(0, len(wanted), STATES_AT_A_TIME):
                some = wanted[start : start + STATES_AT_A_TIME]
                rows = connection.rows(plain_sql.states_of_queries(len(some)), some)
                found |= {int(number): str(state) for number, state in rows}
        return found

    def record(self, rows: Sequence[HistoryRow]) -> None:
        """Write queries that have ended already, and forget what is older than ``KEPT_S`` and holds no result."""
        with self._plain.writing() as connection:
            for start in range(0, len(rows), WRITTEN_ROWS):
                some = rows[start : start + WRITTEN_ROWS]
                connection.execute(
                    plain_sql.insert_queries(len(some)), [value for row in some for value in _whole(row)]
                )
            connection.execute(plain_sql.forget_queries(len(OPEN)), [time.time() - KEPT_S, *map(str, OPEN)])

    def expired(self) -> list[HistoryRow]:
        """Queries whose results have been kept long enough."""
        return self._rows(plain_sql.EXPIRED_QUERIES, QueryState.COMPLETED, time.time() - KEPT_S)

    def _rows(self, sql: str, *arguments: Any) -> list[HistoryRow]:
        with self._plain.reading() as connection:
            return _history_rows(connection.rows(sql, [*map(_plain_value, arguments)]))


def _history_rows(found: Iterable[Sequence[Any]]) -> list[HistoryRow]:
    rows = [dict(zip(HISTORY, row, strict=True)) for row in found]
    return [row | {name: bool(row[name]) for name in HISTORY_FLAGS} for row in rows]


def _last_within(sizes: Sequence[Sequence[Any]], most_bytes: int) -> int:
    """Of numbers and bytes the last number up to which there are no more bytes than may be; the first one anyhow.

    >>> _last_within([(9, 40), (7, 60), (6, 1)], 100), _last_within([(9, 400), (7, 1)], 100)
    (7, 9)
    """
    ends = accumulate(int(size) for _, size in sizes)
    within = [int(number) for (number, _), end in zip(sizes, ends, strict=True) if end <= most_bytes]
    return within[-1] if within else max((int(number) for number, _ in sizes), default=0)


def _whole(row: HistoryRow) -> list[Any]:
    """The values of a row, in the order of the columns; the server numbers it."""
    return [_plain_value(row.get(name, default)) for name, default in HISTORY.items() if name != "id"]


def _plain_value(value: Any) -> Any:
    """States are written as their words."""
    return str(value) if isinstance(value, str) else value
