"""The interface between the bench and a query engine, and a target that does nothing.

Further abilities (explain, stop a query, take other forms than SQL) are protocols of their own, which an engine
implements or not. Nothing here knows the czar, clusters or database drivers: adapters are in ``bench.targets`` and
``scenarios.testbed_target``.

>>> NullTarget().run("SELECT 1", "sky").rows
1
>>> isinstance(NullTarget(), Cancels)
False
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
    """Bytes received for the answer, or the size of the table where the engine does not report them."""
    first_row_s: float | None = None
    """Seconds from the call to the first row; None when the engine does not report it."""
    chunks: int | None = None
    """Chunks that were read; None when the engine does not report it."""
    column_bytes: int | None = None
    """Bytes of column images that were read; None when the engine does not report it."""

    @classmethod
    def of(
        cls,
        table: pa.Table,
        *,
        first_row_s: float | None = None,
        chunks: int | None = None,
        column_bytes: int | None = None,
    ) -> TargetAnswer:
        """An answer whose counts are taken from the table."""
        return cls(table, table.num_rows, table.nbytes, first_row_s, chunks, column_bytes)


class Target(Protocol):
    """A query engine under test.

    ``run`` is called from many threads at once and returns when the last row has arrived. When the engine fails it
    raises a ``SkyshardError``; the driver records any exception and goes on.
    """

    @property
    def name(self) -> str:
        """Short name for the report, such as ``czar`` or ``mono``."""
        ...

    def run(self, sql: str, database: str) -> TargetAnswer: ...

    def describe(self) -> Mapping[str, object]:
        """Facts for the manifest: version, server variables."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Explains(Protocol):
    """A target that can explain its plan for a statement."""

    def explain(self, sql: str, database: str) -> str: ...


@runtime_checkable
class HasServers(Protocol):
    """A target whose servers can be asked for their variables."""

    def changed_variables(self) -> Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]]:
        """Server → its version, and variable → (value, built-in default) of those that differ from the default."""
        ...


class TargetCall(Protocol):
    """One statement that is about to be sent."""

    def answer(self) -> TargetAnswer:
        """Send it and return when the last row has arrived; raises as ``Target.run``."""
        ...

    def cancel(self) -> bool:
        """Stop it at the engine, from another thread, before or while it runs; False when the engine cannot do that."""
        ...


@runtime_checkable
class Cancels(Protocol):
    """A target whose statements can be stopped."""

    def begin(self, sql: str, database: str) -> TargetCall:
        """A statement that ``TargetCall.answer`` sends."""
        ...


@runtime_checkable
class TimesChunks(Protocol):
    """A target that can measure the time of each chunk."""

    def chunk_times(self, sql: str, database: str) -> Mapping[int, float]:
        """Run a statement once; seconds by chunk. A time measured for several chunks together is divided evenly."""
        ...


@runtime_checkable
class TakesForms(Protocol):
    """A target that does not take SQL: ``run`` gets the form of this name from the template instead."""

    @property
    def form(self) -> str: ...


@runtime_checkable
class Refuses(Protocol):
    """A target that takes SQL, but not every statement of a workload."""

    def why_not(self, sql: str, database: str) -> str:
        """Why it does not answer a statement; empty where it does. Asked before anything is measured."""
        ...


@runtime_checkable
class KeepsSessions(Protocol):
    """A target whose clients have sessions that outlive their statements."""

    def open_sessions(self, count: int) -> None:
        """Have so many open, before anything is measured. What cannot be opened is no error here."""
        ...


@runtime_checkable
class SamplesRows(Protocol):
    """A target whose rows can be sampled without SQL."""

    def count(self, table: str) -> int: ...

    def sample(self, table: str, columns: Sequence[str], key: str, modulus: int, residue: int) -> pa.Table:
        """The columns of the rows with ``key % modulus == residue``, in any order; columns may repeat."""
        ...


class NullTarget:
    """Answers every statement at once with the same table, so that only the driver's own cost is measured."""

    name = "null"

    def __init__(self, table: pa.Table | None = None) -> None:
        self._answer = TargetAnswer.of(pa.table({"one": pa.array([1], pa.int64())}) if table is None else table)

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self._answer

    def describe(self) -> Mapping[str, object]:
        return {"engine": "null"}

    def close(self) -> None:
        pass
