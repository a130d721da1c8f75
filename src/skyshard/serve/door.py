"""A door is what listens on one address. Rule: it runs on the event loop of its process, and begins none of its own."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skyshard.basics.errors import ClusterError, UserError

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]\s]+)):(?P<port>[0-9]{1,5})")
BACKLOG = 1024


class Door(Protocol):
    """Opened once, drained, closed."""

    @property
    def name(self) -> str:
        """What people call it: ``http``, ``mysql``, ``ingest``."""

    async def open(self) -> str:
        """Listen; returns the address as clients write it, with the port that was given.

        Raises:
            UserError, ClusterError: it cannot listen there.
        """

    async def drain(self, seconds: float) -> None:
        """Accept nothing more, and wait so long at most for answers that are under way."""

    async def close(self) -> None:
        """End what is still under way; nothing of it is left when this returns."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a door listens; port 0: any that is free.

    >>> Address.of("127.0.0.1:8042"), str(Address.of("[::1]:80"))
    (Address(host='127.0.0.1', port=8042), '[::1]:80')
    """

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Address:
        """From ``HOST:PORT``; of IPv6 with the host in brackets.

        Raises:
            UserError: it is none.
        """
        found = _ADDRESS.fullmatch(text.strip())
        if found is None or int(found["port"]) > 65535:
            raise UserError(f"'{text}' is no address", remedy="write HOST:PORT, as 127.0.0.1:8042 or [::1]:8042")
        return cls(found["six"] or found["host"], int(found["port"]))

    @property
    def is_loopback(self) -> bool:
        """Whether only this host reaches it; of names, only ``localhost`` is known to be."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def listen(self) -> socket.socket:
        """A socket that listens.

        Raises:
            UserError: the address is taken, not this host's, or its port needs rights.
        """
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            made = socket.socket(family, kind, protocol)
        except OSError as error:
            raise UserError(f"{self}: {error.strerror}", remedy="name an address of this host") from None
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(place)
            made.listen(BACKLOG)
            made.setblocking(False)
        except OSError as error:
            made.close()
            raise UserError(f"cannot listen on {self}: {error.strerror}", remedy="choose another address") from None
        return made

    def at(self, listening: socket.socket) -> Address:
        """The same with the port that a socket got."""
        return Address(self.host, int(listening.getsockname()[1]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What doors speak TLS with: 1.2 or newer.

    Raises:
        UserError: a file cannot be read, or the key is not that of the certificate.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        what = f"'{certificate}' and '{key}' are no certificate and its key: {error.reason or error}"
        raise UserError(what, remedy="give PEM files that belong together, the key without a password") from None
    except OSError as error:
        raise UserError(f"cannot read '{certificate}' or '{key}': {error.strerror}", remedy="check paths") from None
    return context


async def open_all(doors: Sequence[Door]) -> dict[str, str]:
    """Open doors, all or none: name → address."""
    opened: dict[str, str] = {}
    try:
        for door in doors:
            opened[door.name] = await door.open()
    except (UserError, ClusterError):
        for door in doors:
            await door.close()
        raise
    return opened
