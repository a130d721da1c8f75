"""Where a server listens, and the accounts that it knows. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from skyshard.db import server_errors as known
from skyshard.db.tls import Tls

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Account(StrEnum):
    """The accounts of every server; ``cluster/accounts.py`` says what each may do."""

    ADMIN = "skyshard_admin"
    LOADER = "skyshard_loader"
    READER = "skyshard_reader"
    CARRIER = "skyshard_carrier"
    WRITER = "skyshard_writer"

    @property
    def duty(self) -> str:
        """Its name without the prefix, which its password file has.

        >>> Account.READER.duty
        'reader'
        """
        return self.partition("_")[2]


SQL_MODE = {
    Account.ADMIN: "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
    Account.LOADER: "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
    Account.READER: "",
    Account.CARRIER: "",
    Account.WRITER: "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens: a Unix socket when ``socket`` is set, else host and port."""

    socket: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    tls: Tls | None = None
    """How a connection to the port is made safe; one off this host is not opened without."""
    secrets: str = ""
    """The folder of the accounts' passwords, as the host that connects sees it; empty where they have none."""
    label: str = ""
    """The server's name in its cluster, where its socket does not tell it."""

    def __str__(self) -> str:
        place = self.socket or f"{self.host}:{self.port}"
        return f"{self.label} ({place})" if self.label else place

    @property
    def name(self) -> str:
        """The server's name in its cluster, which its socket has too; else where it listens.

        >>> Endpoint(socket="/run/user/1000/skyshard/0c6f/node1.sock").name
        'node1'
        """
        return self.label or (Path(self.socket).stem if self.socket else str(self))

    @property
    def is_off_host(self) -> bool:
        """True where others could listen on the way."""
        return not self.socket and self.host not in LOOPBACK

    @property
    def when_lost(self) -> str:
        """What to do when no server answers there; one with a label is run by others."""
        if not self.label:
            return known.SEE_STATUS
        if self.socket:
            return "see whether its `skyshard head run` or `skyshard node run` runs on this host"
        return "see whether `skyshard node run` runs on its host, and whether the port is open"
