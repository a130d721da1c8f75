"""Brings the registry back from a dump, to a new czar's server or over a lost one.

Rules: the dump is read once before anything is changed. The files of indexes and keys come first, the registry's rows
last, in one transaction: killed before it, nothing has changed; after it, the same command goes on.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import pyarrow as pa

from skyshard.backup.brought_back import BroughtBack, bring_back
from skyshard.backup.dump import INDEX, KEPT_FILES, ROWS
from skyshard.backup.found_tables import SeenTables, look_at_nodes
from skyshard.backup.place import BackupPlace
from skyshard.backup.unfinished import noted, require_nothing_known
from skyshard.backup.whole_registry import replaced_rows
from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.db.connection import Connection
from skyshard.host.atomic_files import new_file
from skyshard.host.disk_space import writing
from skyshard.node.server.server_files import ServerFiles
from skyshard.registry.backup.dump_file import ANOTHER, DumpHeader, read_header, read_members
from skyshard.registry.backup.registry_rows import KEPT, insert_batch
from skyshard.registry.schema.schema_version import SCHEMA_VERSION
from skyshard.registry.stored.database_names import INDEX_DATABASE

STAGE = "restore registry"
_TABLES = {table.name: table for table in KEPT}


@dataclass(slots=True)
class Restored:
    """What a restore did."""

    path: str
    made_s: float
    """When the dump was made, in seconds since 1970."""
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    open_transactions: list[int] = field(default_factory=list)
    """That were under way at the dump: the same ingest goes on with each, or another one takes it back."""
    later: dict[str, list[int]] = field(default_factory=dict)
    """Databases, by their stored names, that changed after the dump, as nodes' records say, with the transactions that
    came since: ``rebuild`` knows them."""
    after: BroughtBack = field(default_factory=BroughtBack)
    elapsed_s: float = 0.0


def restore_registry(place: BackupPlace, path: Path, *, force: bool = False, watcher: Watcher = unwatched) -> Restored:
    """Have the registry be what a dump says, and hold it against what the nodes hold.

    Args:
        force: also where the registry knows databases, which are forgotten.

    Raises:
        UserError: no dump, a damaged one, of another cluster or another version; a registry that knows databases.
        ClusterError: an ingest is under way (retryable).
    """
    started = time.monotonic()
    header = read_header(path)
    _require_ours(place, header, path)
    what = f"dump of {header.made_s}"
    require_nothing_known(place.registry.published.names().all_stored, place.folder, what, force=force)
    tables = look_at_nodes(place)
    done = Restored(str(path), header.made_s)
    with writing(place.folder), noted(place.folder, what):
        _bring_rows(place, path, header, tables, done, watcher)
        done.open_transactions = [
            int(row["id"]) for row in place.registry.transactions.all() if row["state"] not in ("finished", "aborted")
        ]
        done.later = tables.since(header.generation)
        done.after = bring_back(place, tables, watcher, outdated=done.later)
    done.elapsed_s = time.monotonic() - started
    return done


def _require_ours(place: BackupPlace, header: DumpHeader, path: Path) -> None:
    if header.registry != SCHEMA_VERSION:
        newer = header.registry > SCHEMA_VERSION
        raise UserError(
            f"'{path}' holds a registry of version {header.registry}, this release reads version {SCHEMA_VERSION}",
            remedy=f"install Skyshard {header.release}"
            + (" or a newer release" if newer else ", restore, and upgrade"),
        )
    keys = place.node_keys()
    if not any(header.nodes.get(name) == key for name, key in keys.items()):
        raise UserError(
            f"'{path}' is of another cluster than {place.folder}: no node that answers is one of its nodes"
            if keys else f"no node of {place.folder} answers, so that nothing says whether '{path}' is of this cluster",
            remedy=ANOTHER if keys else "start the nodes",
        )  # fmt: skip


def _bring_rows(
    place: BackupPlace, path: Path, header: DumpHeader, tables: SeenTables, done: Restored, watcher: Watcher
) -> None:
    started = time.monotonic()
    generation = max(header.generation, tables.generation)
    last = max(tables.last_transaction, header.last_transaction)
    with replaced_rows(place, last_transaction=last, generation=generation) as admin:
        for name, content in read_members(path):
            kind, _, rest = name.partition("/")
            if kind == ROWS:
                _insert(admin, rest.partition("/")[0], content, done)
            elif kind == INDEX:
                _write(ServerFiles(place.czar_data).database(INDEX_DATABASE) / _plain(rest), content, done)
            elif kind == KEPT_FILES:
                folder, _, inside = rest.partition("/")
                _write(place.kept_folders[folder] / _plain(inside), content, done)
            rows = sum(done.rows.values())
            watcher(Progress(STAGE, rows, rows, rows, elapsed_s=time.monotonic() - started))


def _insert(admin: Connection, table: str, content: IO[bytes], done: Restored) -> None:
    batch = pa.ipc.open_stream(content.read()).read_all()
    insert_batch(admin, _TABLES[table], batch)
    done.rows[table] = done.rows.get(table, 0) + len(batch)


def _write(path: Path, content: IO[bytes], done: Restored) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with new_file(path) as draft, draft.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
    done.files += 1


def _plain(name: str) -> PurePosixPath:
    """A path of a dump's member, below the folder that it goes to."""
    found = PurePosixPath(name)
    if found.is_absolute() or ".." in found.parts:
        raise UserError(f"the dump has a member {name!r}", remedy=ANOTHER)
    return found
