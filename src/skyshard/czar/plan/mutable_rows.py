"""Rows of one chunk of a table that visits change, as text in a FROM clause: of stores that are whole, nothing else.

Which stores are whole is known when a statement begins, not when it is planned: a mark stands for the condition. Of a
table with newest versions only, an object whose newest one is not to be seen yet has the version before, from the table
that keeps all of them. Text only, no I/O.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from skyshard.catalog.schema import CHUNK_COLUMN
from skyshard.db.connection import quote_name as quoted
from skyshard.registry.catalog.mutable_chunks import GONE_OBJECTS, LAST_VERSION, STORED_BY, Visible
from skyshard.registry.catalog.published_catalog import CatalogTable

_WORD = secrets.token_hex(6)
_MARKS = re.compile(f"\x02{_WORD}([^\x02]+)\x02")
_IN_WORDS = f"{STORED_BY} IN (stores that are whole)"


def mutable_rows(database: str, table: CatalogTable, chunk: int, alias: str) -> str:
    """The rows of a chunk; the server looks through it into the table and its keys.

    >>> from skyshard.catalog.layout import Role, TableLayout
    >>> from skyshard.catalog.schema import Column, Table
    >>> from skyshard.registry.catalog.published_catalog import Mutable
    >>> from skyshard.rowimage.sqltype import parse_type
    >>> columns = (Column("ra", parse_type("double")), Column("dec", parse_type("double")))
    >>> layout = TableLayout(role=Role.DIRECTOR, position=("ra", "dec"))
    >>> one = CatalogTable(Table("DiaSource", columns), layout, 0, mutable=Mutable())
    >>> print(with_whole_stores(mutable_rows("ap", one, 7, "s"), {"ap": Visible(12, (9,))}))
    (SELECT `ra`, `dec` FROM `ap`.`DiaSource` WHERE `chunkId` = 7 AND storedBy <= 12 AND storedBy NOT IN (9)) AS `s`
    """
    mutable = table.mutable
    assert mutable is not None
    columns = ", ".join(quoted(name) for name in table.table.column_names)
    mark, here = f"\x02{_WORD}{database}\x02", f"{quoted(CHUNK_COLUMN)} = {chunk}"
    name = f"{quoted(database)}.{quoted(table.table.name)}"
    text = f"SELECT {columns} FROM {name} WHERE {here} AND {mark}"
    if mutable.history:
        text += f" UNION ALL {_versions_before(database, name, table, columns, here, mark)}"
    return f"({text}) AS {quoted(alias)}"


def _versions_before(database: str, name: str, table: CatalogTable, columns: str, here: str, mark: str) -> str:
    """Newest visible versions of the objects whose newest one is of a store that is not seen."""
    mutable = table.mutable
    assert mutable is not None
    key, time = (quoted(one) for one in mutable.version)
    history = f"{quoted(database)}.{quoted(mutable.history)}"
    listed = ", ".join(f"v.{column.strip()}" for column in columns.split(","))
    seen = mark.join(("(", ")"))
    hidden = f"SELECT {key} FROM {name} WHERE {here} AND NOT {seen}"
    gone = f"{quoted(database)}.{quoted(GONE_OBJECTS)} AS g"
    later = f"NOT EXISTS (SELECT 1 FROM {gone} WHERE g.{key} = h.{key} AND g.{quoted(LAST_VERSION)} >= h.{time})"
    newest = (
        f"SELECT {key}, MAX({time}) AS newest FROM {history} AS h WHERE {here} AND {seen} AND {key} IN ({hidden}) "
        f"AND {later} GROUP BY {key}"
    )
    same = f"v.{here} AND v.{key} = n.{key} AND v.{time} = n.newest"
    return f"SELECT {listed} FROM ({newest}) AS n JOIN {history} AS v ON {same}"


def with_whole_stores(text: str, visible: Mapping[str, Visible]) -> str:
    """A statement with the condition in place of its marks: database → the stores that it sees.

    Databases that are not given get words for people instead.
    """

    def condition(match: re.Match[str]) -> str:
        found = visible.get(match.group(1))
        return _IN_WORDS if found is None else found.condition(STORED_BY)

    return _MARKS.sub(condition, text)
