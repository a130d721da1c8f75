"""Proves that a worker and its server share one data folder, and may use each other's files there.

The worker makes a table as every ingest does, from a file in its staging folder, and the server reads its rows: so the
folder is the same, and both have their rights.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.schema import Column, Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Connection, quote_name
from skyshard.node.hello.worker_rights import Owned, Worker, why_not_entered, why_not_used
from skyshard.node.load.build_tables import TableBuilder
from skyshard.node.messages import BuildOrder, BundleSlice, HelloOrder, Loader, TableBuild
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.digest import digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type

NONCE_CHARACTERS = 32
_TABLE = Table("hello", (Column("word", parse_type(f"char({NONCE_CHARACTERS})"), False),))
_PREFIX = "hello_"
_LEFT = (
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME LIKE %s"
    " AND CREATE_TIME < NOW() - INTERVAL 1 HOUR"
)
"""Tables of workers that were killed."""
_BESIDE = "{what}: `data` in the cluster file is another folder than the server's, which is {datadir}"


def prove_folder(node: str, connection: Connection, data: ServerFiles, order: HelloOrder) -> None:
    """Prove it, through a loader's session in the scratch database.

    Raises:
        ClusterError: what is wrong, and the remedy.
    """
    datadir = str(connection.value("SELECT @@datadir")).rstrip("/")
    name = f"{_PREFIX}{secrets.token_hex(8)}"
    _require_folder(node, data, datadir)
    with _dropped(connection, name):
        _require_same_folder(node, connection, data, name, datadir)
        _build(node, connection, data, _written(node, Path(order.staging), name, order.nonce), name)
        found = {str(word) for (word,) in connection.rows(f"SELECT word FROM {quote_name(name)}")}
        if found != {order.nonce, order.nonce[::-1]}:
            raise _wrong(node, "its server reads other rows than its worker wrote", "see the server's log")


def _require_folder(node: str, data: ServerFiles, datadir: str) -> None:
    folder = data.database(SCRATCH_DATABASE)
    try:
        owned = Owned.of(folder)
    except PermissionError:
        shut = next(
            one for one in (*reversed(folder.parents), folder) if not os.access(one, os.X_OK, effective_ids=True)
        )
        raise _wrong(node, *why_not_entered(shut, Owned.of(shut), Worker.here())) from None
    except OSError as error:
        what = f"its worker finds no {folder} ({error.strerror})"
        raise _wrong(node, _BESIDE.format(what=what, datadir=datadir), "name the server's own data folder") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise _wrong(node, *why_not_entered(folder, owned, Worker.here()))


def _require_same_folder(node: str, connection: Connection, data: ServerFiles, name: str, datadir: str) -> None:
    """The worker has to see a table that the server makes now."""
    connection.execute(create_table(_TABLE, name))
    if not data.data_file(SCRATCH_DATABASE, name).with_suffix(".frm").exists():
        what = f"its worker does not see in {data.path} what its server makes: another server's folder or host"
        raise _wrong(node, _BESIDE.format(what=what, datadir=datadir), "name the server's own data folder and host")


def _written(node: str, staging: Path, name: str, nonce: str) -> tuple[Path, pa.RecordBatch]:
    rows = pa.record_batch([pa.array([nonce, nonce[::-1]])], ["word"])
    bundle = staging / name
    try:
        staging.mkdir(parents=True, exist_ok=True)
        bundle.write_bytes(pack(rows, RecordLayout.of(_TABLE)).tobytes())
    except OSError as error:
        with suppress(OSError):
            bundle.unlink()
        what = f"its worker cannot write to its staging folder {staging}: {error.strerror}"
        raise _wrong(node, what, "make room there, or give the worker's user the right") from None
    return bundle, rows


def _build(
    node: str, connection: Connection, data: ServerFiles, written: tuple[Path, pa.RecordBatch], name: str
) -> None:
    bundle, rows = written
    made = data.data_file(SCRATCH_DATABASE, name)
    server = Owned.of(made.with_suffix(".frm")).user
    slices = (BundleSlice(str(bundle), 0, rows.num_rows),)
    create = create_table(_TABLE, name)
    build = TableBuild(name, "", 0, False, 0, create, slices, rows.num_rows, str(digest(rows, _TABLE.columns)))
    try:
        TableBuilder(node, data, connection).build(BuildOrder(SCRATCH_DATABASE, _TABLE, Loader.IMAGE, (build,)))
    except (SkyshardError, OSError) as error:
        with suppress(OSError):
            if why := why_not_used(server, Owned.of(made), Worker.here()):
                raise _wrong(node, *why) from error
        if isinstance(error, SkyshardError):
            raise
        raise _wrong(node, f"its worker cannot make tables: {error.strerror} ({error.filename})", "") from error
    finally:
        bundle.unlink(missing_ok=True)


@contextmanager
def _dropped(connection: Connection, name: str) -> Iterator[None]:
    """Leave no table of this name behind, and none of workers that were killed."""
    left = [str(name) for (name,) in connection.rows(_LEFT, [SCRATCH_DATABASE, f"{_PREFIX}%"])]
    try:
        yield
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {', '.join(map(quote_name, (name, *left)))}")


def _wrong(node: str, what: str, remedy: str) -> ClusterError:
    return ClusterError(f"node '{node}': {what}", remedy=remedy)
