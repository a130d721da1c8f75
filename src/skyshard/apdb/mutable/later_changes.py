"""Rows that were changed in place after they had left for the published copy: counted, for the copy does not get them.

A count is written down before the change is made, so that one that is killed is counted, too, and none is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.db.connection import Account, Connection, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import LATER_CHANGES, STORED_BY, TILE_STORES


def note_later_changes(database: MutableDatabase, action: str, changed: Sequence[tuple[str, str]]) -> None:
    """Count the rows of stores that have left, before an action changes them.

    Args:
        changed: pairs of a table and the condition of the rows that are to be changed.
    """
    with connect(database.ledger, Account.WRITER, database.database) as ledger:
        left = ledger.rows(f"SELECT storeId FROM {quote_name(TILE_STORES)} WHERE replicaChunk IS NOT NULL")
        if not left:
            return
        stores = ", ".join(str(number) for (number,) in left)
        rows = sum(
            _count(database, node, table, f"{condition} AND {STORED_BY} IN ({stores})")
            for node in sorted(set(database.placed().values()))
            for table, condition in changed
        )
        if rows:
            sql = f"INSERT INTO {quote_name(LATER_CHANGES)} (action, changed) VALUES (%s, %s)"
            ledger.execute(sql, [action, rows])


def _count(database: MutableDatabase, node: str, table: str, condition: str) -> int:
    with connect(database.cluster.node(node).sql, Account.READER, database.database) as reader:
        return int(reader.value(f"SELECT COUNT(*) FROM {quote_name(table)} WHERE {condition}"))


def later_changes(ledger: Connection) -> dict[str, int]:
    """Action → rows that it changed after they had left."""
    rows = ledger.rows(f"SELECT action, SUM(changed) FROM {quote_name(LATER_CHANGES)} GROUP BY action ORDER BY action")
    return {str(action): int(count) for action, count in rows}
