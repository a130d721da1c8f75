"""What the czar gives back: rows as they come (``Answer``), or all of them (``QueryResult``). Values, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from skyshard.czar.plan import Kind, Lane, Plan
from skyshard.czar.running import Running
from skyshard.czar.typed import TypedColumn


@dataclass(frozen=True, slots=True)
class QueryStats:
    """How a statement was answered; ``elapsed_s`` from its text to the last row.

    ``bytes``: partial results that came from nodes. ``lost``: chunks that no replica could give, where a partial answer
    was allowed; ``coverage`` is the share of the chunks that the answer stands for.
    """

    kind: Kind
    lane: Lane
    chunks: int
    total_chunks: int
    rows: int
    elapsed_s: float
    planned_s: float
    bytes: int = 0
    lost: tuple[int, ...] = ()
    coverage: float = 1.0
    query: str = ""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """An answer: ``columns`` as MariaDB names them (names may repeat), and the rows, whose columns are c0, c1 ..."""

    columns: tuple[str, ...]
    table: pa.Table
    stats: QueryStats

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def named(self) -> pa.Table:
        """The rows with the names of the result, made different where they repeat (``ra``, ``ra_2``)."""
        return self.table.rename_columns(distinct_names(self.columns))


def distinct_names(columns: tuple[str, ...]) -> list[str]:
    """Names made different where they repeat.

    >>> distinct_names(("ra", "ra"))
    ['ra', 'ra_2']
    """
    seen: dict[str, int] = {}
    names = []
    for name in columns:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


@dataclass(slots=True, eq=False)
class Answer:
    """An answer under way: read ``batches`` once, in bounded memory; ``running`` counts what came from the nodes."""

    columns: tuple[str, ...]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    plan: Plan
    running: Running

    def table(self) -> pa.Table:
        """All rows that are left."""
        return pa.Table.from_batches(list(self.batches), self.schema)


def schema_of(types: tuple[TypedColumn, ...]) -> pa.Schema:
    return pa.schema([(column.name, column.arrow) for column in types])
