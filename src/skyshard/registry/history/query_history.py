"""The queries that were asked: their lifecycle, progress and statistics.

Rules: a state changes only by an allowed event, in one UPDATE that names the states it may come from, so two processes
cannot both end a query. Statements that are answered at once are written when they have ended, many in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from skyshard.basics.errors import UserError
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import QueryEvent, QueryState, State, steps

WRITTEN_ROWS = 8
"""Rows of one INSERT: a longer text takes the interpreter from the queries for longer than they take themselves."""
KEPT_S = 7 * 86_400.0
"""So long queries and results are kept."""


OPEN = (QueryState.QUEUED, QueryState.EXECUTING)
HistoryRow = dict[str, Any]


class QueryHistory:
    """Reads and writes of the table ``queries``."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def submit(self, name: str, statement: str, database: str) -> int:
        """Note a statement that is to be answered later; returns its number."""
        values = {"name": name, "statement": statement, "database": database, "state": QueryState.QUEUED}
        with self._engine.begin() as connection:
            made = connection.execute(sa.insert(t.queries).values(is_async=True, submitted_s=time.time(), **values))
            return int(made.lastrowid)

    def move(self, number: int, event: QueryEvent, **values: Any) -> bool:
        """Follow the lifecycle; False when the query is in no state that allows it."""
        allowed = steps(QueryState, event)
        (after,) = set(allowed.values())
        values["begun_s" if event is QueryEvent.BEGIN else "ended_s"] = time.time()
        if event is QueryEvent.EXPIRE:
            del values["ended_s"]
        return self._update(number, list(allowed), state=after, **values)

    def progress(self, number: int, **values: Any) -> bool:
        """Write counters, and learn whether the query is to stop."""
        self._update(number, [QueryState.EXECUTING], **values)
        return bool(self.get(number)["is_stop_wanted"])

    def want_stop(self, number: int) -> bool:
        """Ask whoever runs a query to stop it; False when it has ended."""
        return self._update(number, OPEN, is_stop_wanted=True)

    def _update(self, number: int, sources: Sequence[State], **values: Any) -> bool:
        where = (t.queries.c.id == number, t.queries.c.state.in_(sources))
        with self._engine.begin() as connection:
            return connection.execute(sa.update(t.queries).where(*where).values(**values)).rowcount > 0

    def get(self, number: int) -> HistoryRow:
        """A query by its number; ``UserError`` if there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(t.queries).where(t.queries.c.id == number)).mappings().first()
        if row is None:
            raise UserError(f"no query {number}", remedy="skyshard queries lists them")
        return dict(row)

    def last(self, count: int, *, only_open: bool = False) -> list[HistoryRow]:
        """The queries that came last, newest first."""
        query = sa.select(t.queries).order_by(t.queries.c.id.desc()).limit(count)
        if only_open:
            query = query.where(t.queries.c.state.in_(OPEN))
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def record(self, rows: Sequence[HistoryRow]) -> None:
        """Write queries that have ended already, and forget what is older than ``KEPT_S`` and holds no result."""
        old = (t.queries.c.submitted_s < time.time() - KEPT_S, t.queries.c.result == "")
        with self._engine.begin() as connection:
            for start in range(0, len(rows), WRITTEN_ROWS):
                connection.execute(sa.insert(t.queries), list(rows[start : start + WRITTEN_ROWS]))
            connection.execute(sa.delete(t.queries).where(*old, t.queries.c.state.not_in(OPEN)))

    def expired(self) -> list[HistoryRow]:
        """Queries whose results have been kept long enough."""
        query = sa.select(t.queries).where(
            t.queries.c.state == QueryState.COMPLETED, t.queries.c.ended_s < time.time() - KEPT_S
        )
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query.where(t.queries.c.is_async)).mappings()]
