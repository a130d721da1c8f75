"""Chunk entries: what queries read of a table's chunks, as one value, beside the rows that it is made from.

Rules: rows are the truth. Whatever changes rows that queries see calls ``renew`` in the same SQL transaction, which
raises the table's generation and writes entries of that generation; entries of any other generation count as missing.
Two that change rows of a table make its entries one after the other, each of what the other has committed: ``renew``
locks the table's row before it reads, in a transaction that reads what is committed.
Missing ones are made of the rows when they are read, and kept (``keep``) if the rows have not changed since.
A table that takes the name of one that was dropped, or whose rows a dump brings back, begins with a generation that the
one before never had.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.errors import Bug
from skyshard.registry.stored import plain_sql
from skyshard.registry.stored.entry_columns import (
    EntryColumns,
    ReplicaColumns,
    columns_of,
    entries_of,
    read_entries,
    written,
)
from skyshard.registry.stored.lifecycle import ReplicaState

if TYPE_CHECKING:
    import sqlalchemy as sa

Ask = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]
"""Runs a statement with its arguments within the caller's transaction and gives its rows."""
NO_REPLICAS = columns_of(np.zeros((0, 5), np.int64), (), ())
_GENERATION_BITS = 24
"""Changes, 16 million, after which a table would have the generations of one that the next transaction brings."""


def first_generation(number: int) -> int:
    """The generation of a table that comes with a number that is never given twice: of its transaction, or of what took
    the place of the whole registry, which is a time."""
    return number << _GENERATION_BITS


def read_replica_columns(ask: Ask, database: str, tables: Sequence[str]) -> dict[str, ReplicaColumns]:
    """The replicas of some tables that finished transactions brought; a table without any is left out.

    The server puts the numbers of a table into one text: the driver takes 20 times as long for rows.
    """
    found = {}
    sql = plain_sql.LONG_TEXTS + plain_sql.REPLICA_COLUMNS + plain_sql.of_tables("r.`table`", len(tables))
    for name, count, numbers, nodes, states in ask(sql + plain_sql.BY_TABLE, [database, *tables]):
        good = [state == ReplicaState.GOOD for state in states.split(",")]
        found[str(name)] = columns_of(numbers_of(numbers, count), nodes.split(","), good)
    return found


def numbers_of(listed: str, count: int) -> NDArray[np.int64]:
    """So many replicas, a row each: chunk, whether it is the overlap, part, rows, bytes."""
    parsed = np.fromstring(listed, np.int64, sep=",")
    if len(parsed) != 5 * count:
        raise Bug(f"{len(parsed)} numbers of {count} replicas were read")
    return parsed.reshape(-1, 5)


def made_entries(ask: Ask, database: str, tables: Sequence[str]) -> dict[str, EntryColumns]:
    """Entries of some tables, made of the rows."""
    return _made(ask, database, tables, ask(plain_sql.ORPHAN_CHUNKS, [database])) if tables else {}


def _made(ask: Ask, database: str, tables: Sequence[str], orphans: Iterable[Sequence[Any]]) -> dict[str, EntryColumns]:
    replicas = read_replica_columns(ask, database, tables)
    by_table: dict[str, list[int]] = {}
    for table, chunk in orphans:
        by_table.setdefault(str(table), []).append(int(chunk))
    return {name: entries_of(replicas.get(name, NO_REPLICAS), by_table.get(name, ())) for name in tables}


def renew(connection: sa.Connection, database: str, tables: Collection[str], brought: int) -> None:
    """Write the entries of tables whose rows have changed; the last thing that a transaction does with them.

    Args:
        brought: the transaction of which rows came; what came before it without a director is known.
    """
    if not tables:
        return
    mine = sorted(tables)
    of_mine = plain_sql.of_tables("t.name", len(mine))

    def ask(sql: str, arguments: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return connection.exec_driver_sql(sql, tuple(arguments)).fetchall()

    ask(plain_sql.LOCK_TABLES + of_mine + plain_sql.FOR_UPDATE, [database, *mine])
    before = {name: read_kept(content) for name, content in ask(plain_sql.ENTRIES + of_mine, [database, *mine])}
    known = [(name, chunk) for name, one in before.items() if one is not None for chunk in one.orphans.tolist()]
    is_known = all(before.get(name) is not None for name in mine)
    orphans = ask(plain_sql.ORPHANS_OF_TRANSACTION, [brought]) if is_known else ask(plain_sql.ORPHAN_CHUNKS, [database])
    made = _made(ask, database, mine, [*known, *orphans])
    connection.exec_driver_sql(plain_sql.RAISE_TABLES + of_mine, (database, *mine))
    for name, entries in made.items():
        connection.exec_driver_sql(plain_sql.KEEP_ENTRIES, (written(entries), database, name))


def tables_of(connection: sa.Connection, transaction: int) -> list[str]:
    """The tables that a transaction has recorded replicas of."""
    rows = connection.exec_driver_sql(plain_sql.TABLES_OF_TRANSACTION, (transaction,))
    return [str(name) for (name,) in rows]


def read_kept(content: bytes | None) -> EntryColumns | None:
    """Entries as a row keeps them; None where there are none that this release reads."""
    return read_entries(content) if content else None


def keep(
    execute: Callable[[str, Sequence[Any]], object], database: str, made: Mapping[str, tuple[int, EntryColumns]]
) -> None:
    """Keep entries that were made of the rows: table → generation of the table then, and the entries.

    Those of a table whose rows have changed since are left out.
    """
    for table, (generation, entries) in made.items():
        execute(plain_sql.KEEP_READ_ENTRIES, [written(entries), database, table, generation])
