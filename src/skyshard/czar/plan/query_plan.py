"""What the czar is going to do for a statement: values only.

A plan pulls rows from the nodes into scratch tables (one ``Pull`` each) and then runs one statement over them, whose
rows are the answer. Texts hold markers in place of tables; ``Template`` fills them in for a chunk.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from skyshard.catalog.ddl import DUMMY_CHUNK, chunk_table, overlap_prototype
from skyshard.catalog.schema import Column, Key
from skyshard.czar.sql.deep_nesting import with_room
from skyshard.db.connection import quote_name as quoted
from skyshard.registry.published_catalog import CatalogTable

MARK = f"\x01{secrets.token_hex(6)}\x01"
"""Around the numbers of markers: what no text of a user's holds, by accident or design."""
INTERACTIVE_CHUNKS = 10
"""Up to this many chunks the czar asks the nodes itself."""


Casts = Mapping[str, str]
"""Column of a scratch table → the SQL type that its chunk expression is cast to."""
INSIDE = "|"
"""Before it the type that the argument of an aggregate is cast to, after it that of its value, if any: so a DECIMAL
quotient keeps its digits."""
EXACT_SCALE = 30
"""Digits behind the point of a DECIMAL quotient, where those before it leave room."""
WIDE = "wide"
"""A text or bytes of any length: UNION ALL cuts values at the length that an expression declares."""
WIDE_SIGNED, WIDE_UNSIGNED = "wide signed", "wide unsigned"
"""The same for whole numbers: UNION ALL makes INTs of those that declare few digits, whatever digits they have."""


PlainColumn = tuple[str, str, str]
"""Database, table, column."""


class Kind(StrEnum):
    """How a statement is answered."""

    CATALOG = "catalog"
    """From the catalog: SHOW and DESCRIBE."""
    COUNT = "registry count"
    """COUNT(*) of a whole table, from the registry."""
    REGULAR = "regular"
    """Only regular tables: whole, on one node."""
    LOCAL = "local"
    """Chunk by chunk; the rows are put together."""
    AGGREGATE = "aggregate"
    """Chunk by chunk in two steps: partial aggregates, merged."""
    NEAR_NEIGHBOUR = "near neighbour"
    """Chunk by chunk, some tables read with their overlap."""
    GATHER = "gather"
    """The rows needed of each table are brought to the czar, which runs the statement."""


class Lane(StrEnum):
    """Who asks the nodes."""

    NONE = "none"
    INTERACTIVE = "interactive"
    SCAN = "scan"


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
        if not self.table.layout.role.is_chunked:
            return self._named(name + self.table.suffix)
        entry = self.table.chunks.get(chunk)
        own = self._named(chunk_table(name, chunk) + entry.suffix if entry else chunk_table(name, DUMMY_CHUNK))
        if self.overlap_columns is None:
            return own
        if entry is None or not entry.overlap_rows:
            return self._union([own])
        return self._union([own, self._named(chunk_table(name, chunk, overlap=True) + entry.overlap_suffix)])

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


def slot_mark(number: int) -> str:
    """The marker that stands for a reference's table in the text of a template."""
    return f"{MARK}{number}{MARK}"


_MARKS = re.compile(rf"`?{MARK}(\d+){MARK}`?")


def _pieces(text: str) -> list[str]:
    """Pieces of a marked text, and the numbers of the marks between them."""
    return list(_split(text))


@lru_cache(maxsize=256)
def _split(text: str) -> tuple[str, ...]:
    return tuple(_MARKS.split(text))


