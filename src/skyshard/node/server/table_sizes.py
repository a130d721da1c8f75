"""What tables take on the disk."""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.db.connection import Connection
from skyshard.node.server.server_files import ServerFiles

_SQL = "SELECT TABLE_NAME, DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"


def table_sizes(
    connection: Connection, data: ServerFiles, database: str, engine: str, names: Sequence[str]
) -> dict[str, int]:
    """Bytes of tables: of their files, or as MyRocks counts them, whose tables share files.

    What MyRocks holds in memory only, a few rows, counts as nothing.
    """
    sizes = {name: data.table_bytes(database, name) for name in names}
    if engine == "MyRocks":
        for name, size in connection.rows(_SQL, [database]):
            if name in sizes:
                sizes[name] += int(size)
    return sizes
