"""Making chunk tables on one node: from row images or by LOAD DATA, counted and checked.

A build replaces whatever stood under its name, so it can be killed at any instant and run again; a table counts as
made only when its rows and its digest are what partitioning said, and is recorded only then.

A loader that holds a database changes it through one session, which has a lock: the loader of an ingest that was
killed, and does not know it yet, keeps the next one waiting until its process is gone, and can not come in later.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from skyshard.catalog.ddl import create_generation
from skyshard.catalog.schema import Table
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name, quote_text
from skyshard.db.lock_names import key_in, lock_name
from skyshard.db.server_errors import server_words
from skyshard.db.silence_watch import Pulse
from skyshard.errors import ClusterError, SkyshardError, UserError
from skyshard.host.disk_space import require_room, writing
from skyshard.node.byte_batches import by_bytes
from skyshard.node.doubled_rows import NotIndexed, may_be_doubled, refuse_doubled
from skyshard.node.image_files import EmptyTable, write_image, write_index
from skyshard.node.load_text import load_text
from skyshard.node.messages import BuildOrder, BuiltTable, Loader, ScannedTable, ShownTable, Slice, TableBuild
from skyshard.node.read_table import select_batches
from skyshard.node.soundness import unsound
from skyshard.node.table_digests import file_name, record_groups, row_counts, table_digests
from skyshard.rowimage.digest import RowDigest
from skyshard.rowimage.record import RecordLayout

HOLD_TIMEOUT_S = 30
REPAIRED_AT_ONCE_BYTES = 1 << 30
_ENDINGS = (".MYD", ".MYI", ".frm", ".MAD", ".MAI", ".ibd", ".MRG")
_ROOM_A_BYTE = 2
"""Bytes that a byte of rows takes while its table is made: the data, and its indexes or the text of LOAD DATA."""


class NodeLoader:
    """Builds, scans and drops tables of one node; needs its data folder, so it runs on the node's host."""

    def __init__(self, node: str, endpoint: Endpoint, data: str) -> None:
        self._node = node
        self._endpoint = endpoint
        self._data = Path(data)
        self._held: dict[str, Connection] = {}
        self._pulse = Pulse(endpoint, Account.LOADER)

    def hold(self, database: str) -> None:
        """Keep every other loader away from a database, until ``release`` or the end of this process.

        Raises:
            ClusterError: the loader of another ingest is still at work (retryable), or the disk is full.
        """
        require_room(self._data, 0)
        self.release(database)
        connection = self._connect()
        with self._pulse.watch(connection):
            name = lock_name(key_in(self._data), f"load {database}")
            is_ours = connection.value("SELECT GET_LOCK(%s, %s)", [name, HOLD_TIMEOUT_S]) == 1
        if not is_ours:
            connection.close()
            raise ClusterError(
                f"node '{self._node}': another ingest of '{database}' is still at work",
                remedy="wait for it to end, then run the ingest again",
                retryable=True,
            )
        self._held[database] = connection

    def release(self, database: str) -> None:
        if (connection := self._held.pop(database, None)) is not None:
            connection.close()

    def started_s(self) -> float:
        """When the node's server was started, in seconds since 1970."""
        sql = "SELECT UNIX_TIMESTAMP() - VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = %s"
        with self._connected() as connection:
            return float(connection.value(sql, ["UPTIME"]))

    def prepare(self, database: str) -> None:
        with self._session(database, inside=False) as connection:
            connection.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(database)} CHARACTER SET latin1")

    def drop_database(self, database: str) -> None:
        """Remove a database and what killed loads left in its folder, which the server would stumble over."""
        self.remove_foreign_files(database)
        with self._session(database, inside=False) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {quote_name(database)}")

    def foreign_files(self, database: str, prefix: str = "") -> list[str]:
        """Files that belong to no table of a database, below the data folder: leftovers of what was killed.

        Args:
            prefix: only those of tables whose name begins like this.
        """
        known = {file_name(name) for name in self.tables(database)}
        folder = self._folder(database)
        begin = file_name(prefix).removesuffix("@@@")  # the tail that a whole name may get
        inside = [path for path in folder.glob(f"{begin}*") if not _belongs(path.name, known)]
        beside = self._data.glob(f"load-{file_name(database)}-{begin}*")
        return sorted(str(path.relative_to(self._data)) for path in [*inside, *beside])

    def remove_foreign_files(self, database: str, prefix: str = "") -> None:
        for name in self.foreign_files(database, prefix):
            (self._data / name).unlink(missing_ok=True)

    def tables(self, database: str) -> list[str]:
        """Names of the tables that the node has in a database."""
        sql = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s ORDER BY TABLE_NAME"
        with self._connected() as connection:
            return [str(name) for (name,) in connection.rows(sql, [database])]

    def drop_tables(self, database: str, names: Sequence[str]) -> None:
        if names:
            listed = ", ".join(map(quote_name, names))
            with self._session(database) as connection:
                for kind in ("VIEW", "TABLE"):
                    connection.execute(f"DROP {kind} IF EXISTS {listed}")

    def sweep(self, database: str, known: Collection[str]) -> None:
        """Drop the tables that nobody knows, and remove the files of none."""
        self.drop_tables(database, [name for name in self.tables(database) if name not in known])
        self.remove_foreign_files(database)

    def build(self, order: BuildOrder) -> list[BuiltTable]:
        """Make tables and check them.

        Raises:
            ClusterError: the server took fewer rows than it was given, or other ones.
            UserError: rows that a primary or unique key does not allow beside each other.
        """
        names = [build.name for build in order.builds]
        with self._session(order.database) as connection:
            try:
                found = self._fill(connection, order)
            except SkyshardError as error:
                if may_be_doubled(error):
                    refuse_doubled(connection, order, partial(self._fill, connection))
                raise
            counts = row_counts(connection, names)
        return [
            self._check(order, build, counts[build.name], digest)
            for build, digest in zip(order.builds, found, strict=True)
        ]

    def _fill(self, connection: Connection, order: BuildOrder) -> list[RowDigest]:
        """Make the tables of an order; their digests, read back, in its order."""
        names = [build.name for build in order.builds]
        self._clear(connection, order.database, names)
        if order.loader is Loader.IMAGE:
            order = replace(order, builds=tuple(self._with_slices(order, build) for build in order.builds))
            return self._install_images(connection, order)
        for build in order.builds:
            connection.execute(build.create)
            for name in build.merged:
                connection.execute(f"INSERT INTO {quote_name(build.name)} SELECT * FROM {quote_name(name)}")
            self._load_data(connection, order, build)
        return table_digests(connection, self._folder(order.database), order.table, names)

    def _with_slices(self, order: BuildOrder, build: TableBuild) -> TableBuild:
        """The build with the data files of the tables that it merges as slices."""
        if not build.merged:
            return build
        length = RecordLayout.of(order.table).length
        files = [self._file(order.database, name) for name in build.merged]
        return replace(build, slices=tuple(Slice(str(file), 0, file.stat().st_size // length) for file in files))

    def _clear(self, connection: Connection, database: str, names: Sequence[str]) -> None:
        """Remove tables of these names, and the files of tables that a killed build left half made."""
        present = set(os.listdir(self._folder(database)))
        whole = [name for name in names if f"{file_name(name)}.frm" in present]
        if whole:
            connection.execute("DROP TABLE IF EXISTS " + ", ".join(map(quote_name, whole)))
        strays = {f"{file_name(name)}{ending}" for name in names for ending in _ENDINGS}
        for stray in strays & set(os.listdir(self._folder(database)) if whole else present):
            (self._folder(database) / stray).unlink(missing_ok=True)

    def _install_images(self, connection: Connection, order: BuildOrder) -> list[RowDigest]:
        """Make tables by writing their files; their digests are read back from these.

        Each file is a new one, the definition comes last, and the server closes what somebody may have opened
        meanwhile: nobody sees a table by halves. Indexes are written from the records that are read back; those that
        only the server can make it repairs.
        """
        empty = self._empty_tables(connection, order)
        layout = RecordLayout.of(order.table)
        targets = [self._file(order.database, build.name) for build in order.builds]
        require_room(self._data, _ROOM_A_BYTE * layout.length * sum(build.rows for build in order.builds))
        for build, target in zip(order.builds, targets, strict=True):
            write_image(target, build, layout.length)
        found, left = [], []
        waiting = zip(order.builds, targets, strict=True)
        for group in record_groups(targets, layout):
            for records in group.each:
                build, target = next(waiting)
                if not write_index(target, build, records, layout, empty[build.name]):
                    left.append(build)
            found += group.digests(len(layout.slots))
        connection.execute("FLUSH TABLES " + ", ".join(quote_name(build.name) for build in order.builds))
        self._repair(connection, left, layout.length)
        return found

    def _empty_tables(self, connection: Connection, order: BuildOrder) -> dict[str, EmptyTable]:
        """What an empty table of each build is: one of each kind is created, for a wide CREATE TABLE takes 30 ms."""
        templates: dict[str, EmptyTable] = {}
        empty: dict[str, EmptyTable] = {}
        for build in order.builds:
            kind = build.create.partition("(")[2]
            if kind not in templates:
                connection.execute(build.create)
                connection.execute(f"FLUSH TABLES {quote_name(build.name)}")
                templates[kind] = EmptyTable.of(self._file(order.database, build.name))
            empty[build.name] = templates[kind]
        return empty

    def _repair(self, connection: Connection, builds: Sequence[TableBuild], length: int) -> None:
        """Let the server make the indexes of tables whose data files stand."""
        for some in by_bytes(builds, lambda build: build.rows * length, REPAIRED_AT_ONCE_BYTES):
            names = ", ".join(quote_name(build.name) for build in some)
            for name, _, kind, text in connection.rows(f"REPAIR TABLE {names} QUICK"):
                if kind == "error" or (kind == "status" and text != "OK"):
                    raise NotIndexed(f"node '{self._node}', table {name}: {text}", remedy="run the ingest again")

    def _load_data(self, connection: Connection, order: BuildOrder, build: TableBuild) -> None:
        """Write the rows as text and LOAD DATA them; a warning is an error.

        The server is told the file's place in its data folder: a cluster's path may hold letters that SQL text has not.
        """
        if not build.slices:
            return
        path = self._data / f"load-{file_name(order.database)}-{file_name(build.name)}-{os.getpid()}.tsv"
        try:
            with writing(path), path.open("wb") as file:
                for batch in _batches(build):
                    text = load_text(batch, order.table)
                    require_room(self._data, _ROOM_A_BYTE * (file.tell() + len(text)))
                    file.write(text)
            loaded = _load_file(connection, order.table, build.name, path)
            if connection.warning_count():
                warning = connection.warnings()[0][2]
                raise _refused(order.table, warning)
            if loaded != build.rows:
                raise ClusterError(f"node '{self._node}', table {build.name}: {loaded} of {build.rows} rows loaded")
        finally:
            path.unlink(missing_ok=True)

    def _check(self, order: BuildOrder, build: TableBuild, count: int, found: RowDigest) -> BuiltTable:
        if count != build.rows or str(found) != build.digest:
            for piece in build.slices:
                if piece.is_own:  # it may be the table's file: made anew by the next run
                    Path(piece.bundle).unlink(missing_ok=True)
            raise ClusterError(
                f"node '{self._node}', table {order.database}.{build.name}: {count} rows with digest {found} stand "
                f"where {build.rows} rows with digest {build.digest} were written",
                remedy="run the ingest again; if it stays, use --loader load-data and tell us",
            )
        return BuiltTable(build.name, count, self._bytes(order.database, build.name), build.digest)

    def run(self, database: str, statements: Sequence[str]) -> None:
        """Run DDL statements one after the other."""
        if statements:
            with self._session(database) as connection:
                for statement in statements:
                    connection.execute(statement)

    def show(self, database: str, table: Table, engine: str, generations: Mapping[str, Sequence[str]]) -> None:
        """Make the tables that show several parts as one, anew where they are there: name → parts.

        One is created; the others of MyISAM get its definition and a list of their own, as a CREATE takes 5 ms.
        """
        if engine != "MyISAM":
            self.drop_tables(database, list(generations))
        with self._session(database) as connection:
            if engine == "MyISAM":
                self._clear(connection, database, list(generations))
            template: Path | None = None
            for name, parts in generations.items():
                frm = self._file(database, name).with_suffix(".frm")
                if template is None or any(file_name(part) != part for part in parts):
                    connection.execute(create_generation(table, name, parts, engine=engine))
                    template = frm if engine == "MyISAM" else None
                else:
                    frm.with_suffix(".MRG").write_text("".join(f"{part}\n" for part in parts))
                    frm.hardlink_to(template)

    def unsound(self, database: str, tables: Sequence[ShownTable]) -> dict[str, str]:
        """What is wrong with indexes and lists of parts: name of the table → why (``worker.soundness``)."""
        return unsound(lambda: self._connected(database), tables)

    def export(self, database: str, table: Table, name: str, path: str) -> list[int]:
        """Write a table's rows as an Arrow file; returns the rows of each batch in it."""
        schema = pa.schema([(column.name, column.type.arrow) for column in table])
        counts = []
        with self._connected(database) as connection, pa.ipc.new_file(path, schema) as writer:
            for batch in select_batches(connection, table, name):
                writer.write_batch(batch)
                counts.append(batch.num_rows)
        return counts

    def scan(
        self, database: str, table: Table, names: Sequence[str], leave_out: Sequence[str] = ()
    ) -> list[ScannedTable]:
        """Count and digest tables as they are now, without the last columns if they are named; one that cannot be read
        does not hide the others."""
        with self._connected(database) as connection:
            try:
                found = table_digests(connection, self._folder(database), table, names, leave_out=leave_out)
                counts = row_counts(connection, names)
                return [_scanned(name, one, counts[name]) for name, one in zip(names, found, strict=True)]
            except (ClusterError, UserError, OSError) as error:
                if len(names) == 1:
                    return [ScannedTable(names[0], 0, "", str(error))]
        return [one for name in names for one in self.scan(database, table, [name], leave_out)]

    @contextmanager
    def _connected(self, database: str = "") -> Iterator[Connection]:
        """A session for this call; a server that falls silent ends it (``db.pulse``)."""
        with self._connect(database) as connection, self._pulse.watch(connection):
            yield connection

    def _connect(self, database: str = "") -> Connection:
        return connect(self._endpoint, Account.LOADER, database, connect_timeout_s=self._pulse.connect_timeout_s)

    @contextmanager
    def _session(self, database: str, *, inside: bool = True) -> Iterator[Connection]:
        """The session that holds the database, or one for this call where nobody holds it."""
        held = self._held.get(database)
        if held is None:
            with self._connected(database if inside else "") as connection:
                yield connection
            return
        with self._pulse.watch(held):
            if inside:
                held.execute(f"USE {quote_name(database)}")
            yield held

    def _folder(self, database: str) -> Path:
        return self._data / file_name(database)

    def _file(self, database: str, name: str) -> Path:
        return self._folder(database) / f"{file_name(name)}.MYD"

    def _bytes(self, database: str, name: str) -> int:
        """Size of a table's files, whatever its engine."""
        base, total = str(self._folder(database) / file_name(name)), 0
        for ending in _ENDINGS:
            with suppress(FileNotFoundError):
                total += os.stat(base + ending).st_size
        return total


def _load_file(connection: Connection, table: Table, name: str, path: Path) -> int:
    """Load a file of the server's data folder; returns how many rows it took.

    Raises:
        UserError: the server refuses a value, which nobody saw before.
    """
    columns = ", ".join(quote_name(column.name) for column in table)
    sql = (
        f"LOAD DATA INFILE {quote_text(f'./{path.name}')} INTO TABLE {quote_name(name)} CHARACTER SET binary "
        rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' ({columns})"
    )
    try:
        return connection.execute(sql)
    except UserError as error:
        raise _refused(table, server_words(error)) from None


def _refused(table: Table, words: str) -> UserError:
    """A value that only the server refuses, in its words; the row that they name is one of a chunk table."""
    return UserError(f"table '{table.name}': the server does not take a value: {words}", remedy="mend the input")


def _belongs(file: str, tables: Collection[str]) -> bool:
    """True for a file that the server keeps: the database's options, or a table's."""
    stem, dot, ending = file.partition(".")
    return file == "db.opt" or (stem in tables and dot + ending in _ENDINGS)


def _scanned(name: str, found: RowDigest, count: int) -> ScannedTable:
    """What the file holds, unless the server counts otherwise: then its index is not of this file."""
    if count != found.rows:
        return ScannedTable(name, count, "", f"the server counts {count} rows, the data file has {found.rows}")
    return ScannedTable(name, found.rows, str(found))


def _batches(build: TableBuild) -> Iterator[pa.RecordBatch]:
    for piece in build.slices:
        with pa.memory_map(piece.bundle) as source:
            yield pa.ipc.open_file(source).get_batch(piece.offset)
