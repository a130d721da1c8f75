"""What the czar is going to do for a statement: values only.

A plan pulls rows from the nodes into scratch tables (one ``Pull`` each) and then runs one statement over them, whose
rows are the answer. Plans are equal when all their fields are equal, so a new field takes part by itself. Nothing in
them is computed later, so threads and caches may share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from skyshard.catalog.schema import Column, Key
from skyshard.czar.columns.column_way import ColumnWay
from skyshard.czar.plan.chunk_template import MARKS, Template
from skyshard.czar.plan.pair_way import NoPairs, PairWay

INTERACTIVE_CHUNKS = 10
"""Up to this many chunks the czar asks the nodes itself."""


FEWEST_PAIR_ROWS = 50_000
"""Pairs of fewer rows are counted by the nodes: they are done before their positions would be here."""


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
class Pull:
    """Rows to be brought into one scratch table.

    ``columns`` and ``keys`` make the table where they are known (gather); else its columns are ``names``, with the
    types of ``template`` over the prototypes. ``rows`` come at most; ``reads`` are read for them, if these are more.
    ``chunks`` is None for regular tables, which are read whole on one node.
    ``divided`` are columns whose DECIMALs have more digits inside the server than they show; ``summed`` are sums.
    ``limit``: no more rows are needed. ``is_single``: one row a chunk.
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
    is_single: bool = False
    declared: frozenset[str] = frozenset()
    is_cut: bool = False
    reads: int = 0
    pairs: PairWay | NoPairs | None = None
    """How its pairs of near neighbours may be counted from their positions, or why they may not."""
    column_way: ColumnWay | None = None
    """How the same rows, or partial rows of many chunks at once, are computed from columns, where that is proven."""
    column_why: str = ""
    """Why it is not."""

    def pair_way(self, fewest_rows: int = FEWEST_PAIR_ROWS) -> PairWay | None:
        """How its pairs are counted from their positions; None where the nodes count them, as fewer rows are read."""
        return self.pairs if isinstance(self.pairs, PairWay) and self.rows_read >= fewest_rows else None

    @property
    def rows_read(self) -> int:
        """Rows of tables that are read at most."""
        return max(self.rows, self.reads)


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How one statement is answered.

    ``statement`` is what one server runs where it answers the whole. ``merge`` is the statement over the scratch tables
    of ``pulls`` (marked by their position); empty when the first pull's rows are the answer. ``count`` is the answer of
    a registry count. ``plain`` says of each result column which table column it is, where that decides its type.
    ``loose`` are the places of columns that may be longer than declared, ``vague`` those of them that call functions
    which declare too few digits.
    """

    kind: Kind
    names: tuple[str, ...]
    statement: str = ""
    pulls: tuple[Pull, ...] = ()
    merge: str = ""
    lane: Lane = Lane.NONE
    chunks: int = 0
    total_chunks: int = 0
    why: tuple[str, ...] = ()
    count: int | None = None
    has_tables: bool = True
    renamed: tuple[tuple[str, str], ...] = ()
    """Databases whose stored name, which statements for servers have, is not what people call them: both names."""
    direct: Pull | None = None
    """Reads the whole answer, sorted and cut, where a single chunk has it; then nothing is merged."""
    plain: tuple[PlainColumn | None, ...] = ()
    loose: frozenset[int] = frozenset()
    vague: frozenset[int] = frozenset()
    regular: tuple[tuple[str, str], ...] = ()
    """Database and name of the tables of a statement that any node answers which has these."""
    holders: frozenset[str] | None = None
    """The nodes that have them; None where all do."""
    asks_time: bool = False
    """NOW() and its like are in it: they are the same on all servers."""

    @property
    def is_plain(self) -> bool:
        """Whether its rows are columns of tables and nothing else."""
        return bool(self.plain) and None not in self.plain

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes that hold anything of its tables."""
        pulls = self.pulls if self.direct is None else (*self.pulls, self.direct)
        tables = [slot.table for pull in pulls for slot in pull.template.slots.values()]
        chunked = (table.chunks.columns.nodes for table in tables)
        return frozenset().union(self.holders or (), *chunked, *(table.holders or () for table in tables))

    @property
    def mutable(self) -> frozenset[str]:
        """The mutable databases whose rows it reads, by their stored names."""
        pulls = self.pulls if self.direct is None else (*self.pulls, self.direct)
        slots = (slot for pull in pulls for slot in pull.template.slots.values())
        return frozenset(slot.database for slot in slots if slot.table.mutable is not None)

    def merge_over(self, tables: list[str]) -> str:
        """The merge statement over scratch tables."""
        return MARKS.sub(lambda match: tables[int(match.group(1))], self.merge)
