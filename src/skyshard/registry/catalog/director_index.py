"""The director index as queries read it: SQL tables on the czar's server, one part a transaction.

Names follow the chunk tables' rule: the first part has the plain name, later ones ``_p<transaction>``, and a MERGE
table ``_g<transaction>`` shows them as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from skyshard.catalog.ddl import shown_suffix
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, Row, quote_name
from skyshard.registry.catalog.published_catalog import Chunks
from skyshard.registry.stored import plain_sql
from skyshard.registry.stored.database_names import INDEX_DATABASE
from skyshard.registry.stored.records import IndexPart


def index_table_name(database: str, director: str) -> str:
    """Name of a director's index, without suffix."""
    return f"{database}__{director}"


def read_parts(connection: Connection, database: str, director: str = "") -> list[IndexPart]:
    """The parts that finished transactions brought, oldest first."""
    return [part for _, part in read_transactions(connection, database, director)]


def read_transactions(connection: Connection, database: str, director: str = "") -> list[tuple[int, IndexPart]]:
    """The same with the transactions that brought them."""
    rows = connection.rows(plain_sql.INDEX_PARTS, [database, director, director])
    return [(int(number), IndexPart(str(name), int(part), int(count))) for number, name, part, count in rows]


def visible_table(database: str, director: str, parts: Sequence[IndexPart]) -> str:
    """Quoted name of the table that shows the given parts; empty when there is none."""
    if not parts:
        return ""
    name = index_table_name(database, director) + shown_suffix([part.part for part in parts])
    return f"{quote_name(INDEX_DATABASE)}.{quote_name(name)}"


def key_range(table: Table, layout: TableLayout) -> range:
    """The keys that a director's column can hold."""
    least, most = table.column(layout.key).type.integer_range()
    return range(least, most + 1)


def chunks_of(rows: Iterable[Row]) -> dict[int, Chunks]:
    """Rows of the index (key, chunk): key → the chunks that have rows of it; a unique key has one."""
    found: dict[int, set[int]] = defaultdict(set)
    for key, chunk in rows:
        found[int(key)].add(int(chunk))
    return {key: frozenset(chunks) for key, chunks in found.items()}


def find_keys(connection: Connection, table: str, keys: Sequence[int], held: range) -> dict[int, Chunks]:
    """key → chunks for the keys that the index knows; ``held`` are those that its column can hold."""
    wanted = [int(key) for key in keys if int(key) in held]
    if not wanted or not table:
        return {}
    marks = ",".join(["%s"] * len(wanted))
    return chunks_of(connection.rows(f"SELECT DISTINCT `key`, chunkId FROM {table} WHERE `key` IN ({marks})", wanted))


def find_range(connection: Connection, table: str, low: int | None, high: int | None, held: range) -> set[int]:
    """Chunks with a key in [low, high]; None is unbounded."""
    least, most = held[0], held[-1]
    if not table or (low is not None and low > most) or (high is not None and high < least):
        return set()
    bounds = {"`key` >= %s": low if low is not None and low > least else None}
    bounds["`key` <= %s"] = high if high is not None and high < most else None
    where = " AND ".join(text for text, value in bounds.items() if value is not None) or "TRUE"
    sql = f"SELECT DISTINCT chunkId FROM {table} WHERE {where}"
    return {int(chunk) for (chunk,) in connection.rows(sql, [value for value in bounds.values() if value is not None])}
