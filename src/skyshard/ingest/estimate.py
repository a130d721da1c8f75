"""Estimates an ingest before anything is touched: rows, bytes, chunks, overlap, nodes, time.

Only what decides the place of a row is read: positions and keys of directors, and positions of dependents that have
them; of other tables the rows are counted. A dependent without positions is spread as its director is. What reading
changes, and how fast this machine is, is seen on the first rows of each table.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.catalog.placement import place
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import in_order_of_end
from skyshard.ingest.partition.director_keys import ONE_PLACE, KeyKind, whole_keys
from skyshard.ingest.partition.doubled_input import where_rows_stand
from skyshard.ingest.partition.given_chunks import with_chunk_columns
from skyshard.ingest.partition.packed_rows import StoredRows
from skyshard.ingest.partition.routing import positions
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.source import InputSlice, Reader
from skyshard.node.messages import Loader
from skyshard.rowimage.record import RecordLayout
from skyshard.runtime.base import Runtime

SAMPLE_ROWS = 50_000
LOAD_DATA_BYTES_PER_S = 20e6
IMAGE_BYTES_PER_S = 200e6
"""Stored bytes a second that one node takes on one core, by ``benchmarks/ingest.py``."""
MOST_KEYS = 1 << 26
"""Rows of a director up to which keys are held against each other; they take 16 bytes each."""
CHUNK_TABLE_S = 0.005
"""What a chunk table takes besides its rows."""


@dataclass(slots=True)
class SliceEstimate:
    """Rows of one slice: all of them, those of each chunk, overlap copies by chunk, and a director's keys."""

    rows: int = 0
    own: Counter[int] = field(default_factory=Counter)
    copies: Counter[int] = field(default_factory=Counter)
    keys: list[NDArray[Any]] = field(default_factory=list)


@dataclass(slots=True)
class TableEstimate:
    """Rows, stored bytes and chunks of one table; ``sampled`` rows were read whole for conversions and pace."""

    table: str
    rows: int
    overlap_rows: int
    chunks: int
    stored_bytes: int
    is_estimate: bool
    sampled: int
    conversions: dict[str, int]
    seconds: float


@dataclass(slots=True)
class Estimate:
    """The whole: tables, stored bytes by node, and the seconds that the ingest will take here."""

    tables: list[TableEstimate]
    node_bytes: dict[str, int]
    predicted_s: float

    @property
    def skew(self) -> float:
        """The fullest node's bytes over the mean."""
        sizes = list(self.node_bytes.values())
        return max(sizes) * len(sizes) / sum(sizes) if sum(sizes) else 1.0

    @property
    def overlap_share(self) -> float:
        """Overlap rows over own rows, of the directors."""
        own = sum(table.rows for table in self.tables if table.overlap_rows)
        return sum(table.overlap_rows for table in self.tables) / own if own else 0.0

    def summary(self) -> dict[str, Any]:
        """The survey as plain values for JSON and tables."""
        return asdict(self) | {"skew": self.skew, "overlap_share": self.overlap_share}


def survey(plan: IngestPlan, nodes: Sequence[str], runtime: Runtime, watcher: Watcher = unwatched) -> Estimate:
    """Read what places the rows of every table.

    Raises:
        UserError: a position that is not on the sphere, a file that cannot be read, a director's key that occurs twice.
    """
    spread: dict[str, Counter[int]] = {}
    sizes: Counter[int] = Counter()
    whole, tables = 0, []
    for table in plan.tables:
        found = _survey_table(plan, table, runtime, watcher)
        own = found.own
        if table.source.layout.role.is_chunked and not own:
            own = _like_director(found.rows, spread.get(table.source.layout.director, Counter()))
        spread[table.name] = own
        length = _stored_length(table)
        for counts in (own, found.copies):
            sizes.update({chunk: count * length for chunk, count in counts.items()})
        if not table.source.layout.role.is_chunked:
            whole += found.rows * length
        tables.append(_summary(table, found, own, length))
    placed = place(sizes, nodes, plan.layout.replicas)
    node_bytes = {node: whole + sum(sizes[chunk] for chunk, on in placed.items() if node in on) for node in nodes}
    return Estimate(tables, node_bytes, _seconds(plan, tables, node_bytes))


