"""A session on the MariaDB behind the door: what it answers, packet by packet, and whole small results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from skyshard.basics.errors import ClusterError
from skyshard.serve.mysql.definitions import Definition
from skyshard.serve.mysql.hello import own_login
from skyshard.serve.mysql.packets import (
    MORE_RESULTS,
    OK,
    Command,
    Reader,
    error_of,
    is_eof,
    is_error,
    row_values,
    status_of,
)
from skyshard.serve.mysql.wire import MOST_BYTES, TooLong, Wire, connect_socket

CURSOR_EXISTS = 0x0040
SILENT = (Command.QUIT, Command.STMT_CLOSE, Command.STMT_SEND_LONG_DATA)
"""Commands that are not answered."""
UTF8MB4 = 45


@dataclass(slots=True)
class SmallResult:
    """What a statement of the door's own gave: payloads as they came. ``error`` is that packet, or empty."""

    definitions: list[bytes] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    error: bytes = b""

    @property
    def columns(self) -> list[Definition]:
        return [Definition.read(one) for one in self.definitions]

    def values(self) -> list[list[bytes | None]]:
        return [row_values(one) for one in self.rows]


@dataclass(slots=True)
class PreparedHead:
    """What preparing a statement gave, as it came: ``first`` is its error, or says how many of both there are."""

    first: bytes
    parameters: list[bytes] = field(default_factory=list)
    columns: list[bytes] = field(default_factory=list)

    @property
    def number(self) -> int:
        return int.from_bytes(self.first[1:5], "little")


class ServerGone(ClusterError):
    """The MariaDB behind the door does not answer."""

    def __init__(self) -> None:
        super().__init__("the door's own MariaDB has gone", remedy="start `skyshard serve` again", retryable=True)


class ServerSession:
    """One session; ``wire`` for what is passed on as it is."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    @classmethod
    async def of(cls, socket: str, account: str) -> ServerSession:
        """A session of the door's own.

        Raises:
            ClusterError: the server does not answer, or refuses.
        """
        try:
            wire = await connect_socket(socket)
        except OSError as error:
            raise ServerGone from error
        session = cls(wire)
        try:
            await session.read()
            await wire.reply(own_login(account.encode(), UTF8MB4))
            answer = await session.read()
            if answer[:1] != bytes([OK]):
                raise ClusterError(f"the door's own MariaDB refuses {account}: {error_of(answer)[1]}")
        except BaseException:
            wire.abort()
            raise
        return session

    async def read(self) -> bytes:
        """ServerGone when it has ended."""
        payload = await self.wire.read()
        if payload is None:
            raise ServerGone
        return payload

    async def command(self, payload: bytes) -> None:
        try:
            await self.wire.command(payload)
        except OSError as error:
            raise ServerGone from error

    async def ask(self, sql: bytes) -> SmallResult:
        """Run one statement whose result is small."""
        found = SmallResult()
        if await self._head(bytes([Command.QUERY]) + sql, found):
            while (payload := await self._row(found)) is not None:
                found.rows.append(payload)
        return found

    async def define(self, sql: bytes, found: SmallResult, most_bytes: int) -> None:
        """Run one statement for its definitions, which ``found`` gets; its rows are dropped.

        Raises:
            TooLong: more than so many bytes of rows came; ``found`` is whole, the session can do no more.
        """
        await self._define(bytes([Command.QUERY]) + sql, found, most_bytes)

    async def prepare(self, sql: bytes) -> PreparedHead:
        """Prepare a statement, which the caller has to :meth:`forget` if it is no error."""
        await self.command(bytes([Command.STMT_PREPARE]) + sql)
        found = PreparedHead(await self.read())
        if not is_error(found.first):
            columns, parameters = (int.from_bytes(found.first[at : at + 2], "little") for at in (5, 7))
            for count, wanted in ((parameters, found.parameters), (columns, found.columns)):
                if count:
                    wanted += [payload async for payload in self._to_end()][:-1]
        return found

    async def define_executed(self, payload: bytes, found: SmallResult, most_bytes: int) -> None:
        """As :meth:`define`, of a prepared statement that a command executes."""
        await self._define(payload, found, most_bytes)

    async def forget(self, number: int) -> None:
        """Of a prepared statement."""
        await self.command(bytes([Command.STMT_CLOSE]) + number.to_bytes(4, "little"))

    async def _define(self, command: bytes, found: SmallResult, most_bytes: int) -> None:
        if not await self._head(command, found):
            return
        self.wire.allow(most_bytes)
        taken = 0
        while (payload := await self._row(found)) is not None:
            taken += len(payload)
            if taken > most_bytes:
                raise TooLong
        self.wire.allow(MOST_BYTES)

    async def _head(self, command: bytes, found: SmallResult) -> bool:
        """Begin a statement; whether rows, or their end, follow."""
        await self.command(command)
        first = await self.read()
        if is_error(first):
            found.error = first
        if is_error(first) or first[:1] == bytes([OK]):
            return False
        for _ in range(Reader(first).lenenc() or 0):
            found.definitions.append(await self.read())
        await self.read()
        return True

    async def _row(self, found: SmallResult) -> bytes | None:
        """The next row; None at their end, or at an error, which ``found`` gets."""
        payload = await self.read()
        if is_error(payload):
            found.error = payload
        return None if is_eof(payload) or is_error(payload) else payload

    async def answer(self, command: int) -> AsyncIterator[bytes]:
        """The payloads that answer a command, to the last one."""
        if command in SILENT:
            return
        if command in (Command.QUERY, Command.STMT_EXECUTE):
            async for payload in self._results():
                yield payload
        elif command in (Command.FIELD_LIST, Command.STMT_FETCH):
            async for payload in self._to_end():
                yield payload
        elif command == Command.STMT_PREPARE:
            async for payload in self._prepared():
                yield payload
        else:
            yield await self.read()

    async def _results(self) -> AsyncIterator[bytes]:
        while True:
            first = await self.read()
            yield first
            if is_error(first):
                return
            last = first
            if first[:1] != bytes([OK]):
                for _ in range(Reader(first).lenenc() or 0):
                    yield await self.read()
                last = await self.read()
                yield last
                if not status_of(last) & CURSOR_EXISTS:
                    async for last in self._to_end():
                        yield last
            if is_error(last) or not status_of(last) & MORE_RESULTS:
                return

    async def _to_end(self) -> AsyncIterator[bytes]:
        while True:
            payload = await self.read()
            yield payload
            if is_eof(payload) or is_error(payload):
                return

    async def _prepared(self) -> AsyncIterator[bytes]:
        first = await self.read()
        yield first
        if is_error(first):
            return
        for count in (int.from_bytes(first[7:9], "little"), int.from_bytes(first[5:7], "little")):
            if count:
                async for payload in self._to_end():
                    yield payload

    async def close(self) -> None:
        await self.wire.close()
