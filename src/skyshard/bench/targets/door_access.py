"""How a front door is reached: its address, who asks, the token, and the authority that its certificate is checked by.

Rules: a token is in no address, name, fact or error; it is read from a file, else from ``SKYSHARD_TOKEN``, by the
process that asks.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from skyshard.basics.errors import UserError
from skyshard.db.endpoint import LOOPBACK
from skyshard.host.secret_files import read_secret

VARIABLE = "SKYSHARD_TOKEN"
USER = "bench"
"""The user name where an address has none; doors look at tokens only."""
SCHEMES = {"mysql": ("mysql",), "tap": ("http", "https"), "qserv": ("http", "https")}


@dataclass(frozen=True, slots=True)
class DoorAccess:
    """Files of the host that asks; None: the environment's token or none, the system's authorities."""

    token_file: Path | None = None
    authority: Path | None = None
    """Certificates in PEM that a door's certificate is checked by."""

    def token(self) -> str:
        """The token; empty where there is none. Raises UserError where its file is missing, empty or open to others."""
        if self.token_file is None:
            return os.environ.get(VARIABLE, "").strip()
        return read_secret(self.token_file, "token")

    def tls(self) -> ssl.SSLContext:
        """TLS 1.2 or later, with the door's certificate and name checked. Raises UserError for a wrong file."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except (OSError, ssl.SSLError) as error:
            what = f"cannot use the certificates in '{self.authority}': {error}"
            raise UserError(what, remedy="name a PEM file") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


ANYBODY = DoorAccess()
"""The environment's token, or none."""


@dataclass(frozen=True, slots=True)
class DoorAddress:
    """Where a door is. ``path``: of TAP the base, of MySQL the database, without slashes around it."""

    kind: str
    scheme: str
    host: str
    port: int
    user: str
    path: str

    @property
    def is_safe(self) -> bool:
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.path}".rstrip("/")


DEFAULT_PORTS = {"mysql": 4040, "http": 80, "https": 443}


def door_address(spec: str) -> DoorAddress | None:
    """The address in ``mysql://HOST:PORT/DB``, ``tap:URL`` or ``qserv:URL``; None where it names no door.

    Raises:
        UserError: it is no such address, or holds a password.

    >>> str(door_address("tap:http://127.0.0.1:8042/tap/")), door_address("czar")
    ('http://127.0.0.1:8042/tap', None)
    >>> door_address("mysql://ann@sky/dr1").port
    4040
    """
    kind, _, rest = spec.partition(":")
    if kind not in SCHEMES or not rest:
        return None
    remedy = "write mysql://HOST:PORT/DATABASE, tap:http://HOST:PORT/tap or qserv:http://HOST:PORT"
    parts = _split(spec if kind == "mysql" else rest, remedy)
    if parts.scheme not in SCHEMES[kind] or not parts.hostname or parts.query or parts.fragment:
        raise UserError(f"target {kind}: it is no address of such a door", remedy=remedy)
    if parts.password is not None:
        what = f"target {kind}: its address holds a password, which others can read in the list of processes"
        raise UserError(what, remedy=f"give --token-file, or set {VARIABLE}")
    try:
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise UserError(f"target {kind}: the port is no number up to 65535", remedy=remedy) from None
    return DoorAddress(kind, parts.scheme, parts.hostname, port, parts.username or USER, parts.path.strip("/"))


def _split(text: str, remedy: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise UserError("target: its address cannot be read", remedy=remedy) from None
