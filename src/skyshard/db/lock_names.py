"""Names of a server's locks that no one can guess: GET_LOCK asks for no right, so every account could take a known one.

Rules: a name is made of what is locked and of a key that only those can read who work on the cluster: from a file in
the server's data folder, or from the one database that the reading account does not see.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Connection

KEY_FILE = "skyshard.key"
_TABLE = "mysql.skyshard_key"


def lock_name(key: str, what: str) -> str:
    """The name of a lock; MariaDB takes up to 64 characters, whatever is locked.

    >>> len(lock_name("key", "load " + "a" * 64))
    64
    """
    return hashlib.sha256(f"{key} {what}".encode()).hexdigest()


def key_in(data: Path) -> str:
    """The key in a data folder, made when there is none; any number of processes get the same one."""
    path = data / KEY_FILE
    if not path.exists():
        draft = data / f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}"
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(16))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text(encoding="ascii")


def stay_open(connection: Connection) -> None:
    """Keep a session, and the locks it holds, for a year without a statement; by default a server ends one of 8 h."""
    connection.execute("SET SESSION wait_timeout = 31536000")


def key_of(admin: Connection) -> str:
    """The key of a server, made when there is none; needs the administrator's session."""
    with contextlib.suppress(SkyshardError):  # there is none yet
        return str(admin.value(f"SELECT name FROM {_TABLE}"))
    admin.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE} (number TINYINT PRIMARY KEY, name CHAR(32)) ENGINE=InnoDB")
    admin.execute(f"INSERT IGNORE INTO {_TABLE} VALUES (1, %s)", [secrets.token_hex(16)])
    return str(admin.value(f"SELECT name FROM {_TABLE}"))
