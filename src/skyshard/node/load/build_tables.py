"""Makes chunk tables on one server, from row images or by LOAD DATA; counts and checks them.

A build replaces whatever had its name, so it can be killed at any instant and run again; a table counts as made only
when its rows and its digest are what partitioning said, and is recorded only then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.engines import MYISAM
from skyshard.db.connection import Connection, quote_name
from skyshard.db.driver_errors import is_gone
from skyshard.host.disk_space import require_room
from skyshard.node.load.converted_images import convert_images, require_images_room
from skyshard.node.load.doubled_rows import NotIndexed, may_be_doubled, refuse_doubled, refuse_repeated
from skyshard.node.load.image_files import (
    EmptyTable,
    begin_files,
    copy_data,
    copy_index,
    data_digest,
    write_image,
    write_index,
)
from skyshard.node.load.load_data import load_texts
from skyshard.node.load.side_by_side import OpenBeside, make_side_by_side
from skyshard.node.messages import BuildOrder, BuiltTable, BundleSlice, Loader, MadeFiles, TableBuild
from skyshard.node.read.byte_batches import by_bytes
from skyshard.node.read.record_groups import mapped_records, record_groups
from skyshard.node.read.table_digests import row_counts, table_digests
from skyshard.node.server.clear_tables import clear_tables
from skyshard.node.server.left_out import runs_without
from skyshard.node.server.server_files import ServerFiles
from skyshard.node.server.table_sizes import table_sizes
from skyshard.rowimage.digest import RowDigest
from skyshard.rowimage.record import RecordLayout

ARIA = "Aria"
REPAIRED_AT_ONCE_BYTES = 1 << 30
_ROOM_A_BYTE = 2
"""Bytes that a byte of rows takes while its table is made: the data, and its indexes."""


@dataclass(frozen=True, slots=True)
class _Filled:
    """The digest of a table's rows as they are in its file, and by what other nodes can have the same table."""

    digest: RowDigest
    files: MadeFiles | None = None


