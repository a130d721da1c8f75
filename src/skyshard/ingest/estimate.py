"""Estimates an ingest before anything is touched: rows, bytes, chunks, overlap, nodes, time.

Only what decides the place of a row is read: positions and keys of directors, and positions of dependents that have
them; of other tables the rows are counted. A dependent without positions is spread as its director is. Keys of
directors are held against each other, and against those of earlier transactions, by files that are removed again: the
memory does not grow with their number. What reading changes, and how fast this machine is, is seen on the first rows of
each table.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.catalog.placement import place
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import in_order_of_end
from skyshard.ingest.on_nodes.earlier_rows import EarlierRows
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, doubled_key, known_key
from skyshard.ingest.partition.first_rows import DUPLICATES, KeysOfSlice, count_later
from skyshard.ingest.partition.given_chunks import with_chunk_columns
from skyshard.ingest.partition.packed_rows import StoredRows
from skyshard.ingest.partition.quarantine import without_bad_positions
from skyshard.ingest.partition.routing import positions, stored_positions
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.source import InputBatch, InputSlice, Reader
from skyshard.node.messages import Loader
from skyshard.rowimage.record import RecordLayout
from skyshard.runtime.base import Runtime

SAMPLE_ROWS = 50_000
LOAD_DATA_BYTES_PER_S = 20e6
IMAGE_BYTES_PER_S = 200e6
"""Stored bytes a second that one node takes on one core, by ``benchmarks/ingest.py``."""
CHUNK_TABLE_S = 0.005
"""What a chunk table takes besides its rows."""


@dataclass(slots=True)
class SliceEstimate:
    """Rows of one slice: all of them, those of each chunk, overlap copies by chunk, rows that are left out by policy.

    ``keys`` is the file of a director's keys.
    """

    rows: int = 0
    own: Counter[int] = field(default_factory=Counter)
    copies: Counter[int] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    keys: str = ""


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
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows of the input that are not taken, by policy."""


@dataclass(slots=True)
class Estimate:
    """The whole: tables, stored bytes by node, and the seconds that the ingest will take here."""

    tables: list[TableEstimate]
    node_bytes: dict[str, int]
    predicted_s: float
    replayed: dict[str, int] = field(default_factory=dict)
    """Table → pieces of input that earlier transactions took in, which are passed over."""

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


def survey(
    plan: IngestPlan,
    nodes: Sequence[str],
    runtime: Runtime,
    watcher: Watcher = unwatched,
    earlier: EarlierRows | None = None,
) -> Estimate:
    """Read what places the rows of every table.

    Args:
        earlier: what the database has already.

    Raises:
        UserError: a position that is not on the sphere, a file that cannot be read, a director's key that occurs twice.
    """
    spread: dict[str, Counter[int]] = {}
    sizes: Counter[int] = Counter()
    whole, tables = 0, []
    for table in plan.tables:
        with TemporaryDirectory(prefix="skyshard-plan-") as folder:
            found = _survey_table(_Survey(plan.layout.striping, runtime, watcher, earlier, folder), table)
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


@dataclass(frozen=True, slots=True)
class _Survey:
    """What the tables of one survey share; ``folder`` takes the keys of one of them."""

    striping: Striping
    runtime: Runtime
    watcher: Watcher
    earlier: EarlierRows | None
    folder: str


def _survey_table(survey: _Survey, table: PlannedTable) -> SliceEstimate:
    total, start, size = SliceEstimate(), time.monotonic(), 0
    slices = [piece for piece in table.source.slices if not piece.is_overlap]
    spec = _SurveySpec.of(table, survey.striping, survey.folder)
    calls = (lambda piece=piece: survey.runtime.submit(survey_slice, spec, piece) for piece in slices)
    keys: dict[InputSlice, str] = {}
    for done, (found, piece) in enumerate(in_order_of_end(calls, slices, os.cpu_count() or 1), 1):
        total.rows, size = total.rows + found.rows, size + piece.bytes
        total.own.update(found.own)
        total.copies.update(found.copies)
        total.left_out.update(found.left_out)
        keys[piece] = found.keys
        elapsed_s = time.monotonic() - start
        survey.watcher(Progress(f"survey {table.name}", done, len(slices), total.rows, size, elapsed_s))
    with_keys = [piece for piece in slices if keys[piece]]
    if with_keys:
        later = _later(survey, table, with_keys, [keys[piece] for piece in with_keys])
        total.rows -= later
        total.left_out.update({DUPLICATES: later} if later else {})
    return total


