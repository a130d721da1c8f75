"""The statement that each chunk answers, as text: columns that can be cast, and slots in place of tables.

Rules: values only, made once and equal when their parts are. A cast is put around a column's text, so that a statement
is written again for other types without its tree.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from skyshard.catalog.ddl import DUMMY_CHUNK, chunk_table, overlap_prototype
from skyshard.czar.plan.mutable_rows import mutable_rows
from skyshard.db.connection import quote_name as quoted
from skyshard.registry.catalog.published_catalog import CatalogTable

MARK = f"\x01{secrets.token_hex(6)}\x01"
"""Around the numbers of markers: what no text of a user's holds, by accident or design."""
MARKS = re.compile(rf"`?{MARK}(L?\d+){MARK}`?")
Casts = Mapping[str, str]
"""Column of a scratch table → the SQL type that its chunk expression is cast to."""
NO_CASTS: Casts = MappingProxyType({})
INSIDE = "|"
"""Before it the type that the argument of an aggregate is cast to, after it that of its value, if any: so a DECIMAL
quotient keeps its digits."""
WIDE = "wide"
"""A text or bytes of any length: UNION ALL cuts values at the length that an expression declares."""
WIDE_SIGNED, WIDE_UNSIGNED = "wide signed", "wide unsigned"
"""The same for whole numbers: UNION ALL makes INTs of those that declare few digits, whatever digits they have."""
_WIDEST = {WIDE: f"IF(FALSE, SPACE({2**24}), '')", WIDE_SIGNED: str(2**63 - 1), WIDE_UNSIGNED: str(2**64 - 1)}
"""Expressions that declare a LONGTEXT or a BIGINT and are short: a server computes a constant to convert its letters,
also where it is never an answer. CAST AS SIGNED declares no more digits than what it casts."""


def slot_mark(number: int) -> str:
    """The marker that stands for a reference's table in the text of a template."""
    return f"{MARK}{number}{MARK}"


def list_mark(number: int) -> str:
    """The marker that stands for a list of keys."""
    return f"{MARK}L{number}{MARK}"


def cast_text(text: str, kind: str) -> str:
    """The text of an expression cast to an SQL type, or made wide.

    >>> cast_text("a / b", "CHAR"), cast_text("1e18 DIV n", WIDE_SIGNED)
    ('CAST(a / b AS CHAR)', 'IF(FALSE, 9223372036854775807, 1e18 DIV n)')
    """
    return f"IF(FALSE, {_WIDEST[kind]}, {text})" if kind in _WIDEST else f"CAST({text} AS {kind})"


@dataclass(frozen=True, slots=True)
class Slot:
    """A table in a chunk statement.

    With ``overlap_columns`` it is read together with its overlap rows: only these columns, only rows that fulfil
    ``condition``. ``is_distinct``: each row once, of whatever sub-chunks it is a copy.
    """

    database: str
    table: CatalogTable
    alias: str
    overlap_columns: tuple[str, ...] | None = None
    condition: str = ""
    is_distinct: bool = False
    reach: str = ""
    """One more column with its name: how far in right ascension a pair may be apart."""

    def of_chunk(self, chunk: int) -> str:
        """Text of the table in the FROM clause of a chunk's statement."""
        name = self.table.table.name
        if self.table.mutable is not None:
            return mutable_rows(self.database, self.table, chunk, self.alias)
        if not self.table.layout.role.is_chunked:
            return self._named(name + self.table.suffix)
        entry = self.table.chunks.get(chunk)
        own = self._named(chunk_table(name, chunk) + entry.suffix if entry else chunk_table(name, DUMMY_CHUNK))
        if self.overlap_columns is None:
            return own
        overlap = self.overlap_of_chunk(chunk)
        return self._union([own, overlap] if overlap else [own])

    def overlap_of_chunk(self, chunk: int) -> str:
        """Text of the table of a chunk's overlap rows in a FROM clause; empty where there are none."""
        entry = self.table.chunks.get(chunk)
        if entry is None or not entry.overlap_rows:
            return ""
        return self._named(chunk_table(self.table.table.name, chunk, overlap=True) + entry.overlap_suffix)

    def of_prototype(self) -> str:
        """The same over the empty prototypes of the czar's server."""
        name = self.table.table.name
        if self.overlap_columns is None:
            return self._named(name)
        return self._union([self._named(name), self._named(overlap_prototype(name))])

    def _named(self, table: str) -> str:
        before, after = _around(self.database, self.alias)
        return f"{before}{quoted(table)}{after}"

    def _union(self, tables: list[str]) -> str:
        columns = ", ".join(f"{quoted(self.alias)}.{quoted(name)}" for name in self.overlap_columns or ())
        columns += f", {self.reach}" if self.reach else ""
        where = f" WHERE {self.condition}" if self.condition else ""
        word = " UNION " if self.is_distinct else " UNION ALL "
        selects = word.join(f"SELECT {columns} FROM {table}{where}" for table in tables)
        return f"({selects}) AS {quoted(self.alias)}"


