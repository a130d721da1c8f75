"""HTTP connections to one door, kept open between requests; as many as there are requests at a time.

Rules: a connection that was kept and is gone before it answers is replaced once; silence of the other host ends a
request after ``UNANSWERED_S``, however long a query may take. The token is in a header and in no error, and leaves this
host through TLS only.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.bench.targets.door_access import DoorAccess, DoorAddress

CONNECT_S = 10.0
UNANSWERED_S = 60.0
"""A host that does not even acknowledge for so long is gone."""
PIECE_BYTES = 1 << 18
_FAILURES = (OSError, http.client.HTTPException)
Request = tuple[str, str, bytes | None, Mapping[str, str]]
"""Method, path, body, headers."""


@dataclass(slots=True)
class Exchange:
    """One request under way: its status, and its body as it comes."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse
    door: HttpSessions

    @property
    def status(self) -> int:
        return self.response.status

    def pieces(self) -> Iterator[bytes]:
        """What comes, as soon as it is there. Raises ClusterError where it ends early."""
        try:
            while piece := self.response.read1(PIECE_BYTES):
                yield piece
        except _FAILURES as error:
            raise self.door.failed(error) from None
        if not self.response.isclosed() and self.response.length:
            raise ClusterError(f"{self.door.name}: the answer ended before its last byte")

    def body(self) -> bytes:
        return b"".join(self.pieces())


@dataclass(slots=True)
class Stopper:
    """Stops one request from another thread, before it is sent or while it waits for its answer."""

    is_late: bool = False
    _connection: http.client.HTTPConnection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, connection: http.client.HTTPConnection) -> None:
        """This connection sends the request. Raises Stopped where it is to be sent no more."""
        with self._lock:
            if self.is_late:
                raise Stopped
            self._connection = connection

    def let_go(self) -> None:
        """The answer is whole, or will never be."""
        with self._lock:
            self._connection = None

    def stop(self) -> None:
        """Hang up."""
        with self._lock:
            self.is_late = True
            if self._connection is not None and self._connection.sock is not None:
                with contextlib.suppress(OSError):
                    self._connection.sock.shutdown(socket.SHUT_RDWR)


class Stopped(ClusterError):
    """The request was stopped by who sent it."""

    def __init__(self) -> None:
        super().__init__("stopped before it was answered")


class HttpSessions:
    """The connections to one door; ``name`` begins its errors."""

    def __init__(self, address: DoorAddress, access: DoorAccess) -> None:
        self.name, self.address = address.kind, address
        self._tls = access.tls() if address.is_safe else None
        token = access.token()
        if token and not (address.is_safe or address.is_loopback):
            raise UserError(f"{self.name}: a token would go to {address.host} for all to read", remedy="write https://")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()

    @contextlib.contextmanager
    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stopper: Stopper | None = None,
    ) -> Iterator[Exchange]:
        """Send a request; the connection is kept where its answer was read to the end.

        Raises:
            ClusterError: the door cannot be reached, or hangs up.
            UserError: it refuses the token, or its certificate is not to be trusted.
        """
        asked = (method, f"/{self.address.path}{path}".replace("//", "/"), body, {**self._headers, **(headers or {})})
        stopper = stopper or Stopper()
        exchange = self._sent(asked, stopper)
        try:
            if exchange.status in (401, 403):
                remedy = "give a token of the right scope (--token-file, or SKYSHARD_TOKEN)"
                raise UserError(f"{self.name}: the door refuses the token (HTTP {exchange.status})", remedy=remedy)
            yield exchange
        finally:
            stopper.let_go()
            self._put_back(exchange)

    def open_sessions(self, count: int) -> None:
        """So many connections, so that no request waits for one; those that are refused are not there."""
        with contextlib.suppress(SkyshardError):
            while self._idle.qsize() < count:
                self._idle.put(self._connected())

    def _put_back(self, exchange: Exchange) -> None:
        if exchange.response.isclosed() and exchange.connection.sock is not None:
            self._idle.put(exchange.connection)
        else:
            exchange.connection.close()

    def _sent(self, asked: Request, stopper: Stopper) -> Exchange:
        with contextlib.suppress(queue.Empty):
            kept = self._idle.get_nowait()
            try:
                return self._ask(kept, asked, stopper)
            except _FAILURES:
                kept.close()
        connection = self._connected()
        try:
            return self._ask(connection, asked, stopper)
        except _FAILURES as error:
            connection.close()
            raise Stopped if stopper.is_late else self.failed(error) from None

    def _ask(self, connection: http.client.HTTPConnection, asked: Request, stopper: Stopper) -> Exchange:
        stopper.use(connection)
        method, path, body, headers = asked
        connection.request(method, path, body, dict(headers))
        return Exchange(connection, connection.getresponse(), self)

    def _connected(self) -> http.client.HTTPConnection:
        place = self.address
        if self._tls is not None:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                place.host, place.port, timeout=CONNECT_S, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(place.host, place.port, timeout=CONNECT_S)
        try:
            made.connect()
        except _FAILURES as error:
            raise self.failed(error) from None
        made.sock.settimeout(None)  # a query may take hours
        notice_silence(made.sock)
        return made

    def failed(self, error: Exception) -> SkyshardError:
        """What went wrong, in one line."""
        if isinstance(error, ssl.SSLCertVerificationError):
            what = f"{self.name}: the certificate of {self.address.host} is not to be trusted: {error.verify_message}"
            return UserError(what, remedy="name the file of its authority with --authority")
        if isinstance(error, ssl.SSLError):
            return UserError(
                f"{self.name}: no TLS with {self.address}: {error.reason or error}", remedy="write http://"
            )
        words = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
        return ClusterError(f"{self.name}: {self.address} does not answer: {words[:200]}", remedy="see whether it runs")

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get().close()


def notice_silence(sock: socket.socket) -> None:
    """Have a host that is gone noticed, without a limit to how long an answer may take."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNANSWERED_S * 1000))
