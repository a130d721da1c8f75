"""The overlap tables of a director made again from the own rows of the chunks around.

Rules: an overlap table holds the copies of own rows of other chunks, so it is known from these alone; what is stored of
a row's position decides where its copies are. Pure but for reading rows and writing one bundle.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Integers
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Striping, TableLayout
from skyshard.catalog.schema import FILE_COLUMN, Table
from skyshard.chunking.chunker import Chunker
from skyshard.chunking.sphere import Box
from skyshard.ingest.on_nodes.build_orders import EMPTY
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import right_of_each
from skyshard.ingest.on_nodes.read_columns import read_columns
from skyshard.ingest.partition.bundle import Bundle, BundleWriter
from skyshard.ingest.partition.given_chunks import with_chunk_columns
from skyshard.ingest.partition.packed_rows import StoredRows, chunk_order
from skyshard.ingest.partition.routing import stored_positions
from skyshard.ingest.plan.ingest_plan import loader_of
from skyshard.node.messages import BundleSlice, Loader
from skyshard.registry.stored.records import Replica
from skyshard.rowimage.digest import RowDigest

_MARGIN = 1.5
"""By so many overlaps around a chunk the chunks begin that may have copies in it."""


def chunks_around(striping: Striping, chunks: Iterable[int]) -> set[int]:
    """The chunks from which rows may have copies in the overlap tables of the given ones, or the other way round.

    >>> len(chunks_around(Striping(stripes=85, substripes=12, overlap_deg=0.01667), [7144]))
    9
    """
    chunker = chunker_of(striping)
    found: set[int] = set()
    for chunk in chunks:
        found.update(int(one) for one in chunker.chunks_in(_wide_box(chunker, chunk)))
    return found


def _wide_box(chunker: Chunker, chunk: int) -> Box:
    box, margin = chunker.chunk_box(chunk), max(_MARGIN * chunker.overlap_deg, 1e-6)
    south, north = max(-90.0, box.dec_min - margin), min(90.0, box.dec_max + margin)
    highest = max(abs(south), abs(north)) + margin
    side = 180.0 if highest >= 89.0 else margin / math.cos(math.radians(highest))
    if box.ra_max - box.ra_min + 2 * side >= 360.0:
        return Box(0.0, south, 360.0, north)
    return Box((box.ra_min - side) % 360.0, south, (box.ra_max + side) % 360.0, north)


@dataclass(slots=True)
class OverlapAgain:
    """Copies for some overlap tables of a director: slices of a bundle on this host, and their digests, by chunk.

    ``by_file``: chunk → number of the file that rows are from → digest; empty for a table without provenance.
    """

    slices: dict[int, list[BundleSlice]] = field(default_factory=dict)
    digests: dict[int, RowDigest] = field(default_factory=dict)
    by_file: dict[int, dict[int, RowDigest]] = field(default_factory=dict)

    def of(self, chunk: int) -> tuple[tuple[BundleSlice, ...], RowDigest]:
        return tuple(self.slices.get(chunk, ())), self.digests.get(chunk, EMPTY)


def overlap_again(
    site: Site,
    database: str,
    definition: tuple[Table, TableLayout],
    striping: Striping,
    own: Sequence[Replica],
    chunks: Collection[int],
    folder: Path,
) -> OverlapAgain:
    """Read the own rows around some chunks, and write their copies in these to a bundle.

    Args:
        own: the replicas of the director's own rows; those without good ones must have the registry's rows.
        folder: of this host, for the bundle.

    Raises:
        ClusterError: a node does not answer, or no replica of a part has the registry's rows.
    """
    table, layout = definition
    stored, copied = stored_table(table, layout), stored_table(table, layout, overlap=True)
    near = chunks_around(striping, chunks)
    mine = [replica for replica in own if replica.chunk in near and not replica.is_overlap]
    loader, found = loader_of(copied)[0], OverlapAgain()
    schema = pa.schema([(column.name, column.type.arrow) for column in copied])
    bundle = Bundle(folder, f"overlap-{table.name}", "again")
    folder.mkdir(parents=True, exist_ok=True)
    with BundleWriter(bundle, loader, schema) as writer:
        for replica in right_of_each(site, database, table.name, stored, mine):
            rows = read_columns(site, database, stored, replica, stored.column_names)
            for batch in rows.rename_columns(stored.column_names).combine_chunks().to_batches():
                for chunk, files, copies in _copies(
                    batch, copied, layout, striping, chunks, is_image=loader is Loader.IMAGE
                ):
                    _write(writer, bundle, found, chunk, copies)
                    _note_files(found.by_file.setdefault(chunk, {}), files, copies)
    return found


def _copies(
    batch: pa.RecordBatch,
    copied: Table,
    layout: TableLayout,
    striping: Striping,
    chunks: Collection[int],
    *,
    is_image: bool,
) -> Iterator[tuple[int, Integers, StoredRows]]:
    """Of rows of a director, the copies in each of some chunks, and the numbers of their files, if they have any."""
    assert layout.position is not None
    ra, dec = stored_positions(batch, layout.position)
    rows, places, sub_chunks = chunker_of(striping).overlap_copies(np.mod(ra, 360.0) % 360.0, dec)
    is_wanted = np.isin(places, list(chunks))
    rows, places, sub_chunks = rows[is_wanted], places[is_wanted], sub_chunks[is_wanted]
    order = chunk_order(places, sub_chunks)
    rows, places, sub_chunks = rows[order], places[order], sub_chunks[order]
    for chunk in np.unique(places).tolist():
        is_here = places == chunk
        taken = batch.take(pa.array(rows[is_here]))
        full = with_chunk_columns(taken, copied, places[is_here], sub_chunks[is_here])
        files = np.empty(0, np.int64)
        if copied.find(FILE_COLUMN):
            files = taken.column(FILE_COLUMN).to_numpy(zero_copy_only=False).astype(np.int64)
        yield int(chunk), files, StoredRows.of(full, copied, is_image=is_image)


def _note_files(found: dict[int, RowDigest], files: Integers, rows: StoredRows) -> None:
    """Count rows by the files that they are from."""
    order = np.argsort(files, kind="stable")
    numbers, first = np.unique(files[order], return_index=True)
    if len(numbers):
        digests = rows.sorted(order).digests([*first.tolist(), len(files)])
        for number, one in zip(numbers.tolist(), digests, strict=True):
            found[number] = found.get(number, EMPTY) + one


def _write(writer: BundleWriter, bundle: Bundle, found: OverlapAgain, chunk: int, rows: StoredRows) -> None:
    count = rows.base.shape[1]
    ((file, offset),) = rows.write(writer, [0, count])
    path = str(bundle.path.with_name(file) if file else bundle.path)
    found.slices.setdefault(chunk, []).append(BundleSlice(path, offset, count))
    found.digests[chunk] = found.digests.get(chunk, EMPTY) + rows.digests([0, count])[0]


def lost_chunks(targets: Mapping[tuple[str, int, bool], object], table: str, *, is_overlap: bool) -> set[int]:
    """Of chunk tables, the chunks of one table's own or overlap tables."""
    return {chunk for name, chunk, copies in targets if name == table and copies is is_overlap}
