"""The mark of a node's data folder: a word that its server keeps, and the registry knows.

So no query reads rows of another folder.

Rules: the word is in a database of its own, which every account may read; a folder without it, or with another one, is
not that of the node. A node that was never given a mark is not asked for one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from skyshard.basics.errors import ClusterError, UserError
from skyshard.db.connection import Connection

MARK_DATABASE = "skyshard_node"
_TABLE = f"{MARK_DATABASE}.mark"


def read_mark(connection: Connection) -> str:
    """The mark of a server's data folder; empty where it has none."""
    try:
        rows = connection.rows(f"SELECT word FROM {_TABLE} WHERE number = 1")
    except UserError:  # no such table, or no such database
        return ""
    return str(rows[0][0]) if rows else ""


def write_mark(admin: Connection, word: str) -> None:
    """Give a server's data folder its mark."""
    admin.execute(f"CREATE DATABASE IF NOT EXISTS {MARK_DATABASE} CHARACTER SET latin1")
    admin.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (number TINYINT PRIMARY KEY, word CHAR(32)) ENGINE=InnoDB")
    admin.execute(f"REPLACE INTO {_TABLE} VALUES (1, %s)", [word])


def wrong_folder(node: str, found: str) -> ClusterError:
    """The error of a node whose server runs in a folder that is not the node's."""
    what = "that of another node or cluster" if found else "none that it had before"
    return ClusterError(
        f"node '{node}' runs in another data folder: {what}",
        remedy="give it its own back; `skyshard replicas repair` fills an empty one",
        retryable=True,
    )


class MarkCheck:
    """Looks at the mark of a server with each new session of a czar; ``known`` gives node → mark."""

    def __init__(self, known: Callable[[], Mapping[str, str]]) -> None:
        self._read = known
        self._known: Mapping[str, str] | None = None
        self._lock = threading.Lock()

    def __call__(self, connection: Connection) -> None:
        """Raises ClusterError (retryable) where the folder is not that of the node."""
        node = connection.endpoint.name
        wanted = self._wanted(node)
        if not wanted or read_mark(connection) == wanted:
            return
        with self._lock:
            self._known = None  # it may have been given a new one just now
        found = read_mark(connection)
        if found != self._wanted(node):
            raise wrong_folder(node, found)

    def _wanted(self, node: str) -> str:
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return self._known.get(node, "")