def _later(survey: _Survey, table: PlannedTable, slices: Sequence[InputSlice], files: Sequence[str]) -> int:
    """The number of rows that are left out because an earlier one has their key.

    Raises:
        UserError: there is one, and the table does not say that it is left out: key, files and rows.
    """
    source, earlier = table.source, survey.earlier
    found = count_later(files, earlier.keys(table.name) if earlier is not None else DirectorKeys([]))
    if not found.count or source.layout.duplicates == "keep-first":
        return found.count
    more = f"{found.count} row{'s have' if found.count > 1 else ' has'} the key of an earlier one"
    paths = [slices[i].path for i, _ in found.rows]
    numbers = [row for _, row in found.rows]
    if found.earlier_chunk is not None:
        assert earlier is not None
        whence = earlier.place(source, found.key, found.earlier_chunk, paths)
        raise known_key(table.name, found.key, f"'{paths[0]}', row {numbers[0]}", whence, more)
    places = " and ".join(f"'{path}', row {row}" for path, row in zip(paths, numbers, strict=True))
    if len(set(paths)) == 1:
        places = f"'{paths[0]}', rows {numbers[0]} and {numbers[1]}"
    raise doubled_key(table.name, found.key, places, more)


@dataclass(frozen=True, slots=True)
class _SurveySpec:
    """What the slices of one table share; ``reader`` gives the columns of ``table`` only."""

    table: Table
    layout: TableLayout
    striping: Striping
    reader: Reader
    folder: str
    """Where a director's keys are kept."""
    key: tuple[str, KeyKind] | None = None

    @staticmethod
    def of(table: PlannedTable, striping: Striping, folder: str) -> _SurveySpec:
        source = table.source
        wanted = frozenset(source.layout.position or (source.table.columns[0].name,))
        key = None
        if source.layout.role is Role.DIRECTOR and source.layout.key and source.layout.unique_key:
            key = source.layout.key, KeyKind.of(source.table, source.layout)
            wanted |= {source.layout.key}
        columns = tuple(column for column in source.table if column.name in wanted)
        narrow = replace(source.table, columns=columns, primary_key=())
        layout = source.layout.model_copy(update={"key": ""})
        return _SurveySpec(narrow, layout, striping, source.reader.narrowed(source.table, wanted), folder, key)


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
    keys = KeysOfSlice(spec.key[1]) if spec.key is not None and not piece.made else None
    for batch in spec.reader.batches(piece, spec.table, spec.layout):
        if spec.layout.bad_positions != "refuse" and spec.layout.position is not None:
            batch = without_bad_positions(batch, spec.layout.position, None)
        found.left_out.update(batch.left_out)
        found.rows += batch.batch.num_rows
        if not role.is_chunked or spec.layout.position is None:
            continue
        if role is Role.REF_MATCH:
            batch = _with_first_side(batch, spec.layout.position)
        ra, dec = positions(piece, batch, spec.layout.position, Counter())
        found.own.update(_counted(chunker.locate(ra, dec)[0]))
        if spec.key is not None and keys is not None:
            keys.add(batch, spec.key[0])
        if role is Role.DIRECTOR and spec.striping.overlap_deg:
            found.copies.update(_counted(chunker.overlap_copies(ra, dec)[1]))
    if keys is not None:
        found.keys = keys.save(spec.folder, piece)
    return found


def _with_first_side(batch: InputBatch, names: tuple[str, str]) -> InputBatch:
    """The rows of a ref-match table whose first side is there, which NULL says it is not."""
    ra, dec = stored_positions(batch.batch, names)
    return batch.only(~(np.isnan(ra) & np.isnan(dec)), "")


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
    is_estimate = table.loader is Loader.LOAD_DATA or own is not found.own or DUPLICATES in found.left_out
    partition_s = seconds / sampled * (found.rows + copies) if sampled else 0.0
    return TableEstimate(
        table.name, found.rows, copies, len(own), stored, is_estimate, sampled, dict(conversions), partition_s,
        dict(found.left_out),
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
