"""From an accepted socket to a session: TLS, the hello, who the client is, and a session on the server for it.

The hello is the server's own, so that version, session number and scramble are real. Who the client is, the door finds
out itself: by its token, which it sends as its password in the clear (loopback, or behind TLS). The server's accounts
for clients have no password and no other way in.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator

from skyshard.serve.access import Identity, Scope
from skyshard.serve.admission import Admission
from skyshard.serve.back_off import TooManyTries
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.hello import Hello, Login, asks_clear_password, is_ssl_request, masked_hello
from skyshard.serve.mysql.packets import HEADER, Capability, error, framed, is_error
from skyshard.serve.mysql.server_session import ServerSession
from skyshard.serve.mysql.wire import STREAM_BYTES, Watched, Wire, connect_socket

MOST_BYTES = 1 << 26
"""Of one command."""
LOGIN_BYTES = 1 << 16


class NotLetIn(Exception):
    """The client was sent away, or has gone; it knows why."""


class Entrance:
    """Lets clients in. ``account``: which one on the server a user has; ``tls`` is None where there is none."""

    def __init__(
        self, path: str, admission: Admission, account: Callable[[str], Awaitable[str]], tls: ssl.SSLContext | None
    ) -> None:
        self._path, self._admission, self._account, self._tls = path, admission, account, tls

    async def enter(self, accepted: socket.socket) -> tuple[Wire, ServerSession, Identity, int]:
        """The client's wire, its session on the server, who it is, and that session's number; the socket is taken.

        Raises:
            NotLetIn: it was sent away.
            OSError: it has gone, or the server does not answer.
        """
        server = ServerSession(await connect_socket(self._path))
        address = _address(accepted)
        try:
            with _closed_on_error(accepted):
                hello = masked_hello(await server.read(), has_tls=self._tls is not None)
                first, sequence = await self._greeted(accepted, hello)
            is_safe = self._tls is not None and is_ssl_request(first)
            client = await _wire(accepted, self._tls if is_safe else None)
            client.last_read = sequence
            try:
                login = await self._login(client, first, is_safe=is_safe)
                who = await self._user(client, login, address)
                await self._log_in(client, server, login, await self._account(who.name))
            except BaseException:
                await client.close()
                raise
        except BaseException:
            server.wire.abort()
            raise
        client.allow(MOST_BYTES)
        if login.capabilities & Capability.COMPRESS:  # mysql-connector-python does, whatever was offered
            client.compress()
        return client, server, who, hello.thread

    async def _log_in(self, client: Wire, server: ServerSession, login: Login, account: str) -> None:
        """The session on the server begun, and its word about that passed on."""
        await server.wire.reply(login.relayed(account.encode()))
        answer = await server.read()
        await client.reply(answer)
        if is_error(answer):
            raise NotLetIn

    async def _greeted(self, accepted: socket.socket, hello: Hello) -> tuple[bytes, int]:
        """Say hello; gives the client's first answer, and its sequence number.

        No more than that is read from the socket: what follows a wish for TLS is TLS already.
        """
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(accepted, framed(hello.payload, 0))
        header = await _exactly(accepted, HEADER)
        length = int.from_bytes(header[:3], "little")
        if length > LOGIN_BYTES:
            raise NotLetIn
        return await _exactly(accepted, length), header[3]

    async def _login(self, client: Wire, first: bytes, *, is_safe: bool) -> Login:
        """The client's login, which is its first answer, or the next one if that was the wish for TLS."""
        if self._tls is not None and not is_safe:
            await client.reply(error(errors.NEEDS_TLS, "08004", "This door speaks TLS only"))
            raise NotLetIn
        try:
            return Login.read((await client.read() or b"") if is_safe else first)
        except ValueError:
            await client.reply(error(1043, "08S01", "Bad handshake"))
            raise NotLetIn from None

    async def _user(self, client: Wire, login: Login, address: str) -> Identity:
        """Who it is: the name of its token, or, where everybody may enter, what it calls itself."""
        called = login.user.decode("utf-8", "replace")
        if self._admission.is_open:
            return Identity(called, Scope.ADMIN, await self._admission.quota_of(called))
        await client.reply(asks_clear_password())
        token = (await client.read() or b"").rstrip(b"\0").decode("utf-8", "replace")
        try:
            identity = await self._admission.identify(token, address)
        except TooManyTries as problem:
            await client.reply(error(errors.HOST_BLOCKED, "HY000", str(problem)))
            raise NotLetIn from None
        if identity is None:
            text = f"Access denied for user '{called}': the password is no token of this cluster"
            await client.reply(error(errors.ACCESS_DENIED, "28000", text))
            raise NotLetIn
        return identity


def _address(accepted: socket.socket) -> str:
    """Where the client is; empty where it has gone already."""
    try:
        return str(accepted.getpeername()[0])
    except OSError:
        return ""


@contextlib.contextmanager
def _closed_on_error(accepted: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        accepted.close()
        raise


async def _exactly(accepted: socket.socket, count: int) -> bytes:
    loop, found = asyncio.get_running_loop(), b""
    while len(found) < count:
        part = await loop.sock_recv(accepted, count - len(found))
        if not part:
            raise NotLetIn
        found += part
    return found


async def _wire(accepted: socket.socket, tls: ssl.SSLContext | None) -> Wire:
    """Streams over an accepted socket, from here on."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=STREAM_BYTES)
    protocol = Watched(reader, loop)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=tls)
    return Wire(reader, asyncio.StreamWriter(transport, protocol, reader, loop), LOGIN_BYTES, protocol.ended)
