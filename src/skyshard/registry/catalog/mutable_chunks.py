"""Chunks of mutable databases: which node has the rows of each, and which stores of visits are whole.

Both are tables of the database itself on the czar's server, InnoDB, beside its prototypes, and go with it. A chunk is
written down here, and the generation raised, before any row of it is stored: no plan is older than a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.db.connection import Connection, quote_name
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.catalog.database_names import read_names
from skyshard.registry.stored.store import Store

PLACED_CHUNKS = "PlacedChunks"
TILE_STORES = "TileStores"
LATER_CHANGES = "LaterChanges"
"""Rows that were changed after they had left for the published copy, by action."""
GONE_OBJECTS, LAST_VERSION = "GoneObjects", "lastVersion"
"""Of each node: objects that were taken out of the table of newest versions, and when their newest one began."""
STORED_BY = "storedBy"
"""Column of every row on the nodes: the store that wrote it last."""
EXPECTED_ROWS = 1000
"""Rows of a chunk that plans count with: nobody counts them while visits go on."""
PLACED_COLUMNS = "chunk BIGINT NOT NULL PRIMARY KEY, node VARCHAR(64) NOT NULL, KEY by_node (node)"
STORES_COLUMNS = (
    "storeId BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, visit BIGINT NOT NULL, detector INT NOT NULL, "
    "time DOUBLE NOT NULL, is_whole TINYINT NOT NULL DEFAULT 0, replicaChunk BIGINT, "
    "is_published TINYINT NOT NULL DEFAULT 0, "
    "UNIQUE KEY by_tile (visit, detector), KEY by_state (is_whole, storeId), KEY by_chunk (replicaChunk, is_published)"
)
"""``time``: of the tile, MJD TAI. ``replicaChunk``: with which its rows leave (``apdb.replica``); NULL before that."""
CHANGES_COLUMNS = "action VARCHAR(64) NOT NULL, changed BIGINT NOT NULL"
_NO_TABLE = (1049, 1146)
"""The server has no such database, or no such table in it."""
_OPTIONS = "ENGINE=InnoDB DEFAULT CHARSET=latin1"


@dataclass(frozen=True, slots=True)
class Visible:
    """The stores whose rows a statement sees: those up to ``newest`` but ``unfinished``, as of one moment."""

    newest: int
    unfinished: tuple[int, ...] = ()

    def condition(self, column: str) -> str:
        """As SQL, on the column that names the store of a row.

        >>> Visible(7, (3, 5)).condition("storedBy")
        'storedBy <= 7 AND storedBy NOT IN (3, 5)'
        """
        but = f" AND {column} NOT IN ({', '.join(map(str, self.unfinished))})" if self.unfinished else ""
        return f"{column} <= {self.newest}{but}"

    def otherwise(self, column: str) -> str:
        """True of the rows for which :meth:`condition` is not.

        >>> Visible(7, (3, 5)).otherwise("storedBy")
        'storedBy > 7 OR storedBy IN (3, 5)'
        """
        these = f" OR {column} IN ({', '.join(map(str, self.unfinished))})" if self.unfinished else ""
        return f"{column} > {self.newest}{these}"


STORES_LOCK_WAIT_S = 120
"""So long whoever wants that lock, or a tile's, waits for it."""


def stores_lock(database: str) -> str:
    """The name of the lock of the ledger's server that a store holds while it is entered."""
    return f"skyshard stores {database}"[:64]


def own_tables(database: str) -> list[str]:
    """The statements that make these tables; no-ops where they are."""
    made = {PLACED_CHUNKS: PLACED_COLUMNS, TILE_STORES: STORES_COLUMNS, LATER_CHANGES: CHANGES_COLUMNS}
    return [f"CREATE TABLE IF NOT EXISTS {_named(database, name)} ({made[name]}) {_OPTIONS}" for name in made]


def read_placed(connection: Connection, database: str) -> dict[int, str]:
    """Chunk → the node that has its rows, of a mutable database by its stored name.

    Raises:
        ClusterError: the czar's server has lost the list: a dump of the registry does not hold it.
    """
    try:
        rows = connection.rows(f"SELECT chunk, node FROM {_named(database, PLACED_CHUNKS)}")
    except SkyshardError as error:
        if getattr(error.__cause__, "args", (0,))[0] not in _NO_TABLE:
            raise
        raise ClusterError(
            f"mutable database '{database}': the czar's server was lost with the places of its chunks and its ledger",
            remedy=f"`skyshard drop {database}`; what was published of it is in the published copy",
        ) from error
    return {int(chunk): str(node) for chunk, node in rows}


def read_nodes(connection: Connection, database: str) -> list[str]:
    """Every node that has a chunk of a mutable database, in order."""
    rows = connection.rows(f"SELECT DISTINCT node FROM {_named(database, PLACED_CHUNKS)} ORDER BY node")
    return [str(node) for (node,) in rows]


def placed_entries(placed: Mapping[int, str]) -> ChunkEntries:
    """The chunks as queries see them: without replicas or parts, and nobody knows how many rows."""
    return ChunkEntries.of({chunk: ChunkEntry(EXPECTED_ROWS, 0, (node,)) for chunk, node in placed.items()})


def read_visible(connection: Connection, database: str) -> Visible:
    """The stores that are whole at this moment."""
    stores = _named(database, TILE_STORES)
    sql = (
        f"SELECT COALESCE(MAX(storeId), 0), (SELECT GROUP_CONCAT(storeId) FROM {stores} WHERE is_whole = 0) "
        f"FROM {stores}"
    )
    [(newest, unfinished)] = connection.rows(f"SET STATEMENT group_concat_max_len = 1073741824 FOR {sql}")
    return Visible(int(newest), tuple(map(int, str(unfinished).split(","))) if unfinished else ())


def _named(database: str, table: str) -> str:
    return f"{quote_name(database)}.{quote_name(table)}"


class MutableChunks(Store):
    """Reads and writes of the chunks of mutable databases."""

    def placed(self, database: str) -> dict[int, str]:
        """See :func:`read_placed`."""
        with self._plain.single() as connection:
            return read_placed(connection, database)

    def require_none_on(self, node: str) -> None:
        """Refuse a node that has chunks of a mutable database: nothing moves these.

        Raises:
            UserError: names the database.
        """
        with self._plain.reading() as connection:
            names = read_names(connection)
            for stored in names.mutable_stored:
                if count := list(read_placed(connection, stored).values()).count(node):
                    raise UserError(
                        f"{node} has {count} chunks of mutable database '{names.shown(stored)}', which nothing moves",
                        remedy=f"publish it (`skyshard apdb publish {names.shown(stored)}`), then drop it",
                    )

    def add(self, database: str, nodes_of: Mapping[int, str]) -> None:
        """Write chunks down; those that are there stay where they are. Queries see them from here on."""
        import sqlalchemy as sa  # a query reads chunks, too, and needs neither

        from skyshard.registry.stored import generation

        rows = [{"chunk": chunk, "node": node} for chunk, node in nodes_of.items()]
        if rows:
            into = sa.text(f"INSERT IGNORE INTO {_named(database, PLACED_CHUNKS)} VALUES (:chunk, :node)")
            with self._writer.begin() as connection:
                connection.execute(into, rows)
                generation.advance(connection)
