"""The seam between the bench and a query engine: two methods, a value, and the engine that does nothing.

What an engine may do beyond that (explain, stop a query) are protocols of their own; one that cannot leaves them out.

Nothing here knows czar, cluster or database driver; whoever owns an engine writes the adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """The complete answer to one statement."""

    table: pa.Table
    rows: int
    bytes: int
    """Bytes that the answer took on its way to the client, or the size of the table where the engine cannot tell."""
    first_row_s: float | None = None
    """Seconds from the call until the first row was there; None when the engine does not tell."""
    chunks: int | None = None
    """Chunks that the engine touched; None when it does not tell."""

    @classmethod
    def of(cls, table: pa.Table, *, first_row_s: float | None = None, chunks: int | None = None) -> TargetAnswer:
        """An answer whose counts are taken from the table."""
        return cls(table, table.num_rows, table.nbytes, first_row_s, chunks)


class Target(Protocol):
    """A query engine under test.

    ``run`` is called from many threads at once and returns only when the last row is there. It raises a
    ``SkyshardError`` where the engine fails; the driver records any exception and goes on.
    """

    @property
    def name(self) -> str:
        """Short, for the report: ``czar``, ``mono``."""
        ...

    def run(self, sql: str, database: str) -> TargetAnswer: ...

    def describe(self) -> Mapping[str, object]:
        """Facts for the manifest: version, server variables."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Explains(Protocol):
    """A target that can say how it would answer."""

    def explain(self, sql: str, database: str) -> str: ...


class TargetCall(Protocol):
    """One statement, about to be asked."""

    def answer(self) -> TargetAnswer:
        """Ask it, and return when the last row is there; raises as ``Target.run``."""
        ...

    def cancel(self) -> bool:
        """Stop it at the engine, from another thread, before or while it is asked; False when it cannot be told to."""
        ...


@runtime_checkable
class Cancels(Protocol):
    """A target whose statements can be stopped."""

    def begin(self, sql: str, database: str) -> TargetCall:
        """A statement that is asked by ``TargetCall.answer``."""
        ...


@runtime_checkable
class TimesChunks(Protocol):
    """A target that can say how long each chunk took."""

    def chunk_times(self, sql: str, database: str) -> Mapping[int, float]:
        """Ask a statement once; seconds by chunk. A time of several chunks together is shared out evenly."""
        ...


@runtime_checkable
class TakesForms(Protocol):
    """A target that knows no SQL: ``run`` takes the form of this name that a template holds beside its statement."""

    @property
    def form(self) -> str: ...


@runtime_checkable
class SamplesRows(Protocol):
    """A target that gives rows of a table without SQL."""

    def count(self, table: str) -> int: ...

    def sample(self, table: str, columns: Sequence[str], key: str, modulus: int, residue: int) -> pa.Table:
        """The columns of the rows whose key leaves the residue, in any order; columns may repeat."""
        ...


class NullTarget:
    """Answers every statement at once with the same table: what remains is the driver's own cost."""

    name = "null"

    def __init__(self, table: pa.Table | None = None) -> None:
        self._answer = TargetAnswer.of(pa.table({"one": pa.array([1], pa.int64())}) if table is None else table)

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self._answer

    def describe(self) -> Mapping[str, object]:
        return {"engine": "null"}

    def close(self) -> None:
        pass
