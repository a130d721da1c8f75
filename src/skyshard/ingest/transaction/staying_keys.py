"""The keys of a director whose rows stay, in a transaction that takes the place of others; and all keys, written anew.

Of the chunks that rows leave, keys are read back from the nodes, without those of the files that go; of all others they
are as earlier transactions left them. What is checked of new keys is the same as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import ClusterError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.schema import CHUNK_COLUMN, FILE_COLUMN, SUB_CHUNK_COLUMN
from skyshard.ingest.on_nodes.part_tables import right_of_each
from skyshard.ingest.on_nodes.read_columns import read_columns
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys
from skyshard.ingest.partition.kept_keys import keys_elsewhere
from skyshard.ingest.partition.key_files import WHOLE_MARK
from skyshard.ingest.partition.stored_keys import save_stored_keys
from skyshard.ingest.source import SourceTable
from skyshard.ingest.transaction.replaced_rows import leaving_rows
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.rowimage.digest import RowDigest


@dataclass(frozen=True, slots=True)
class StayingKeys:
    """Those of one director: ``files`` as slices have them, ``keys`` together, as they can be looked up."""

    table: SourceTable
    files: Sequence[Path]
    keys: DirectorKeys
    staging: Path

    @staticmethod
    def of(run: RunContext, table: SourceTable, known: DirectorKeys) -> StayingKeys:
        """Find them; ``known`` are the keys of all earlier transactions.

        Raises:
            ClusterError: chunk tables hold other rows than their contributions say.
        """
        kind = KeyKind.of(table.table, table.layout)
        mine = [file for file in run.plan.replaced if file.table == table.name]
        leaving = leaving_rows(run.site.registry, run.database, mine)
        chunks = {chunk: total for (_, chunk, is_overlap), total in leaving.items() if not is_overlap}
        files = keys_elsewhere(run.staging / f"kept-{table.name}", known, chunks.keys(), kind)
        files += _left_in(run, table, kind, chunks)
        together = run.staging / f"staying-{table.name}"
        build_keys(together, files, table.name, [file.name for file in files], DirectorKeys([]), kind)
        return StayingKeys(table, files, DirectorKeys.open(together), run.staging)

    def write_with(self, folder: Path, new: Sequence[Path], names: Sequence[str]) -> bool:
        """Write them with the new ones, as all keys of the director; True if one is in several chunks.

        Args:
            new: keys of the slices that come; ``names`` are their files.

        Raises:
            DoubledKey: a new key that occurs twice, or that rows which stay have.
        """
        name, kind = self.table.name, KeyKind.of(self.table.table, self.table.layout)
        is_spread = build_keys(self.staging / f"new-{name}", new, name, names, self.keys, kind)
        every = [*self.files, *new]
        build_keys(folder, every, name, [file.name for file in every], DirectorKeys([]), kind)
        (folder / WHOLE_MARK).touch()
        return is_spread


def _left_in(run: RunContext, table: SourceTable, kind: KeyKind, chunks: dict[int, RowDigest]) -> list[Path]:
    """Keys of the rows that stay in the chunks that others leave; a file a chunk table."""
    site, leave_out = run.site, run.plan.left_out(table.name)
    stored = stored_table(table.table, table.layout)
    columns = (table.layout.key, CHUNK_COLUMN, SUB_CHUNK_COLUMN, FILE_COLUMN)
    files, rows = [], 0
    replicas = [replica for replica in site.registry.replicas.all(run.database, table.name) if replica.chunk in chunks]
    for replica in right_of_each(site, run.database, table.name, stored, replicas):
        found = read_columns(site, run.database, stored, replica, columns)
        is_left = pc.invert(pc.is_in(found[-1], pa.array(leave_out, found[-1].type)))
        left = found.filter(is_left).select(range(3))
        rows += replica.rows - left.num_rows
        files.append(save_stored_keys(run.staging / f"left-{replica.name}.npy", left, kind))
    gone = sum(total.rows for total in chunks.values())
    if rows != gone:
        raise ClusterError(
            f"table '{run.database}.{table.name}': {rows} rows are of the files that go, which brought {gone}",
            remedy="run skyshard verify",
        )
    return files
