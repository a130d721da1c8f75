"""Tables of fixed records, without keys, in the scratch database: what stands between our files and other engines.

They are MyISAM tables, which the server reads and writes at the speed of a file. One is its maker's own; what a killed
process left is removed by the next one.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

from skyshard.catalog.ddl import create_table
from skyshard.catalog.schema import Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Connection, quote_name
from skyshard.host.processes import host_id
from skyshard.node.server.server_files import ServerFiles, file_name

_OURS = re.compile(r"rows-(\w+)-(\d+)-[\d-]+")
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class ScratchTable:
    """One such table."""

    name: str
    """Quoted, with its database: as statements name it."""
    data: Path
    """Its data file."""

    def empty(self, connection: Connection) -> None:
        connection.execute(f"TRUNCATE TABLE {self.name}")

    def close(self, connection: Connection) -> None:
        """Have the server write what it holds of the table, and read its files again when it is used next."""
        connection.execute(f"FLUSH TABLES {self.name}")


@contextmanager
def scratch_table(connection: Connection, data: ServerFiles, table: Table) -> Iterator[ScratchTable]:
    """An empty table with the columns of this one, for as long as the block."""
    _remove_left(connection, data)
    bare = f"rows-{host_id()}-{os.getpid()}-{get_ident()}-{next(_NUMBERS)}"
    name = f"{quote_name(SCRATCH_DATABASE)}.{quote_name(bare)}"
    made = create_table(Table(table.name, table.columns), bare).replace(quote_name(bare), name, 1)
    connection.execute(made)
    try:
        yield ScratchTable(name, data.data_file(SCRATCH_DATABASE, bare))
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {name}")


def _remove_left(connection: Connection, data: ServerFiles) -> None:
    """Drop the tables of processes of this host that have ended."""
    prefix = file_name("rows-")
    for file in data.database(SCRATCH_DATABASE).glob(f"{prefix}*.frm"):
        name = file.stem.replace("@002d", "-")
        found = _OURS.fullmatch(name)
        if found and found.group(1) == host_id() and not os.path.exists(f"/proc/{found.group(2)}"):
            connection.execute(f"DROP TABLE IF EXISTS {quote_name(SCRATCH_DATABASE)}.{quote_name(name)}")
