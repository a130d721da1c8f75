"""What the registry keeps of contributions, replicas and table definitions. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skyshard.catalog.ddl import part_suffix, physical_name
from skyshard.catalog.schema import Column, Key, Table
from skyshard.registry.stored.lifecycle import ReplicaState, TransactionState
from skyshard.rowimage.sqltype import parse_type

WHOLE = -1
"""Chunk number under which the registry keeps regular tables, which are whole on every node."""

COMPACTION = "compaction"
"""The plan of a transaction that merges parts, and brings no rows."""

DROPPED_ROWS = "dropped rows"
"""The plan of a transaction that takes rows out which no node had any more."""

DROPPED_TABLE = "dropped table"
"""The plan of a transaction that drops a table, with all that earlier ones brought to it."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction in the hands of one ingest.

    ``plan`` is the digest of what it is to do: only an ingest that would do the same goes on with it. ``attempt``
    counts the ingests that took it up. ``servers``: node → when its server was started, as it said at the beginning.
    """

    id: int
    state: TransactionState
    plan: str
    attempt: int
    servers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One part's rows in one chunk table; ``chunk`` is ``WHOLE`` for a regular table.

    ``part_rows`` and ``elapsed_s`` are those of the whole part, as it was partitioned.
    """

    table: str
    part: str
    part_digest: str
    chunk: int
    is_overlap: bool
    rows: int
    digest: str
    orphans: int = 0
    part_rows: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ContributionKey:
    """What tells contributions apart."""

    transaction_id: int
    table: str
    chunk: int
    is_overlap: bool
    part_digest: str


@dataclass(frozen=True, slots=True)
class Replica:
    """What one transaction put into one chunk table, on one node.

    ``part`` is 0 for the first rows of the chunk table, which have its plain name, else the transaction's number.
    """

    table: str
    chunk: int
    is_overlap: bool
    node: str
    rows: int
    bytes: int
    digest: str
    part: int = 0
    state: ReplicaState = ReplicaState.GOOD

    @property
    def target(self) -> tuple[str, int, bool]:
        """The chunk table that it is a part of."""
        return self.table, self.chunk, self.is_overlap

    @property
    def name(self) -> str:
        """Of the table that holds its rows."""
        return self.named(part_suffix(self.part))

    def named(self, suffix: str) -> str:
        """Of another table of the same chunk table: of another part, or of what shows several."""
        return physical_name(self.table, self.chunk, is_overlap=self.is_overlap, suffix=suffix)


@dataclass(frozen=True, slots=True)
class IndexPart:
    """What one transaction added to a director index."""

    director: str
    part: int
    rows: int


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input file of a table with provenance, as the registry knows it.

    ``digest`` is of its bytes; empty until they have been read, as ``rows`` are 0. ``replaced_by`` is the transaction
    that took the place of its rows, 0 for none.
    """

    number: int
    table: str
    path: str
    bytes: int
    changed_ns: int
    dataset: str = ""
    tract: str = ""
    run: str = ""
    weekly: str = ""
    ticket: str = ""
    digest: str = ""
    rows: int = 0
    transaction: int = 0
    replaced_by: int = 0


def dump_table(table: Table) -> dict[str, Any]:
    """A table's definition as JSON."""
    columns = [[c.name, c.type.text, c.is_nullable, c.default] for c in table]
    keys = [[key.name, list(key.columns), key.is_unique] for key in table.keys]
    return {"name": table.name, "columns": columns, "primary_key": list(table.primary_key), "keys": keys}


def load_table(definition: Mapping[str, Any]) -> Table:
    """The inverse of ``dump_table``."""
    columns = tuple(
        Column(name, parse_type(text), bool(nullable), default)
        for name, text, nullable, default in definition["columns"]
    )
    keys = tuple(Key(name, tuple(names), bool(unique)) for name, names, unique in definition["keys"])
    return Table(definition["name"], columns, tuple(definition["primary_key"]), keys)