def _survey_table(plan: IngestPlan, table: PlannedTable, runtime: Runtime, watcher: Watcher) -> SliceEstimate:
    total, start, size = SliceEstimate(), time.monotonic(), 0
    slices = [piece for piece in table.source.slices if not piece.is_overlap]
    spec = _SurveySpec.of(table, plan.layout.striping)
    calls = (lambda piece=piece: runtime.submit(survey_slice, spec, piece) for piece in slices)
    keys: dict[str, list[NDArray[Any]]] = {}
    for done, (found, piece) in enumerate(in_order_of_end(calls, slices, os.cpu_count() or 1), 1):
        total.rows, size = total.rows + found.rows, size + piece.bytes
        total.own.update(found.own)
        total.copies.update(found.copies)
        if total.rows <= MOST_KEYS:
            keys.setdefault(piece.path, []).extend(found.keys)
        elapsed_s = time.monotonic() - start
        watcher(Progress(f"survey {table.name}", done, len(slices), total.rows, size, elapsed_s))
    if spec.key is not None and total.rows <= MOST_KEYS:
        _require_distinct(table, keys)
    return total


def _require_distinct(table: PlannedTable, keys: Mapping[str, Sequence[NDArray[Any]]]) -> None:
    """Refuse a key that occurs twice in a director, by files and rows, as the ingest would."""
    if not any(keys.values()):
        return
    every = np.sort(np.concatenate([some for slices in keys.values() for some in slices]))
    twice = np.flatnonzero(every[1:] == every[:-1])
    if len(twice):
        key = int(every[twice[0]])
        paths = [path for path, slices in keys.items() if any((some == key).any() for some in slices)]
        places = where_rows_stand(table.source, sorted(paths), {table.source.layout.key: key})
        raise UserError(
            f"key {key} of director '{table.name}' occurs twice, in {places}; there may be more", remedy=ONE_PLACE
        )


@dataclass(frozen=True, slots=True)
class _SurveySpec:
    """What the slices of one table share; ``reader`` gives the columns of ``table`` only."""

    table: Table
    layout: TableLayout
    striping: Striping
    reader: Reader
    key: tuple[str, KeyKind] | None = None

    @staticmethod
    def of(table: PlannedTable, striping: Striping) -> _SurveySpec:
        source = table.source
        wanted = frozenset(source.layout.position or (source.table.columns[0].name,))
        key = None
        if source.layout.role is Role.DIRECTOR and source.layout.key and source.layout.unique_key:
            key = source.layout.key, KeyKind.of(source.table, source.layout)
            wanted |= {source.layout.key}
        columns = tuple(column for column in source.table if column.name in wanted)
        narrow = replace(source.table, columns=columns, primary_key=())
        layout = source.layout.model_copy(update={"key": ""})
        return _SurveySpec(narrow, layout, striping, source.reader.narrowed(source.table, wanted), key)


def survey_slice(spec: _SurveySpec, piece: InputSlice) -> SliceEstimate:
    """Count the rows of one slice by chunk; a slice whose chunk and rows are known is not read for its own rows."""
    found, role = SliceEstimate(), spec.layout.role
    if piece.rows is not None and (spec.layout.position is None or not role.is_chunked):
        found.rows = piece.rows
        return found
    if piece.rows is not None and piece.chunk is not None and role is not Role.DIRECTOR:
        found.rows = found.own[piece.chunk] = piece.rows
        return found
    chunker = chunker_of(spec.striping)
    for batch in spec.reader.batches(piece, spec.table, spec.layout):
        found.rows += batch.batch.num_rows
        if not role.is_chunked or spec.layout.position is None:
            continue
        ra, dec = positions(piece, batch, spec.layout.position, Counter())
        found.own.update(_counted(chunker.locate(ra, dec)[0]))
        if spec.key is not None and not piece.made:
            keys, is_there = whole_keys(batch.batch.column(spec.key[0]), spec.key[1].dtype)
            found.keys.append(keys[is_there])
        if role is Role.DIRECTOR and spec.striping.overlap_deg:
            found.copies.update(_counted(chunker.overlap_copies(ra, dec)[1]))
    return found