class TableBuilder:
    """Builds the tables of orders through a session that is in their database, and further ones where it is faster."""

    def __init__(self, node: str, data: ServerFiles, connection: Connection, beside: OpenBeside | None = None) -> None:
        """``beside`` opens further sessions, which are in the same database; None: one makes all tables."""
        self._node = node
        self._data = data
        self._connection = connection
        self._beside = beside

    def build(self, order: BuildOrder) -> list[BuiltTable]:
        """See ``node_loader.NodeLoader.build``."""
        try:
            found = self._fill(order)
        except SkyshardError as error:
            if may_be_doubled(error):
                refuse_doubled(self._connection, order, self._fill)
            raise
        names = [build.name for build in order.builds]
        for build in order.builds:
            refuse_repeated(self._connection, order.table, build)
        counts = row_counts(self._connection, names)
        if order.engine == "InnoDB" and any(counts[build.name] != build.rows for build in order.builds):
            refuse_doubled(self._connection, order, self._fill)  # it may pass over a whole table in silence
        sizes = table_sizes(self._connection, self._data, order.database, order.engine, names)
        return [
            self._checked(order, build, counts[build.name], sizes[build.name], one)
            for build, one in zip(order.builds, found, strict=True)
        ]

    def _fill(self, order: BuildOrder) -> list[_Filled]:
        """Make the tables of an order; what is in them, read back, in its order.

        Raises:
            ClusterError: among others, a table that the order merges is gone, or its data file is.
        """
        try:
            return self._filled(order)
        except (FileNotFoundError, UserError) as error:
            is_lost = isinstance(error, FileNotFoundError) or is_gone(error)
            if not is_lost or not any(build.merged for build in order.builds):
                raise
            told = f"'{error.filename}' is gone" if isinstance(error, FileNotFoundError) else str(error.what)
            raise ClusterError(
                f"node '{self._node}': {told}",
                remedy=f"`skyshard replicas verify {order.database}`, `skyshard replicas repair`, then the same again",
            ) from error

    def _filled(self, order: BuildOrder) -> list[_Filled]:
        names = [build.name for build in order.builds]
        clear_tables(self._connection, self._data, order.database, names)
        if order.loader is Loader.IMAGE and order.engine == MYISAM.name:
            builds = tuple(map(partial(self._with_slices, order), order.builds))
            return self._install_images(replace(order, builds=builds))
        if order.loader is Loader.IMAGE:
            require_images_room(self._data, order)
        return make_side_by_side(order, self._connection, self._beside, self._by_statements)

    def _by_statements(self, connection: Connection, order: BuildOrder) -> list[_Filled]:
        """Have the server make the tables of an order, and read them back."""
        if order.loader is Loader.IMAGE:
            convert_images(connection, self._data, order)
        else:
            load_texts(connection, self._data, order)
        names = [build.name for build in order.builds]
        if order.engine == ARIA and names:  # of tables that are not transactional it keeps pages back until then
            connection.execute("FLUSH TABLES " + ", ".join(map(quote_name, names)))
        return list(map(_Filled, table_digests(connection, self._data, order.database, order.table, names)))

    def _with_slices(self, order: BuildOrder, build: TableBuild) -> TableBuild:
        """The build with what it takes of the data files of the tables that it merges as slices."""
        layout = RecordLayout.of(order.table)
        files = [self._data.data_file(order.database, name) for name in build.merged]
        kept = [piece for file in files for piece in _kept_records(file, build.leave_out, layout)]
        return replace(build, slices=(*kept, *build.slices))

    def _install_images(self, order: BuildOrder) -> list[_Filled]:
        """Make tables by writing their files; their digests are read back from these.

        Each file is a new one, the definition comes last, and the server closes what was opened in between: no
        query sees half a table. Indexes are written from the records that are read back; those that only
        the server can make it repairs.
        """
        empty = self._empty_tables(order)
        layout = RecordLayout.of(order.table)
        targets = {build.name: self._data.data_file(order.database, build.name) for build in order.builds}
        require_room(self._data.path, _ROOM_A_BYTE * layout.length * sum(build.rows for build in order.builds))
        copied = [build for build in order.builds if build.made and copy_data(targets[build.name], build.made)]
        names = {build.name for build in copied}
        own = [build for build in order.builds if build.name not in names]
        for build in own:
            write_image(targets[build.name], build, layout.length)
        found = {build.name: _Filled(RowDigest.parse(build.digest)) for build in copied}
        left = [build for build in copied if not self._copy_index(build, targets[build.name], layout, empty)]
        found |= self._index(own, targets, layout, empty, left)
        for target in targets.values():
            begin_files(target)
        self._connection.execute("FLUSH TABLES " + ", ".join(quote_name(build.name) for build in order.builds))
        self._repair(left, layout.length)
        return [found[build.name] for build in order.builds]

    def _copy_index(
        self, build: TableBuild, target: Path, layout: RecordLayout, empty: Mapping[str, EmptyTable]
    ) -> bool:
        """Index a table whose data file was copied; False where the server has to."""
        if build.made is not None and copy_index(target, build.made, empty[build.name]):
            return True
        return write_index(target, build, mapped_records(target, layout), layout, empty[build.name]) is not None

    def _index(
        self,
        builds: Sequence[TableBuild],
        targets: Mapping[str, Path],
        layout: RecordLayout,
        empty: Mapping[str, EmptyTable],
        left: list[TableBuild],
    ) -> dict[str, _Filled]:
        """Read data files back, digest and index them; builds that the server has to index are added to ``left``."""
        found: dict[str, _Filled] = {}
        waiting = iter(builds)
        for group in record_groups([targets[build.name] for build in builds], layout):
            for records, digest in zip(group.each, group.digests(len(layout.slots)), strict=True):
                build = next(waiting)
                target = targets[build.name]
                index = write_index(target, build, records, layout, empty[build.name])
                if index is None:
                    left.append(build)
                files = MadeFiles(str(target), data_digest(records.view(np.uint8).data), index or "")
                found[build.name] = _Filled(digest, files if len(records) else None)
        return found

    def _empty_tables(self, order: BuildOrder) -> dict[str, EmptyTable]:
        """What an empty table of each build is: one of each kind is created, for a wide CREATE TABLE takes 30 ms."""
        templates: dict[str, EmptyTable] = {}
        empty: dict[str, EmptyTable] = {}
        for build in order.builds:
            kind = build.create.partition("(")[2]
            if kind not in templates:
                self._connection.execute(build.create)
                self._connection.execute(f"FLUSH TABLES {quote_name(build.name)}")
                templates[kind] = EmptyTable.of(self._data.data_file(order.database, build.name))
            empty[build.name] = templates[kind]
        return empty

    def _repair(self, builds: Sequence[TableBuild], length: int) -> None:
        """Let the server make the indexes of tables whose data files are there."""
        for some in by_bytes(builds, lambda build: build.rows * length, REPAIRED_AT_ONCE_BYTES):
            names = ", ".join(quote_name(build.name) for build in some)
            for name, _, kind, text in self._connection.rows(f"REPAIR TABLE {names} QUICK"):
                if kind == "error" or (kind == "status" and text != "OK"):
                    raise NotIndexed(f"node '{self._node}', table {name}: {text}", remedy="run the ingest again")

    def _checked(self, order: BuildOrder, build: TableBuild, count: int, size: int, found: _Filled) -> BuiltTable:
        if count != build.rows or str(found.digest) != build.digest:
            for piece in build.slices:
                if piece.is_own:  # it may be the table's file: the next run makes it again
                    Path(piece.bundle).unlink(missing_ok=True)
            raise ClusterError(
                f"node '{self._node}', table {order.database}.{build.name}: {count} rows with digest {found.digest} "
                f"are where {build.rows} rows with digest {build.digest} were written",
                remedy="run the ingest again; if it stays, use --loader load-data and tell us",
            )
        return BuiltTable(build.name, count, size, build.digest, found.files)


def _kept_records(file: Path, leave_out: Sequence[int], layout: RecordLayout) -> list[BundleSlice]:
    """The runs of a data file's records that are taken."""
    if not leave_out:
        return [BundleSlice(str(file), 0, file.stat().st_size // layout.length)]
    runs = runs_without(mapped_records(file, layout), leave_out)
    return [BundleSlice(str(file), first * layout.length, count) for first, count in runs]
