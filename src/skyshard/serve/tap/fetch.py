"""Documents from URLs that clients give, fetched so that nobody reaches this host's network through it.

Rules: http and https only, no redirects, nothing beyond a size; the address that was connected to is checked before
anything is sent, so that a name that changes its meaning gains nothing.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from skyshard.basics.errors import UserError

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class UploadSources:
    """From where uploads are fetched: hosts that are allowed wherever they are, and the longest document."""

    most_bytes: int
    hosts: tuple[str, ...] = ()
    has_loopback: bool = False

    def fetch(self, url: str) -> bytes:
        """The document at a URL; errors as of :func:`fetch`."""
        return fetch(url, self.most_bytes, self.hosts, allow_loopback=self.has_loopback)


def fetch(url: str, most_bytes: int, allowed: Collection[str] = (), *, allow_loopback: bool = False) -> bytes:
    """The document at a URL.

    Args:
        allowed: names of hosts that may be asked wherever they are; others only on the open Internet.

    Raises:
        UserError: it may not be fetched, cannot be, or is too long.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"'{url[:80]}' is no URL of http or https", remedy="upload the table within the request")
    is_known = parts.hostname.lower() in {name.lower() for name in allowed}

    def connected(address: tuple[str, int], *rest: Any) -> socket.socket:
        found = socket.create_connection(address, *rest)
        peer = ipaddress.ip_address(found.getpeername()[0])
        if not (is_known or peer.is_global or (allow_loopback and peer.is_loopback)):
            found.close()
            raise UserError(f"the host '{parts.hostname}' is not to be asked", remedy="upload within the request")
        return found

    connection: http.client.HTTPConnection
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S, context=context)
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_S)
        connection._create_connection = connected  # type: ignore[attr-defined]
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
        content = answer.read(most_bytes + 1)
        connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"'{url[:80]}' cannot be read: {type(error).__name__}", remedy="check the URL") from None
    if answer.status != 200:
        raise UserError(f"'{url[:80]}' gives {answer.status}", remedy="check the URL; redirects are not followed")
    if len(content) > most_bytes:
        raise UserError(f"'{url[:80]}' has more than {most_bytes:,} bytes", remedy="upload fewer rows")
    return content
