"""Sums of what has ended, for monitoring: each row is read once, however often they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skyshard.db.short_transactions import ShortTransactions
from skyshard.registry.stored import measure_sql


@dataclass(frozen=True, slots=True)
class EndedRow:
    """Queries of one state and lane; ``within``: how many lasted no longer than each of the bounds asked for."""

    is_settled: bool
    state: str
    lane: str
    queries: int
    elapsed_s: float
    chunks: int
    bytes: int
    within: tuple[int, ...]


class Measures:
    """Reads the tables of queries, transactions, contributions and replicas."""

    def __init__(self, plain: ShortTransactions) -> None:
        self._plain = plain

    def ended_queries(self, after: int, bounds_s: Sequence[float]) -> tuple[list[EndedRow], int]:
        """Sums of the queries after a number, and up to which number nothing of them changes any more."""
        with self._plain.reading() as connection:
            settled = int(connection.value(measure_sql.SETTLED_QUERY, [after, after]))
            rows = connection.rows(measure_sql.ended_queries(bounds_s), [settled, after])
        return [
            EndedRow(
                bool(is_settled), str(state), str(lane), int(queries), float(elapsed), int(chunks), int(size),
                tuple(int(count or 0) for count in within),
            )
            for is_settled, state, lane, queries, elapsed, chunks, size, *within in rows
        ], settled  # fmt: skip

    def ingested_rows(self, after: int) -> tuple[int, int, int]:
        """Own rows of finished transactions after a number: up to a settled one, later ones, that number."""
        with self._plain.reading() as connection:
            settled = int(connection.value(measure_sql.SETTLED_TRANSACTION, [after, after]))
            [(before, all_of_them)] = connection.rows(measure_sql.INGESTED_ROWS, [settled, after])
        return int(before), int(all_of_them) - int(before), settled

    def replicas(self) -> dict[str, int]:
        """State → replicas."""
        return self._counts(measure_sql.REPLICA_STATES)

    def transactions(self) -> dict[str, int]:
        """State → transactions."""
        return self._counts(measure_sql.TRANSACTION_STATES)

    def open_queries(self) -> dict[str, int]:
        """State → queries that have not ended."""
        return self._counts(measure_sql.OPEN_QUERIES)

    def _counts(self, sql: str) -> dict[str, int]:
        with self._plain.reading() as connection:
            return {str(state): int(count) for state, count in connection.rows(sql)}
