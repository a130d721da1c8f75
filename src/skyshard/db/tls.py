"""TLS of connections: always with a certificate authority and the host's name checked, or not at all."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from functools import lru_cache

from skyshard.basics.errors import UserError


@dataclass(frozen=True, slots=True)
class Tls:
    """The files that a client needs; paths on the host where the connection is made."""

    ca: str
    """Certificates of the authorities that servers' certificates must come from."""
    cert: str = ""
    """The client's own certificate, where servers ask for one."""
    key: str = ""
    """The key of ``cert``."""
    name: str = ""
    """The name that the server's certificate must have; the host that is connected to if empty."""


def context_of(tls: Tls) -> ssl.SSLContext:
    """The context of all connections with these files, until one of them is replaced: TLS 1.2 or later, authority and
    host name checked.

    Raises:
        UserError: a file that is missing, or holds no certificate or key.
    """
    return _context(tls, tuple(_state(file) for file in (tls.ca, tls.cert, tls.key)))


def _state(file: str) -> tuple[int, int, int]:
    """What changes with a file's content: its number, time of change and size; zeros where there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=16)
def _context(tls: Tls, _files: tuple[tuple[int, int, int], ...]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key or None)
    except (OSError, ssl.SSLError) as error:  # the error of a missing file does not say which one
        files = ", ".join(filter(None, (tls.ca, tls.cert, tls.key)))
        raise UserError(
            f"TLS: one of {files} cannot be read: {error.strerror or error}", remedy="check `tls` in the cluster file"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def said_of_tls(error: BaseException | None) -> str:
    """Why TLS was refused, in the library's words; empty where an error, and what it comes from, is not of TLS.

    >>> said_of_tls(OSError("no route")), said_of_tls(None)
    ('', '')
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if isinstance(error, ssl.SSLError):
            return " ".join(str(error.reason or error).lower().replace("_", " ").split())
        error = error.__cause__ or error.__context__
    return ""
