"""What a generator knows of the rows that were ingested: kept beside the registry, read by ``verify`` and the bench.

One file a transaction, ``truth/DATABASE/N.json.gz``, written before it is published; the file of one that never was
belongs to no one. `skyshard.synthetic.generator_truth` makes statements and digests of it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from skyshard.catalog.strict_files import Strict, read_written
from skyshard.catalog.synth_manifest import ChunkTruth, TableTruth
from skyshard.host.atomic_files import write_atomically
from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.source import Source, generated_chunk
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import TransactionState
from skyshard.registry.stored.records import WHOLE
from skyshard.registry.transactions.transaction_report import read_report
from skyshard.rowimage.digest import RowDigest

_NOTHING = {"digest": str(RowDigest())}
"""Of a slice without rows."""


class KeptRows(Strict):
    """What is known of the rows of one table in one chunk, or of all rows of a table."""

    digest: str = ""
    """Row digest; empty where the generator gave none."""
    is_whole: bool = False
    """True for a regular table: the digest is of all its rows."""
    truth: TableTruth | None = None
    """What a partition task found while it made the rows; None where ``KeptTruth.chunks`` has it."""


class KeptTruth(Strict):
    """One file: what a generator knows of the rows that one transaction brought."""

    version: Literal[1]
    recipe: dict[str, Any]
    seed: int
    share: float
    """Share of the recipe's objects that were made; 1 where a fraction was made by fewer chunks."""
    chunks: dict[int, ChunkTruth] | None = None
    """By the generator's chunks, as a folder's manifest says; None for rows made where they are loaded."""
    tables: dict[str, dict[int, KeptRows]]
    """By table and chunk; ``WHOLE`` for a table that is not chunked."""


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A statement and the rows that it must return, in any order; ``places`` are the columns that are known.

    ``columns`` is their number, which no rows do not show.
    """

    sql: str
    rows: tuple[tuple[Any, ...], ...]
    places: tuple[int, ...] | None = None
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Known:
    """``digests``: table → chunk → digest of its rows without chunk numbers; ``WHOLE`` for all rows, of a regular table
    or of one whose chunks are not known.

    ``overlap``: the same of the copies in overlap tables, of the directors of which they are known. ``work_out`` finds
    what other statements return, over so many rows at most; None for those that it does not know. ``note`` says what
    is not known, and why.
    """

    digests: Mapping[str, Mapping[int, str]]
    answers: Sequence[KnownAnswer]
    work_out: Callable[[str, int], KnownAnswer | None] = field(default=lambda sql, most_rows: None, compare=False)
    overlap: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    note: str = ""


def keep_known(folder: Path, source: Source, reports: Mapping[str, Sequence[SliceReport]], transaction: int) -> None:
    """Keep what a source knows, and what its slices found out, under the transaction's number."""
    if not source.known:
        return
    tables: dict[str, dict[int, Any]] = {}
    for name, slices in reports.items():
        known = [(_chunk(piece), piece.known or _NOTHING) for piece in slices if piece.known or not piece.rows]
        if len(known) == len(slices) and len({chunk for chunk, _ in known}) == len(slices):
            tables[name] = dict(known)
    folder.mkdir(parents=True, exist_ok=True)
    kept = KeptTruth.model_validate({"version": 1, **source.known, "tables": tables})
    text = kept.model_dump_json(by_alias=True, exclude_unset=True)
    write_atomically(_file(folder, transaction), gzip.compress(text.encode(), 3))


def forget_known(folder: Path, transaction: int) -> None:
    """Forget what was kept of a transaction that is not to be."""
    _file(folder, transaction).unlink(missing_ok=True)


def _file(folder: Path, transaction: int) -> Path:
    return folder / f"{transaction}.json.gz"


def _chunk(report: SliceReport) -> int:
    chunk = generated_chunk(report.path)
    return WHOLE if chunk is None else chunk


def read_known(registry: Registry, folder: Path, database: str) -> KeptTruth | None:
    """What is known of a database that one transaction brought; None where nothing is, or several had a share in it, or
    rows or a table of it were dropped.

    Raises:
        UserError: the file is torn, or a later release wrote it.
    """
    finished = [row for row in registry.transactions.all(database) if row["state"] == TransactionState.FINISHED]
    reports = {row["id"]: read_report(row) for row in finished}
    if any(report.dropped or report.dropped_table for report in reports.values()):
        return None
    brought = [number for number, report in reports.items() if report.tables]
    path = _file(folder, brought[0]) if len(brought) == 1 else None
    if path is None or not path.is_file():
        return None
    return read_written(KeptTruth, path, "remove the file: the generator's truth is then not checked")


def is_outgrown(registry: Registry, folder: Path, database: str) -> bool:
    """True where something was known, and is no more, as further transactions brought rows, or some were dropped."""
    return any(folder.glob("*.json.gz")) and read_known(registry, folder, database) is None
