"""Bytes to an HTTP door and its answers, one by one, as they come over one connection: what clients hide."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

PATIENCE_S = 20.0
"""A bound that a loaded machine does not reach: an answer that never comes fails the test."""


@dataclass(frozen=True)
class RawAnswer:
    """A whole answer; ``is_last``: it says that the connection ends with it."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_last(self) -> bool:
        return self.headers.get("connection", "") == "close"


def request(method: str, target: str, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """The bytes of a request; a body without a header that says how long it is has one."""
    lines = [f"{method} {target} HTTP/{version}", *headers]
    if not any(one.lower().startswith("host:") for one in headers):
        lines.append("Host: localhost")
    if body and not any(one.lower().startswith(("content-length", "transfer-encoding")) for one in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class RawConnection:
    """One connection."""

    def __init__(self, place: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(place, timeout=PATIENCE_S)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=place[0])
        self._file: BinaryIO = self.socket.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self, *, to_head: bool = False) -> RawAnswer:
        """The next answer, whole; fails where the connection ends before it does."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if status == 100:
            return self.answer(to_head=to_head)
        return RawAnswer(status, headers, b"" if to_head else self._body(headers))

    def has_ended(self) -> bool:
        """Whether nothing more comes, by the server's will."""
        return self._file.read() == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self._exactly(int(headers["content-length"]))
        body = b""
        while length := int(self._file.readline(), 16):
            body += self._exactly(length)
            self._file.readline()
        assert self._file.readline() == b"\r\n"
        return body

    def _exactly(self, length: int) -> bytes:
        body = self._file.read(length)
        assert len(body) == length, f"{len(body)} of {length} bytes"
        return body


@contextlib.contextmanager
def raw_connection(place: tuple[str, int], tls: ssl.SSLContext | None = None) -> Iterator[RawConnection]:
    """Closed at leaving."""
    made = RawConnection(place, tls)
    try:
        yield made
    finally:
        made.close()