class Template:
    """A statement in which slots stand for tables; its text is made when it is first asked for."""

    __slots__ = ("_text", "_write", "slots")

    def __init__(self, text: str | Callable[[], str], slots: Mapping[int, Slot]) -> None:
        self._write: Callable[[], str] | None = None if isinstance(text, str) else text
        self._text = text if isinstance(text, str) else ""
        self.slots = slots

    @property
    def text(self) -> str:
        write = self._write
        if write is not None:
            self._text, self._write = with_room(write), None
        return self._text

    def of_chunk(self, chunk: int) -> str:
        pieces = _pieces(self.text)
        pieces[1::2] = [self.slots[int(number)].of_chunk(chunk) for number in pieces[1::2]]
        return "".join(pieces)

    def of_prototype(self) -> str:
        return _MARKS.sub(lambda match: self.slots[int(match.group(1))].of_prototype(), self.text)


def kept(cast: Callable[[Casts], Template]) -> Callable[[Casts], Template]:
    """The same, each template made once."""
    made: dict[tuple[tuple[str, str], ...], Template] = {}

    def find(casts: Casts) -> Template:
        key = tuple(sorted(casts.items()))
        if key not in made:
            made[key] = cast(casts)
        return made[key]

    return find


@dataclass(frozen=True, slots=True)
class Pull:
    """Rows to be brought into one scratch table.

    ``columns`` and ``keys`` make the table where they are known (gather); else its columns are ``names``, with the
    types of ``template`` over the prototypes. ``rows`` come at most; ``reads`` are read for them, if these are more.
    ``chunks`` is None for regular tables, which are read whole on one node.
    ``divided`` are columns whose DECIMALs have more digits inside the server than they show; ``summed`` are sums.
    ``cast`` makes the template again with some columns cast. ``limit``: no more rows are needed. ``is_single``: one row
    a chunk. ``different``: arguments of SUM(DISTINCT), whose digits one server keeps, while GROUP BY cuts them.
    ``declared`` are columns whose texts are no longer than they are declared: those of a table, and those that one
    server cuts, too (it does where it groups). ``is_cut``: so it does with all DECIMALs.
    """

    template: Template
    chunks: tuple[int, ...] | None
    rows: int
    names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] = ()
    limit: int | None = None
    divided: frozenset[str] = frozenset()
    summed: frozenset[str] = frozenset()
    cast: Callable[[Casts], Template] | None = None
    is_single: bool = False
    different: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    is_cut: bool = False
    reads: int = 0

    @property
    def rows_read(self) -> int:
        """Rows of tables that are read at most."""
        return max(self.rows, self.reads)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one statement is answered.

    ``write_whole`` gives the statement as one server would run it; its types are the types of the result. ``merge`` is
    the statement over the scratch tables of ``pulls`` (marked by their position); empty when the first pull's rows are
    the answer. ``count`` is the answer of a registry count. ``plain`` says of each result column which table column it
    is as it stands, where that decides its type. ``loose`` are the places of columns that may be longer than declared,
    ``vague`` those of them that call functions which declare too few digits.
    """

    kind: Kind
    names: tuple[str, ...]
    write_whole: Callable[[], str]
    pulls: tuple[Pull, ...] = ()
    merge: str = ""
    lane: Lane = Lane.NONE
    chunks: int = 0
    total_chunks: int = 0
    why: tuple[str, ...] = ()
    count: int | None = None
    has_tables: bool = True
    databases: tuple[str, ...] = field(default=())
    direct: Pull | None = None
    """Reads the whole answer, sorted and cut, where a single chunk has it; then nothing is merged."""
    plain: tuple[PlainColumn | None, ...] = ()
    loose: frozenset[int] = frozenset()
    vague: frozenset[int] = frozenset()
    asks_time: bool = False
    """NOW() and its like are in it: they are the same on all servers."""
    write_stored: Callable[[], str] | None = None
    """Gives the statement over regular tables by the names that they have in this generation, where it is others."""

    @property
    def whole(self) -> str:
        return with_room(self.write_whole)

    @property
    def stored(self) -> str:
        """The statement as a node runs it whole."""
        return with_room(self.write_stored) if self.write_stored is not None else self.whole

    def merge_over(self, tables: list[str]) -> str:
        """The merge statement over scratch tables."""
        return _MARKS.sub(lambda match: tables[int(match.group(1))], self.merge)
