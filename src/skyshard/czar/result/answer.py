"""What the czar gives back: rows as they come (``Answer``), or all of them (``QueryResult``). Values, no I/O."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from skyshard.czar.plan.query_plan import Kind, Lane, QueryPlan
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_plan import NO_GENERATION
from skyshard.czar.result.typed_results import TypedColumn


@dataclass(frozen=True, slots=True)
class QueryStats:
    """How a statement was answered; ``elapsed_s`` from its text to the last row.

    ``bytes``: partial results that came from nodes; ``column_bytes``: of column images that were read. ``lost``: chunks
    that no replica could give, where a partial answer was allowed; ``coverage`` is the share of the chunks that the
    answer covers.
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
    column_bytes: int = 0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """An answer: the rows, whose columns have the names that MariaDB gives them, and how they came about.

    Names may repeat, as in ``SELECT a.ra, b.ra``: then take a column by its place, or use :meth:`named`.
    """

    columns: tuple[str, ...]
    table: pa.Table
    stats: QueryStats

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", self.table.rename_columns(list(self.columns)))

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def named(self) -> pa.Table:
        """The rows with the names of the result, made different where they repeat (``ra``, ``ra_2``)."""
        return self.table.rename_columns(distinct_names(self.columns))

    def as_answer(self) -> ReadyAnswer:
        return ReadyAnswer(self.columns, self.table.schema, self.table.to_batches(), self.stats)


@dataclass(frozen=True, slots=True)
class ReadyAnswer:
    """An answer that was given before: its ``batches`` are read once, as those of an ``Answer``."""

    columns: tuple[str, ...]
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    counted: QueryStats
    generation: int = NO_GENERATION
    form: str = ""

    @property
    def chunks(self) -> int:
        return self.counted.chunks

    @property
    def query(self) -> str:
        """Nothing is under way by any name."""
        return ""

    def stats(self) -> QueryStats:
        return self.counted


@dataclass(frozen=True, slots=True)
class EndedStatement:
    """A statement that was answered at once, or failed (then without ``stats``, with an ``error``)."""

    statement: str
    database: str
    elapsed_s: float
    stats: QueryStats | None
    error: str
    query: str


def distinct_names(columns: tuple[str, ...]) -> list[str]:
    """Names made different where they repeat; the first one of a name keeps it, and none gets that of another.

    >>> distinct_names(("ra", "ra")), distinct_names(("a", "a_2", "a"))
    (['ra', 'ra_2'], ['a', 'a_2', 'a_3'])
    """
    taken = set(columns)
    last = dict.fromkeys(columns, 0)
    names = []
    for name in columns:
        last[name] += 1
        chosen = name
        while last[name] > 1 and (chosen := f"{name}_{last[name]}") in taken:
            last[name] += 1
        taken.add(chosen)
        names.append(chosen)
    return names


class Answer:
    """An answer under way: read ``batches`` once, in bounded memory; ``running`` counts what came from the nodes.

    ``generation`` and ``form``: as of ``TypedPlan``, of the plan by which it was begun.
    """

    def __init__(
        self,
        columns: tuple[str, ...],
        schema: pa.Schema,
        plan: QueryPlan,
        running: Running,
        batches: Iterable[pa.RecordBatch],
        begun: float,
        planned_s: float,
        *,
        generation: int = NO_GENERATION,
        form: str = "",
    ) -> None:
        self.columns = columns
        self.schema = named(schema, columns)
        self.plan = plan
        self.generation, self.form = generation, form
        self.running = running
        self._source = batches
        self._begun = begun
        self._planned_s = planned_s
        self._rows = 0
        self.batches = self._counted()

    def _counted(self) -> Iterator[pa.RecordBatch]:
        for batch in self._source:
            self._rows += batch.num_rows
            yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema)

    @property
    def chunks(self) -> int:
        """How many chunks it reads."""
        return self.plan.chunks

    @property
    def query(self) -> str:
        """By which name the czar cancels it."""
        return self.running.query

    def close(self) -> None:
        """Give up the rows that are left; the nodes stop working for them."""
        if isinstance(self._source, Generator):
            self._source.close()

    def table(self) -> pa.Table:
        """All rows that are left."""
        return pa.Table.from_batches(list(self.batches), self.schema)

    def stats(self) -> QueryStats:
        """How it was answered until now."""
        plan, running = self.plan, self.running
        return QueryStats(
            plan.kind, plan.lane, plan.chunks, plan.total_chunks, self._rows, time.perf_counter() - self._begun,
            self._planned_s, running.bytes, tuple(running.lost), running.coverage, running.query,
            running.column_bytes,
        )  # fmt: skip


def named(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """A schema under the names of a result, which may repeat."""
    return pa.schema([field.with_name(name) for field, name in zip(schema, columns, strict=True)])


def schema_of(types: tuple[TypedColumn, ...]) -> pa.Schema:
    return pa.schema([(column.name, column.arrow) for column in types])
