"""What there is: each database with its names, size, state, source and times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skyshard.registry.catalog.database_life import DatabaseRow
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import COMPACTION, DROPPED_ROWS, DROPPED_TABLE
from skyshard.registry.transactions.transaction_report import lost_rows

_ENDS = (TransactionState.FINISHED, TransactionState.ABORTED)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """One database; times are seconds since 1970.

    ``rows`` are those that queries see, copies and overlap not counted; ``bytes`` what all replicas of them take.
    """

    database: str
    state: str
    """ingesting, published or dropping."""
    aliases: tuple[str, ...]
    rows: int
    bytes: int
    tables: int
    family: str
    engine: str
    replicas: int
    source: str
    """Of the last transaction that brought rows, or is to."""
    created_s: float
    changed_s: float
    """When a transaction was published last, or the name or state changed."""
    transactions: int
    """Finished ones that brought rows."""
    open_transaction: int | None
    stored_as: str
    """Its name on the servers and in files."""
    dropped_rows: int = 0
    """Rows that no node had any more, and that were taken out; copies in overlap tables not counted."""
    dropped_s: float = 0.0
    """When that was done last; 0 for never."""


def list_databases(registry: Registry) -> list[DatabaseFacts]:
    """All databases, those that are being ingested or dropped too, by name."""
    names, sizes = registry.published.names(), registry.replicas.sizes()
    transactions: dict[str, list[dict[str, Any]]] = {}
    for row in registry.transactions.all():
        transactions.setdefault(row["database"], []).append(row)
    return [
        _facts(
            registry, one, names.aliases(one.stored), transactions.get(one.stored, []), sizes.get(one.stored, (0, 0))
        )
        for one in registry.life.rows()
    ]


def _facts(
    registry: Registry,
    one: DatabaseRow,
    aliases: tuple[str, ...],
    transactions: list[dict[str, Any]],
    size: tuple[int, int],
) -> DatabaseFacts:
    finished = [row for row in transactions if row["state"] == TransactionState.FINISHED]
    brought = [row for row in finished if row["plan"] not in (COMPACTION, DROPPED_ROWS, DROPPED_TABLE)]
    sources = [row["source"] for row in brought] or [one.source]
    dropped = lost_rows(finished)
    opened = next((row["id"] for row in transactions if row["state"] not in _ENDS), None)
    return DatabaseFacts(
        database=one.shown,
        state=str(one.state),
        aliases=aliases,
        rows=size[0],
        bytes=size[1],
        tables=len(registry.databases.table_definitions(one.stored)),
        family=one.family,
        engine=str(one.layout.get("engine", "MyISAM")),
        replicas=int(str(one.layout.get("replicas", 1))),
        source=sources[-1],
        created_s=one.created_s,
        changed_s=max([one.changed_s, *(row["ended_s"] for row in finished if row["ended_s"])]),
        transactions=len(brought),
        open_transaction=opened,
        stored_as=one.stored,
        dropped_rows=sum(one.rows for _, one in dropped if not one.is_overlap),
        dropped_s=max((ended_s for ended_s, _ in dropped), default=0.0),
    )
