"""The loader of one MariaDB server: each call of ``node_loader.NodeLoader`` is handed to the module that knows how."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from skyshard.columns.segment_folder import SegmentFolder
from skyshard.db.connection import Endpoint, quote_name
from skyshard.host.write_back import is_one_file_system, write_back
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import TABLES_SWEPT
from skyshard.node.columns.build_segment import build_segment
from skyshard.node.columns.node_segments import find_segments, read_segments
from skyshard.node.hello.say_hello import say_hello
from skyshard.node.host_files import HostFiles
from skyshard.node.load.build_tables import TableBuilder
from skyshard.node.messages import (
    BuildOrder,
    BuiltTable,
    ColumnsOrder,
    DigestOrder,
    ExportOrder,
    Hello,
    HelloOrder,
    MadeColumns,
    MergeTableOrder,
    RepairOrder,
    RowsOrder,
    SegmentFacts,
    ShownTable,
    TableDigest,
)
from skyshard.node.read.copied_rows import copy_records
from skyshard.node.read.read_rows import read_rows
from skyshard.node.read.spelled_rows import export_table
from skyshard.node.read.table_digests import current_digests
from skyshard.node.read.table_faults import find_faults, repair_tables
from skyshard.node.server.clear_tables import drop_tables
from skyshard.node.server.merge_tables import make_merge_tables
from skyshard.node.server.server_files import ServerFiles
from skyshard.node.server.server_sessions import ServerSessions


class MariaDBLoader:
    """Needs the server's data folder, so it runs on the server's host.

    What each call does, and what it raises, is said in ``node_loader.NodeLoader``.
    """

    def __init__(self, node: str, endpoint: Endpoint, data: str, events: EventLog = ONLY_LOGGED) -> None:
        self._node = node
        self._events = events.about(node=node)
        self._data = ServerFiles(Path(data))
        self._sessions = ServerSessions(node, endpoint, self._data.path, events)

    def started_s(self) -> float:
        sql = "SELECT UNIX_TIMESTAMP() - VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = %s"
        with self._sessions.reading() as connection:
            return float(connection.value(sql, ["UPTIME"]))

    def hello(self, order: HelloOrder) -> Hello:
        return say_hello(self._node, self._sessions, self._data, self.started_s(), order)

    def engines(self) -> list[str]:
        sql = "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')"
        with self._sessions.reading() as connection:
            return [str(name) for (name,) in connection.rows(sql)]

    def hold(self, database: str, *, makes_room: bool = False) -> None:
        self._sessions.hold(database, makes_room=makes_room)

    def release(self, database: str) -> None:
        self._sessions.release(database)

    def make_database(self, database: str) -> None:
        with self._sessions.changing(database, inside=False) as connection:
            connection.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(database)} CHARACTER SET latin1")

    def drop_database(self, database: str) -> None:
        self.remove_leftover_files(database)  # the server would stumble over them
        with self._sessions.changing(database, inside=False) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {quote_name(database)}")
        self._segments(database).remove_all()

    def tables(self, database: str) -> list[str]:
        sql = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s ORDER BY TABLE_NAME"
        with self._sessions.reading() as connection:
            return [str(name) for (name,) in connection.rows(sql, [database])]

    def drop_tables(self, database: str, names: Sequence[str]) -> None:
        if names:
            with self._sessions.changing(database) as connection:
                drop_tables(connection, names)
            self._sweep_segments(database)

    def leftover_files(self, database: str, prefix: str = "") -> list[str]:
        found = self._data.leftovers(database, self.tables(database), prefix)
        return [str(path.relative_to(self._data.path)) for path in found]

    def remove_leftover_files(self, database: str, prefix: str = "") -> None:
        for path in self._data.leftovers(database, self.tables(database), prefix):
            path.unlink(missing_ok=True)

    def clear_staging(self, folder: str, kept: str = "") -> None:
        HostFiles().keep_only(folder, kept)

    def sweep(self, database: str, known: Collection[str]) -> None:
        unknown = [name for name in self.tables(database) if name not in known]
        if unknown:
            self.drop_tables(database, unknown)
            self._events.tell(TABLES_SWEPT, database=database, tables=len(unknown))
        self.remove_leftover_files(database)
        self._sweep_segments(database)

    def build(self, order: BuildOrder) -> list[BuiltTable]:
        with self._sessions.changing(order.database) as connection:
            beside = partial(self._sessions.beside, order.database)
            return TableBuilder(self._node, self._data, connection, beside).build(order)

    def make_merge_tables(self, order: MergeTableOrder) -> None:
        with self._sessions.changing(order.database) as connection:
            make_merge_tables(connection, self._data, order)

    def repair(self, order: RepairOrder) -> None:
        with self._sessions.changing(order.database) as connection:
            repair_tables(connection, order)

    def run(self, database: str, statements: Sequence[str]) -> None:
        with self._sessions.changing(database) as connection:
            for statement in statements:
                connection.execute(statement)

    def settle(self, database: str) -> None:
        tables, segments = self._data.database(database), self._segments(database)
        write_back(tables)
        if segments.is_there and not is_one_file_system(tables, segments.path):
            write_back(segments.path)

    def digests(self, order: DigestOrder) -> list[TableDigest]:
        return current_digests(partial(self._sessions.reading, order.database), self._data, order)

    def faults(self, database: str, tables: Sequence[ShownTable]) -> dict[str, str]:
        return find_faults(partial(self._sessions.reading, database), tables)

    def export(self, order: ExportOrder) -> list[int]:
        Path(order.path).parent.mkdir(mode=0o770, parents=True, exist_ok=True)
        with self._sessions.reading(order.database) as connection:
            if order.as_records:
                return [copy_records(connection, self._data, order)]
            return export_table(connection, self._data, order)

    def rows(self, order: RowsOrder) -> pa.Table:
        with self._sessions.reading(order.database) as connection:
            return read_rows(connection, self._data, order)

    def make_columns(self, order: ColumnsOrder) -> MadeColumns:
        with self._sessions.reading(order.database) as connection:
            return build_segment(connection, self._data, self._segments(order.database), order)

    def segments(self, database: str) -> list[SegmentFacts]:
        return find_segments(self._segments(database))

    def segment_faults(self, paths: Sequence[str]) -> dict[str, str]:
        return read_segments(paths)

    def set_segments_aside(self, database: str, paths: Sequence[str]) -> None:
        self._segments(database).set_aside([Path(path) for path in paths])

    def drop_drafts(self, database: str) -> None:
        self._segments(database).remove_drafts()

    def drop_segments(self, database: str, paths: Sequence[str] | None = None) -> None:
        if paths is None:
            self._segments(database).remove_all()
        else:
            self._segments(database).remove([Path(path) for path in paths])

    def _segments(self, database: str) -> SegmentFolder:
        return SegmentFolder.of(self._data.path, database)

    def _sweep_segments(self, database: str) -> None:
        """Images go with the last of their tables."""
        folder = self._segments(database)
        if folder.is_there:
            folder.sweep(self.tables(database))