def _counted(chunks: Any) -> dict[int, int]:
    numbers, counts = np.unique(chunks, return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def _like_director(rows: int, spread: Mapping[int, int]) -> Counter[int]:
    """Rows over chunks in proportion to the director's."""
    total = sum(spread.values())
    return Counter({chunk: round(rows * count / total) for chunk, count in spread.items()}) if total else Counter()


def _stored_length(table: PlannedTable) -> int:
    """Bytes a stored row; an estimate for tables with BLOBs."""
    stored = stored_table(table.source.table, table.source.layout)
    return RecordLayout.of(stored).length if RecordLayout.is_packable(stored) else 16 * len(stored.columns)


def _summary(table: PlannedTable, found: SliceEstimate, own: Counter[int], length: int) -> TableEstimate:
    conversions, sampled, seconds = _sample(table)
    copies = sum(found.copies.values())
    stored = (found.rows + copies) * length
    return TableEstimate(
        table.name, found.rows, copies, len(own), stored, table.loader is Loader.LOAD_DATA or own is not found.own,
        sampled, dict(conversions), seconds / sampled * (found.rows + copies) if sampled else 0.0,
    )  # fmt: skip


def _sample(table: PlannedTable) -> tuple[Counter[str], int, float]:
    """Conversions in the first rows of a table, their number, and the seconds that partitioning them takes."""
    piece = next((piece for piece in table.source.slices if piece.bytes and not piece.is_overlap), None)
    if piece is None:
        return Counter(), 0, 0.0
    start = time.perf_counter()
    batch = next(iter(table.source.reader.batches(piece, table.source.table, table.source.layout)), None)
    if batch is None or not batch.batch.num_rows:
        return Counter(), 0, 0.0
    read_s = (time.perf_counter() - start) / batch.batch.num_rows
    rows = batch.batch.slice(0, SAMPLE_ROWS)
    start = time.perf_counter()
    zero = np.zeros(rows.num_rows, np.int32)
    StoredRows.of(
        with_chunk_columns(rows, table.stored, zero, zero), table.stored, is_image=table.loader is Loader.IMAGE
    )
    return (
        batch.conversions,
        batch.batch.num_rows,
        batch.batch.num_rows * (read_s + (time.perf_counter() - start) / rows.num_rows),
    )


def _seconds(plan: IngestPlan, tables: Sequence[TableEstimate], node_bytes: Mapping[str, int]) -> float:
    """Partitioning on all cores, then the fullest node's tables, as many nodes at once as there are cores."""
    cores = os.cpu_count() or 1
    partition_s = sum(table.seconds for table in tables) / cores
    slow = sum(
        survey.stored_bytes
        for survey, table in zip(tables, plan.tables, strict=True)
        if table.loader is Loader.LOAD_DATA
    )
    total = sum(table.stored_bytes for table in tables) or 1
    rate = 1 / (slow / total / LOAD_DATA_BYTES_PER_S + (1 - slow / total) / IMAGE_BYTES_PER_S)
    chunk_tables = sum(table.chunks * (2 if table.overlap_rows else 1) for table in tables)
    at_once = max(max(node_bytes.values()), sum(node_bytes.values()) / min(cores, len(node_bytes)))
    return partition_s + at_once / rate + chunk_tables * CHUNK_TABLE_S / min(cores, len(node_bytes))
