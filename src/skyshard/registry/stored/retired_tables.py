"""Tables that a compaction replaced, or that moved to another node: no longer in the catalog, dropped after a grace
period.

A query that began before goes on reading them. When the grace period is over, the next sweep drops them. What a job
has left where chunks were has the job's own time of grace, whoever sweeps.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as upsert

from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.server_clock import now_s


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
    _note(connection, database, names, now_s(connection))


def let_go(connection: sa.Connection, database: str, names: Mapping[str, Iterable[str]]) -> None:
    """The same of tables that stay for no time: the next sweep drops them, whatever grace it gives to others."""
    _note(connection, database, names, 0.0)


def _note(connection: sa.Connection, database: str, names: Mapping[str, Iterable[str]], since_s: float) -> None:
    rows = [
        {"server": server, "database": database, "name": name, "since_s": since_s}
        for server, listed in names.items()
        for name in listed
    ]
    if rows:
        statement = upsert(t.retired)  # one that was retired before, and has come back since, is so anew
        connection.execute(statement.on_duplicate_key_update(since_s=statement.inserted.since_s), rows)


def read(connection: sa.Connection, database: str) -> dict[str, set[str]]:
    """Server → tables of a database that are retired and not yet forgotten."""
    return _read(connection, t.retired.c.database == database)


def over(connection: sa.Connection, database: str, grace_s: float | None = None) -> dict[str, set[str]]:
    """Those of them whose time of grace is over: a sweep drops them, and has them forgotten when they are gone.

    Args:
        grace_s: of what no job has left; None keeps all of that.
    """
    c, s, j = t.retired.c, t.job_steps.c, t.jobs.c
    now = now_s(connection)
    of_jobs = sa.select(s.ended_s).join(t.jobs, j.id == s.job).where(s.ended_s.is_not(None))
    is_over: list[sa.ColumnElement[bool]] = [c.since_s.in_(of_jobs.where(s.ended_s <= now - j.grace_s))]
    if grace_s is not None:
        is_over.append((c.since_s <= now - grace_s) & c.since_s.not_in(of_jobs))
    return _read(connection, c.database == database, sa.or_(*is_over))


def forget(connection: sa.Connection, database: str, names: Mapping[str, Collection[str]]) -> None:
    """Forget tables that are dropped: server → their names."""
    c = t.retired.c
    for server, listed in names.items():
        here = (c.database == database, c.server == server, c.name.in_(sorted(listed)))
        connection.execute(sa.delete(t.retired).where(*here))


def _read(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for server, name in connection.execute(sa.select(t.retired.c.server, t.retired.c.name).where(*conditions)):
        found.setdefault(str(server), set()).add(str(name))
    return found
