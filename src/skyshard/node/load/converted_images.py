"""Row images for engines whose files are not written here: the server copies them from a MyISAM table.

The image becomes the data file of a scratch table without keys, and one ``INSERT ... SELECT`` makes the rows of the
engine's table of it. That is a third of the work of ``LOAD DATA``, which parses every value. The engines' own ways for
large loads are switched on: InnoDB sorts and writes whole pages of a table that was empty, MyRocks whole files of a
table that comes in the order of its primary key. Both are as durable as any other commit, and all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, quote_name
from skyshard.host.disk_space import require_room, writing
from skyshard.node.load.image_files import EmptyTable, write_image
from skyshard.node.messages import BuildOrder, TableBuild
from skyshard.node.server.left_out import without_files
from skyshard.node.server.scratch_tables import ScratchTable, scratch_table
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.index_image import IndexImage
from skyshard.rowimage.record import RecordLayout

_ROOM_A_BYTE = 4
"""Bytes that a byte of rows takes while its table is made: the image, the table, its indexes, and what sorts them."""


def require_images_room(data: ServerFiles, order: BuildOrder) -> None:
    """Refuse an order whose tables, made from images, the disk does not hold."""
    length = RecordLayout.of(order.table).length
    require_room(data.path, _ROOM_A_BYTE * length * sum(build.rows for build in order.builds))


def convert_images(connection: Connection, data: ServerFiles, order: BuildOrder) -> None:
    """Make the tables of an order, in the session's database, from its images or from the tables that they merge."""
    layout = RecordLayout.of(order.table)
    with scratch_table(connection, data, order.table) as scratch:
        scratch.close(connection)
        empty = EmptyTable.of(scratch.data)
        for build in order.builds:
            connection.execute(build.create)
            if build.merged:
                copy_rows(connection, order, build.name, kept_rows(build))
            if build.slices:
                _fill(connection, scratch, build, layout, empty)
                copy_rows(connection, order, build.name, [scratch.name])


def kept_rows(build: TableBuild) -> list[str]:
    """What a build takes of the tables that it merges, as statements name it after FROM."""
    return [quote_name(name) + without_files(build.leave_out) for name in build.merged]


def copy_rows(connection: Connection, order: BuildOrder, name: str, sources: list[str]) -> None:
    """Fill an empty table with the rows of others, in its engine's fastest way."""
    with _loading(connection, order):
        for source in sources:
            connection.execute(f"INSERT INTO {quote_name(name)} SELECT * FROM {source}{_sorted(order)}")


@contextmanager
def _loading(connection: Connection, order: BuildOrder) -> Iterator[None]:
    """A session that loads a table of an order as a whole; keys that may not repeat are checked all the same."""
    settings = _settings(order.engine, order.table)
    for name, value in settings.items():
        connection.execute(f"SET SESSION {name} = {value}")
    try:
        yield
    finally:
        for name, value in settings.items():  # MyRocks writes the rest of a table when its way of loading ends
            connection.execute(f"SET SESSION {name} = {1 - value}")


def _settings(engine: str, table: Table) -> dict[str, int]:
    if engine == "InnoDB":  # a table that was empty is checked when its indexes are sorted
        return {"unique_checks": 0, "foreign_key_checks": 0}
    if engine == "MyRocks":  # its way for sorted rows checks primary keys only
        is_bulk = not any(key.is_unique for key in table.keys)
        return {"rocksdb_bulk_load" if is_bulk else "rocksdb_commit_in_the_middle": 1}
    return {}


def _sorted(order: BuildOrder) -> str:
    if order.engine != "MyRocks" or not order.table.primary_key:
        return ""
    parts = (name.partition("(")[0] for name in order.table.primary_key)
    return f" ORDER BY {', '.join(map(quote_name, parts))}"


def _fill(
    connection: Connection, scratch: ScratchTable, build: TableBuild, layout: RecordLayout, empty: EmptyTable
) -> None:
    """Make the scratch table one of the build's rows."""
    write_image(scratch.data, build, layout.length)
    index, rows = IndexImage.of(empty.index), np.memmap(scratch.data, layout.dtype, "r")
    pieces = [empty.index] if index is None else index.fill(rows)
    file = scratch.data.with_suffix(".MYI")
    with writing(file), file.open("wb", buffering=0) as out:
        for piece in pieces:
            out.write(piece)
    scratch.close(connection)
    if index is None:
        connection.execute(f"REPAIR TABLE {scratch.name} QUICK")
