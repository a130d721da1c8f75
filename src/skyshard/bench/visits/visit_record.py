"""The samples of visits while they run: kept in memory, and appended to a file at the end of each visit.

A process that is killed loses the samples of the visits under way, also of those whose tiles are back and whose answers
are not compared yet, and no others: what was written of a batch that was torn is passed over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from skyshard.apdb.model import Operation
from skyshard.bench.record.visit_samples import VISIT_SAMPLES

UNFINISHED = "visits.arrows"
"""Samples of a trial that runs, or was stopped."""


@dataclass(frozen=True, slots=True)
class VisitSample:
    """One row of ``VISIT_SAMPLES``."""

    phase: str
    visit: int
    tile: int
    time: float
    table: str
    kind: str
    due_s: float
    sent_s: float
    done_s: float
    rows: int = 0
    bytes: int = 0
    server_s: float = 0.0
    client_s: float = 0.0
    error: str | None = None
    answer_ok: bool | None = None

    def of(self, operation: Operation, sent_s: float) -> VisitSample:
        """The sample of an operation of the same tile, from the moment when it began."""
        return replace(
            self, table=operation.table, kind=operation.kind, sent_s=sent_s,
            done_s=sent_s + operation.server_s + operation.client_s, rows=operation.rows, bytes=operation.bytes,
            server_s=operation.server_s, client_s=operation.client_s,
        )  # fmt: skip

    def in_turn(self, operations: Iterable[Operation], sent_s: float, ended_s: float) -> list[VisitSample]:
        """The samples of operations that followed each other in one call, the last one until the call's end."""
        found = []
        for operation in operations:
            found.append(self.of(operation, sent_s))
            sent_s = found[-1].done_s
        if found:
            found[-1] = replace(found[-1], done_s=max(found[-1].done_s, ended_s))
        return found


def sample_batch(samples: Sequence[VisitSample]) -> pa.RecordBatch:
    """Samples as Arrow."""
    columns = [pa.array([getattr(one, name) for one in samples], kind) for name, kind in _FIELDS]
    return pa.RecordBatch.from_arrays(columns, schema=VISIT_SAMPLES)


_FIELDS = [(one.name, one.type) for one in VISIT_SAMPLES]


def read_unfinished(folder: Path) -> pa.Table:
    """The samples that a trial had written when it ended, without a torn last batch."""
    batches: list[pa.RecordBatch] = []
    with contextlib.suppress(pa.ArrowInvalid, OSError), (folder / UNFINISHED).open("rb") as file:
        batches.extend(pa.ipc.open_stream(file))  # keeps what came before a torn one
    return pa.Table.from_batches(batches, schema=VISIT_SAMPLES)


@dataclass(slots=True)
class VisitRecord:
    """Takes the samples of a trial; begins with those of the trial that it goes on with."""

    folder: Path
    batches: list[pa.RecordBatch] = field(default_factory=list)
    _file: pa.OSFile | None = None
    _writer: pa.RecordBatchStreamWriter | None = None

    @classmethod
    def open(cls, folder: Path) -> VisitRecord:
        """Go on with what the folder has; nothing where it is new."""
        before = read_unfinished(folder)
        found = cls(folder)
        draft = folder / f"{UNFINISHED}.new"  # what is there stays until all of it is written anew
        found._file = pa.OSFile(str(draft), "wb")
        found._writer = pa.ipc.new_stream(found._file, VISIT_SAMPLES)
        for batch in before.combine_chunks().to_batches():
            found._append(batch)
        draft.replace(folder / UNFINISHED)
        return found

    def add(self, samples: Sequence[VisitSample]) -> None:
        """The samples of a visit that has ended."""
        if samples:
            self._append(sample_batch(samples))

    def _append(self, batch: pa.RecordBatch) -> None:
        assert self._writer is not None
        assert self._file is not None
        self.batches.append(batch)
        self._writer.write_batch(batch)
        self._file.flush()

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema=VISIT_SAMPLES)

    def close(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
            self._writer = self._file = None

    def remove(self) -> None:
        """The samples are elsewhere now."""
        self.close()
        (self.folder / UNFINISHED).unlink(missing_ok=True)
