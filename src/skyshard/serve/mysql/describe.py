"""What a statement's columns are, asked of the server that has every table empty; and what only the door may ask it.

Rule: a statement is described with one row to come at most, a time limit and a limit of bytes, so that it costs what
its text costs; rows that come all the same, as where it has a LIMIT, are dropped.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from skyshard.db.connection import Account, quote_text
from skyshard.serve.mysql.packets import Command, is_error
from skyshard.serve.mysql.parameters import Parameter, execute_payload
from skyshard.serve.mysql.server_session import PreparedHead, ServerSession, SmallResult
from skyshard.serve.mysql.session_state import SessionState
from skyshard.serve.mysql.wire import TooLong

_HARDLY_A_ROW = b"SET STATEMENT max_statement_time = 5, sql_select_limit = 1 FOR "
"""With a limit of 0 the server defines some columns otherwise, since it does not plan."""
MOST_BYTES = 4 << 20
"""Of the rows of a statement that is described."""


class Describer:
    """A session of the door's own beside that of one client, of one account, opened when it is needed first."""

    def __init__(self, socket: str, account: str = Account.READER) -> None:
        self._socket, self._account = socket, str(account)
        self._session: ServerSession | None = None
        self._state: SessionState | None = None

    async def describe(self, statement: bytes, state: SessionState) -> SmallResult:
        """The definitions of a statement's columns; its error where the server does not understand it."""
        found = SmallResult()
        with contextlib.suppress(TooLong):  # its session is given up; the columns are known by then
            async with self._following(state) as session:
                await session.define(_HARDLY_A_ROW + statement, found, MOST_BYTES)
        return found

    async def describe_prepared(self, statement: bytes, state: SessionState) -> PreparedHead:
        """What preparing a statement gives; nothing of it is left."""
        async with self._following(state) as session:
            found = await session.prepare(_HARDLY_A_ROW + statement)
            if not is_error(found.first):
                await session.forget(found.number)
            return found

    async def describe_executed(
        self, statement: bytes, parameters: Sequence[Parameter], state: SessionState
    ) -> SmallResult:
        """As :meth:`describe`, of a prepared statement with values: these have their say in the definitions."""
        found = SmallResult()
        with contextlib.suppress(TooLong):
            async with self._following(state) as session:
                made = await session.prepare(_HARDLY_A_ROW + statement)
                if is_error(made.first):
                    return SmallResult(error=made.first)
                await session.define_executed(execute_payload(made.number, parameters), found, MOST_BYTES)
                await session.forget(made.number)
        return found

    async def describe_named(self, statement: str, literals: Sequence[str], state: SessionState) -> SmallResult:
        """As :meth:`describe`, of a statement whose values are those of variables, which define other columns."""
        found = SmallResult()
        names = [f"@value{place}" for place in range(len(literals))]
        given = ", ".join(f"{name} = {literal}" for name, literal in zip(names, literals, strict=True))
        asked = f"EXECUTE IMMEDIATE {quote_text(_HARDLY_A_ROW.decode() + statement)}"
        with contextlib.suppress(TooLong):
            async with self._following(state) as session:
                if names:
                    await session.ask(state.letters(f"SET {given}"))
                    asked += f" USING {', '.join(names)}"
                await session.define(state.letters(asked), found, MOST_BYTES)
        return found

    async def run(self, statement: bytes, state: SessionState) -> SmallResult:
        """A statement of the door's own."""
        async with self._following(state) as session:
            return await session.ask(statement)

    async def pass_on(self, statement: bytes, state: SessionState) -> AsyncIterator[bytes]:
        """The packets that answer a statement about tables."""
        async with self._following(state) as session:
            await session.command(bytes([Command.QUERY]) + statement)
            async for payload in session.answer(Command.QUERY):
                yield payload

    async def fields(self, command: bytes, state: SessionState) -> AsyncIterator[bytes]:
        """The packets that answer a command for the columns of a table."""
        async with self._following(state) as session:
            await session.command(command)
            async for payload in session.answer(Command.FIELD_LIST):
                yield payload

    @asynccontextmanager
    async def _following(self, state: SessionState) -> AsyncIterator[ServerSession]:
        """A session that has the client's database and character sets; one that an error came out of is given up."""
        if self._session is None:
            self._session = await ServerSession.of(self._socket, self._account)
            self._state = None
        session, before = self._session, self._state
        try:
            if before != state:
                await self._follow(session, before, state)
            yield session
        except BaseException:
            self._session = self._state = None
            session.wire.abort()
            raise

    async def _follow(self, session: ServerSession, before: SessionState | None, state: SessionState) -> None:
        self._state = None
        if before is None or before.follow != state.follow:
            await session.ask(state.follow)
        if state.database and (before is None or before.database != state.database):
            await session.command(bytes([Command.INIT_DB]) + state.database.encode())
            if is_error(await session.read()):  # it is not there yet, or not any more
                return
        self._state = state

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()