@lru_cache(maxsize=256)
def _around(database: str, alias: str) -> tuple[str, str]:
    return f"{quoted(database)}.", f" AS {quoted(alias)}"


@dataclass(frozen=True, slots=True)
class KeyList:
    """A condition that names keys, parted by the chunks that their rows are in.

    >>> one = KeyList("k IN (", {7: ("1", "2")}, ())
    >>> one.of_chunk(7), one.of_chunk(8)
    ('k IN (1, 2)', 'FALSE')
    """

    before: str
    by_chunk: Mapping[int, tuple[str, ...]]
    anywhere: tuple[str, ...]
    """Keys whose rows may be in any chunk."""

    def of_chunk(self, chunk: int) -> str:
        """The condition of a chunk's statement."""
        keys = (*self.by_chunk.get(chunk, ()), *self.anywhere)
        return f"{self.before}{', '.join(keys)})" if keys else "FALSE"


@dataclass(frozen=True, slots=True)
class Item:
    """A column of a chunk statement: its name, and the text of its expression.

    ``function`` and ``argument``: of an aggregate of one argument, whose text is ``function(argument)``.
    """

    name: str
    text: str
    function: str = ""
    argument: str = ""

    def cast(self, kind: str) -> str:
        """The text with a cast; empty is none. See ``Casts`` and ``INSIDE``.

        >>> Item("a0", "SUM(a / b)", "SUM", "a / b").cast(f"DECIMAL(65,30){INSIDE}CHAR")
        'CAST(SUM(CAST(a / b AS DECIMAL(65,30))) AS CHAR)'
        """
        if not kind:
            return self.text
        inner, is_inside, outer = kind.rpartition(INSIDE)
        is_inside = is_inside and self.function
        text = f"{self.function}({cast_text(self.argument, inner)})" if is_inside else self.text
        return cast_text(text, outer) if outer else text


@dataclass(frozen=True, slots=True)
class Template:
    """A chunk statement: ``SELECT items rest GROUP BY groups``, with markers of ``slots`` in place of tables.

    Without ``items`` it is ``rest`` as it is, and nothing can be cast. ``different``: columns that are grouped by as
    they are cast (arguments of SUM(DISTINCT), whose digits one server keeps while GROUP BY cuts them).

    >>> one = Template(" FROM t", {}, (Item("g0", "a % 2"), Item("a0", "MAX(b)")), groups=(Item("g0", "a % 2"),))
    >>> one.text({"a0": "CHAR"})
    'SELECT a % 2 AS g0, CAST(MAX(b) AS CHAR) AS a0 FROM t GROUP BY a % 2'
    """

    rest: str
    slots: Mapping[int, Slot]
    items: tuple[Item, ...] = ()
    groups: tuple[Item, ...] = ()
    is_distinct: bool = False
    different: frozenset[str] = frozenset()
    lists: Mapping[int, KeyList] = field(default_factory=dict)
    """Lists of keys that differ from chunk to chunk, by the numbers of their markers."""

    def text(self, casts: Casts = NO_CASTS) -> str:
        """The statement with markers, some columns cast."""
        if not self.items:
            return self.rest
        if casts:
            items = ", ".join([f"{item.cast(casts.get(item.name, ''))} AS {item.name}" for item in self.items])
        else:
            items = ", ".join([f"{item.text} AS {item.name}" for item in self.items])
        text = f"SELECT {'DISTINCT ' if self.is_distinct else ''}{items}{self.rest}"
        if not self.groups:
            return text
        groups = (one.cast(casts.get(one.name, "") if one.name in self.different else "") for one in self.groups)
        return f"{text} GROUP BY {', '.join(groups)}"

    def written(self, casts: Casts = NO_CASTS) -> ChunkText:
        """The statement, ready for chunks."""
        return ChunkText(tuple(MARKS.split(self.text(casts))), self.slots, self.lists)


@dataclass(frozen=True, slots=True)
class ChunkText:
    """The text of a chunk statement: ``pieces``, and between them the numbers of ``slots`` and ``lists``."""

    pieces: tuple[str, ...]
    slots: Mapping[int, Slot]
    lists: Mapping[int, KeyList]

    def of_chunk(self, chunk: int) -> str:
        pieces = list(self.pieces)
        pieces[1::2] = [self._part(mark).of_chunk(chunk) for mark in pieces[1::2]]
        return "".join(pieces)

    def _part(self, mark: str) -> Slot | KeyList:
        return self.lists[int(mark[1:])] if mark[0] == "L" else self.slots[int(mark)]

    def of_prototype(self) -> str:
        """The same over the empty prototypes of the czar's server."""
        pieces = list(self.pieces)
        pieces[1::2] = ["FALSE" if mark[0] == "L" else self.slots[int(mark)].of_prototype() for mark in pieces[1::2]]
        return "".join(pieces)
