"""Tables that compaction replaced: no longer in the catalog, dropped after a grace period.

A query that began before the merge goes on reading them. When the grace period is over, the next sweep drops them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from skyshard.registry.stored import sql_tables as t


def retire(connection: sa.Connection, database: str, transaction: int, names: Mapping[str, Iterable[str]]) -> None:
    """Leave only one transaction's record of all that it made; what was recorded of it before is forgotten.

    Args:
        names: server → tables that stay for the time of grace.
    """
    for table, keys in ((t.replicas, ("table", "chunk", "is_overlap")), (t.index_parts, ("director",))):
        merged = table.alias()
        same = [table.c[key] == merged.c[key] for key in ("database", *keys)]
        older = (table.c.database == database, table.c.transaction_id != transaction)
        connection.execute(sa.delete(table).where(*older, *same, merged.c.transaction_id == transaction))
    now = time.time()
    rows = [
        {"server": server, "database": database, "name": name, "since_s": now}
        for server, listed in names.items()
        for name in listed
    ]
    if rows:
        connection.execute(sa.insert(t.retired).prefix_with("IGNORE"), rows)


def read(connection: sa.Connection, database: str) -> dict[str, set[str]]:
    """Server → tables of a database that are retired and not yet forgotten."""
    found: dict[str, set[str]] = {}
    query = sa.select(t.retired.c.server, t.retired.c.name).where(t.retired.c.database == database)
    for server, name in connection.execute(query):
        found.setdefault(str(server), set()).add(str(name))
    return found


def forget(connection: sa.Connection, database: str, grace_s: float) -> None:
    """Forget the tables that have been retired for so long: the next sweep drops them."""
    old = t.retired.c.since_s <= time.time() - grace_s
    connection.execute(sa.delete(t.retired).where(t.retired.c.database == database, old))
