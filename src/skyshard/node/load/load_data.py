"""Loads rows by LOAD DATA: text is written where the server may read it, loaded and counted; a warning is an error.

InnoDB and MyRocks take rows of LOAD DATA one by one into every index. They get their text by way of a MyISAM table
without keys, of which one statement copies it as they load a table at once (``converted_images``): a half of the
processor time, with compressed pages a third.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.ddl import has_spatial_key
from skyshard.catalog.engines import MYISAM
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, quote_name, quote_text
from skyshard.db.server_errors import server_words
from skyshard.host.disk_space import require_room, writing
from skyshard.node.load.converted_images import copy_rows, kept_rows
from skyshard.node.load.load_text import load_text
from skyshard.node.messages import BuildOrder, TableBuild
from skyshard.node.server.scratch_tables import ScratchTable, scratch_table
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.record import RecordLayout

_FILLED_AT_ONCE = {"InnoDB", "MyRocks"}
"""Engines that take a whole table of another faster than text."""
_ROOM_A_BYTE = 2
"""Bytes that a byte of text takes while it is loaded: the text and the table."""
_ROOM_BY_COPY = 4
"""The same where the table is copied of another: its indexes, and what sorts them, too; the other one comes on top."""


def load_texts(connection: Connection, data: ServerFiles, order: BuildOrder) -> None:
    """Make the tables of an order, in the session's database, from its text or from the tables that they merge."""
    with _way_in(connection, data, order) as scratch:
        for build in order.builds:
            connection.execute(build.create)
            if build.merged:
                copy_rows(connection, order, build.name, kept_rows(build))
            if not build.slices:
                continue
            if scratch is None:
                load_data(connection, data, order, build, quote_name(build.name))
                continue
            load_data(connection, data, order, build, scratch.name)
            copy_rows(connection, order, build.name, [scratch.name])
            scratch.empty(connection)


def _way_in(
    connection: Connection, data: ServerFiles, order: BuildOrder
) -> AbstractContextManager[ScratchTable | None]:
    return scratch_table(connection, data, order.table) if order.engine in _FILLED_AT_ONCE else nullcontext()


def load_data(connection: Connection, data: ServerFiles, order: BuildOrder, build: TableBuild, into: str) -> None:
    """Load the slices of a build into a table, which is there and empty; ``into``: as statements name it.

    The server is told the file's place in its data folder: a cluster's path may hold letters that SQL text has not.

    Raises:
        UserError: the server refuses a value, or changes one.
        ClusterError: it took another number of rows, or the disk is full.
    """
    path, table = data.load_file(order.database, build.name), order.table
    loaded = size = 0
    try:
        for batches in portions(order, build):
            with writing(path), path.open("wb") as file:
                for batch in batches:
                    text = load_text(batch, table)
                    size += len(text)
                    require_room(data.path, room_for(order, build, size))
                    file.write(text)
            loaded += _load_file(connection, table, into, path.relative_to(data.path))
            if connection.warning_count():
                raise _refused(table, connection.warnings()[0][2])
    finally:
        path.unlink(missing_ok=True)
    rows = sum(piece.rows for piece in build.slices)
    if loaded != rows:
        raise ClusterError(f"table {build.name}: {loaded} of {rows} rows loaded", remedy="run the ingest again")


def room_for(order: BuildOrder, build: TableBuild, text_bytes: int) -> int:
    """Bytes that the disk has to hold while a build is loaded from so much text.

    Records of the table that it is copied of are as long as their columns may be, however short the texts are.
    """
    if order.engine not in _FILLED_AT_ONCE:
        return _ROOM_A_BYTE * text_bytes
    length = 0 if order.table.has_blob else RecordLayout.of(order.table).length
    return _ROOM_BY_COPY * text_bytes + length * sum(piece.rows for piece in build.slices)


def portions(order: BuildOrder, build: TableBuild) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of a build, as they are loaded.

    MyISAM indexes the rows that an empty table takes when all are there, by sorting, but for SPATIAL indexes. Where a
    table has one it cannot sort, and puts rows into all indexes one by one, into that one for the second time. So the
    first row of such a table comes by itself: the others find it filled, and go into the SPATIAL index once, and in
    sorted runs into those that are none.
    """
    batches = _batches(build)
    if order.engine == MYISAM.name and has_spatial_key(order.table):
        first = next(batches)
        yield iter((first.slice(0, 1),))
        batches = chain((first.slice(1),), batches)
    yield batches


def _batches(build: TableBuild) -> Iterator[pa.RecordBatch]:
    for piece in build.slices:
        with pa.memory_map(piece.bundle) as source:
            yield pa.ipc.open_file(source).get_batch(piece.offset)


def _load_file(connection: Connection, table: Table, into: str, inside: Path) -> int:
    """Load a file, by its path inside the server's data folder; returns how many rows it took."""
    columns = ", ".join(quote_name(column.name) for column in table)
    sql = (
        f"LOAD DATA INFILE {quote_text(f'./{inside}')} INTO TABLE {into} CHARACTER SET binary "
        rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' ({columns})"
    )
    try:
        return connection.execute(sql)
    except UserError as error:
        raise _refused(table, server_words(error)) from None


def _refused(table: Table, words: str) -> UserError:
    """A value that only the server refuses, in its words; the row that they name is one of a chunk table."""
    return UserError(f"table '{table.name}': the server does not take a value: {words}", remedy="fix the input")
