"""Copies replica chunks in order into a published database, by ordinary ingest transactions, each exactly once.

    give a chunk its stores ▸ write their rows to a folder ▸ ingest it ▸ say that they are published ▸ remove the folder

Each step is a no-op where it was done, so a run that was killed is gone on with by the next; chunks leave one after the
other, so that what is published is always everything up to a chunk.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from skyshard.apdb.mutable.later_changes import later_changes
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.replica.export_chunk import MAPPING, export_chunk
from skyshard.apdb.replica.replica_chunks import (
    CHUNK_S,
    DAY_S,
    ReplicaChunk,
    next_chunks,
    read_tagged,
    read_waiting,
    set_published,
    tag,
)
from skyshard.basics.errors import UserError
from skyshard.cluster.cluster import PUBLICATION_FOLDER
from skyshard.db.connection import Account, Connection, connect
from skyshard.host.atomic_files import write_atomically
from skyshard.registry.stored.lifecycle import TransactionState

Ingest = Callable[[Path, str], None]
"""Ingests a mapping into a database, by its name."""
_TARGET, _STORED = "into", "stored"
"""Files: what people called the published database, and its stored name once it is there; empty as long as no store
that has left had a row."""


@dataclass(frozen=True, slots=True)
class Published:
    """One chunk that was published."""

    chunk: int
    tiles: int
    rows: int
    lag_s: float
    """From the end of the chunk to the newest store, in seconds of the survey."""
    changed_later: int
    """Rows of all chunks that were changed after they had left: the published copy has them as before."""


def publish_chunks(
    database: MutableDatabase,
    into: str,
    ingest: Ingest,
    *,
    at_once: int = 1,
    is_all: bool = False,
    report: Callable[[Published], None] = lambda _: None,
) -> list[Published]:
    """Publish all chunks that may leave now; returns them.

    Args:
        into: the published database; made with the first chunk.
        at_once: chunks in one transaction.
        is_all: also the chunk of the newest store.
        report: is told of each chunk.

    Raises:
        UserError: an earlier run published into another database.
        ClusterError: a node does not answer, or another process publishes; run it again to go on.
    """
    folder = database.cluster.folder_for(PUBLICATION_FOLDER) / database.database
    with (
        database.registry.exclusive(f"publication of {database.database}"),
        closing(connect(database.ledger, Account.WRITER, database.database)) as ledger,
    ):
        _require_target(database, folder, into, ledger)
        done = []
        waiting = read_tagged(ledger)
        waiting += next_chunks(*read_waiting(ledger), at_once, is_all=is_all)
        for chunk in waiting:
            tag(ledger, chunk)
            done.append(_publish(database, chunk, folder, into, ingest, ledger))
            report(done[-1])
    return done


def _require_target(database: MutableDatabase, folder: Path, into: str, ledger: Connection) -> None:
    """A database is published into one other, whatever that is called by now. What was published is not published
    again: where it was dropped, what comes would not be everything, nor is it for another database of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    names = database.registry.published.names()
    stored, known = _kept(folder / _STORED), _kept(folder / _TARGET) or into
    done = int(ledger.value("SELECT COUNT(*) FROM TileStores WHERE is_published"))
    is_there = stored in names.published_stored
    if is_there:
        known = names.shown(stored)
    if known != into and not done and not _has_brought(database, stored if is_there else names.find(known), folder):
        known, stored, is_there = into, "", False  # an earlier run was refused: it is free to choose
    if known != into:
        raise UserError(f"it is published into '{known}' already", remedy=f"say --into {known}")
    is_to_come = (folder / _STORED).exists() and not _kept(folder / _STORED)
    if done and not is_there and not is_to_come and (stored or not names.find(into)):
        raise UserError(
            f"'{into}' is gone, with the rows of {done} stores that were published into it",
            remedy=f"restore it, or begin with another database than '{database.shown}'",
        )
    write_atomically(folder / _TARGET, into)
    if not is_there and not is_to_come:
        (folder / _STORED).unlink(missing_ok=True)
    _keep_stored(database, folder, into)


def _keep_stored(database: MutableDatabase, folder: Path, into: str) -> bool:
    """Write down which database has the rows, once it is there; False as long as it is not."""
    names = database.registry.published.names()
    if not _kept(folder / _STORED) and names.find(into) in names.published_stored:
        write_atomically(folder / _STORED, names.find(into))
    return bool(_kept(folder / _STORED))


def _has_brought(database: MutableDatabase, stored: str, folder: Path) -> bool:
    """Whether a transaction of a database, by its stored name, has brought rows of this one, or is about to."""
    rows = database.registry.transactions.all(stored) if stored else []
    ours = (row for row in rows if Path(row["source"]).is_relative_to(folder))
    return any(row["state"] != TransactionState.ABORTED for row in ours)


def _kept(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _publish(
    database: MutableDatabase, chunk: ReplicaChunk, folder: Path, into: str, ingest: Ingest, ledger: Connection
) -> Published:
    place = folder / f"chunk-{chunk.number}"
    is_there = _is_in(database, into, place)
    rows = 0 if is_there else export_chunk(database, chunk, place, into)
    if rows:
        ingest(place / MAPPING, into)
    if rows or is_there:
        if not _keep_stored(database, folder, into):  # it has gone at once
            (folder / _STORED).unlink(missing_ok=True)
    elif not _kept(folder / _STORED) and not ledger.value("SELECT COUNT(*) FROM TileStores WHERE is_published"):
        write_atomically(folder / _STORED, "")
    set_published(ledger, chunk)
    shutil.rmtree(place, ignore_errors=True)
    newest = float(ledger.value("SELECT MAX(time) FROM TileStores"))
    lag_s = max(0.0, newest * DAY_S - (chunk.number + 1) * CHUNK_S)
    return Published(chunk.number, len(chunk.tiles), rows, lag_s, sum(later_changes(ledger).values()))


def _is_in(database: MutableDatabase, into: str, place: Path) -> bool:
    """Whether a finished transaction has brought a chunk: a run was killed before it could say so."""
    stored = database.registry.published.names().find(into)
    rows = database.registry.transactions.all(stored) if stored else []
    wanted = str(place / MAPPING)
    return any(row["source"] == wanted and row["state"] == TransactionState.FINISHED for row in rows)
