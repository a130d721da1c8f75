"""Writes all that only the czar's server holds into one file, beside ingests and queries.

Rules: the registry's rows are of one moment; what else belongs to them never changes once it is published, and is
copied afterwards. What vanishes meanwhile, because its database is dropped, is left out: a restore makes it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from skyshard.backup.place import BackupPlace
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.basics.release import VERSION
from skyshard.catalog.ddl import part_suffix
from skyshard.db.connection import Account, Connection, connect
from skyshard.registry.backup.dump_file import HEADER, DumpHeader, DumpWriter, new_dump
from skyshard.registry.backup.registry_rows import KEPT, read_batches, read_table
from skyshard.registry.schema.schema_version import SCHEMA_VERSION
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.plain_sql import GENERATION, NOW_S, named

STAGE = "dump registry"
ROWS, INDEX, KEPT_FILES = "rows", "index", "kept"
"""Folders of the members of a dump."""
_LAST = f"SELECT COALESCE(MAX(id), 0) FROM {named(t.transactions.name)}"


@dataclass(slots=True)
class Dumped:
    """What a dump holds; ``bytes`` are those of the file."""

    path: str
    rows: dict[str, int] = field(default_factory=dict)
    index_files: int = 0
    kept_files: int = 0
    content_bytes: int = 0
    """Before compression."""
    bytes: int = 0
    elapsed_s: float = 0.0


def dump_registry(place: BackupPlace, path: Path, *, with_indexes: bool = True, watcher: Watcher = unwatched) -> Dumped:
    """Write a dump; the file is there when it is whole.

    Args:
        with_indexes: director indexes and keys too; a restore makes those that are missing of the nodes' rows.

    Raises:
        UserError: the file cannot be written.
    """
    started, done = time.monotonic(), Dumped(str(path))
    keys = place.node_keys()
    with _snapshot(place) as registry, new_dump(path) as dump:
        header = DumpHeader(
            release=VERSION, registry=SCHEMA_VERSION, made_s=float(registry.value(NOW_S)),
            generation=int(registry.value(GENERATION)), last_transaction=int(registry.value(_LAST)), nodes=keys,
            with_indexes=with_indexes,
        )  # fmt: skip
        dump.add(HEADER, header.model_dump_json().encode())
        total = sum(int(registry.value(f"SELECT COUNT(*) FROM {named(table.name)}")) for table in KEPT)

        def watch() -> None:
            rows = sum(done.rows.values())
            watcher(Progress(STAGE, rows, total, rows, dump.content_bytes, time.monotonic() - started))

        for table in KEPT:
            done.rows[table.name] = 0
            for number, batch in enumerate(read_batches(registry, table)):
                dump.add(f"{ROWS}/{table.name}/{number}", _packed(batch))
                done.rows[table.name] += len(batch)
                watch()
        parts = read_table(registry, t.index_parts)
        registry.execute("COMMIT")
        if with_indexes:
            _add_indexes(place, dump, parts, done)
        _add_kept(place, dump, done, with_keys=with_indexes)
        watch()
        done.content_bytes = dump.content_bytes
    done.bytes, done.elapsed_s = path.stat().st_size, time.monotonic() - started
    return done


@contextmanager
def _snapshot(place: BackupPlace) -> Iterator[Connection]:
    """A session that sees the registry as it is at this moment, to the end of its transaction."""
    with connect(place.czar, Account.ADMIN) as connection:
        connection.speak_utf8()
        connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield connection


def _packed(batch: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _add_indexes(place: BackupPlace, dump: DumpWriter, parts: pa.Table, done: Dumped) -> None:
    columns = (parts.column(name).to_pylist() for name in ("database", "director", "part"))
    for database, director, part in zip(*columns, strict=True):
        for file in place.index_files(database, director, part_suffix(part)):
            done.index_files += dump.add_file(f"{INDEX}/{file.name}", file)


def _add_kept(place: BackupPlace, dump: DumpWriter, done: Dumped, *, with_keys: bool) -> None:
    for name, folder in place.kept_folders.items():
        if folder == place.folders.keys and not with_keys:
            continue
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            done.kept_files += dump.add_file(f"{KEPT_FILES}/{name}/{file.relative_to(folder)}", file)
