"""Prepared statements over catalogs, of one session: those of the binary protocol, and those that SQL names.

The server that has every table empty says what their parameters and columns are, at each execute anew with the values
that were bound: nothing of a statement is kept there, so that it may follow what is published. The czar gets the
statement with the values as literals. Numbers of statements lie above those that the client's session on the server
gives; cursors are not opened, which a client sees from the status of the answer, as the protocol has it.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from skyshard.basics.errors import SkyshardError
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.binary_rows import encoded_binary_rows
from skyshard.serve.mysql.catalog_answer import Asked, Asking, RowWriter, send_answer
from skyshard.serve.mysql.definitions import ColumnType, Definition, Flag
from skyshard.serve.mysql.packets import Command, eof, error, is_error, ok
from skyshard.serve.mysql.parameters import BadParameters, Parameter, limit_literal, literal, read_execute
from skyshard.serve.mysql.placeholders import filled, limit_places, places
from skyshard.serve.mysql.server_session import PreparedHead, SmallResult
from skyshard.serve.mysql.session_state import SessionState
from skyshard.serve.mysql.text_rows import encoded_rows
from skyshard.serve.mysql.wire import Wire

FIRST, LAST_PREPARED = 1 << 30, 0xFFFFFFFF
"""The number of the first statement, and that by which clients call the one that they prepared last."""
MOST_STATEMENTS, MOST_LONG_BYTES = 4096, 1 << 26
"""Of a session."""
OF_STATEMENTS = frozenset(
    (Command.STMT_EXECUTE, Command.STMT_SEND_LONG_DATA, Command.STMT_CLOSE, Command.STMT_RESET, Command.STMT_FETCH)
)
_PARAMETER = Definition(b"?", ColumnType.NULL, 0, flags=Flag.BINARY).payload()
"""As the server defines each parameter."""


@dataclass(slots=True)
class _Statement:
    text: str
    database: str
    parameters: int
    limits: frozenset[int]
    kinds: tuple[int, ...] | None = None
    long: dict[int, bytes] = field(default_factory=dict)
    fault: str = ""
    """Of long data, told at the next execute."""

    @classmethod
    def of(cls, text: str, state: SessionState) -> _Statement:
        return cls(text, state.database, len(places(text)), limit_places(text))


class PreparedStatements:
    """Those of one session."""

    def __init__(self, client: Wire, asking: Asking) -> None:
        self._client, self._asking = client, asking
        self._statements: dict[int, _Statement] = {}
        self._named: dict[str, _Statement] = {}
        self._next, self.is_last = FIRST, False

    def number_in(self, payload: bytes) -> int | None:
        """The number of the statement of ours that a command is about; None: it is about none, or one of the server."""
        if payload[0] not in OF_STATEMENTS or len(payload) < 5:
            return None
        number = int.from_bytes(payload[1:5], "little")
        if number == LAST_PREPARED and self.is_last:
            return self._next - 1
        return number if FIRST <= number < LAST_PREPARED else None

    def forget_all(self) -> None:
        self._statements.clear()
        self._named.clear()
        self.is_last = False

    async def prepare(self, text: str, state: SessionState) -> None:
        """Number a statement, and say what its parameters and columns are; errors of ours come out."""
        found = await self._checked(text, state)
        if is_error(found.first):
            await self._client.send(found.first)
            return
        number, self._next = self._next, self._next + 1
        self._statements[number] = _Statement.of(text, state)
        self.is_last = True
        first = found.first[:1] + number.to_bytes(4, "little") + found.first[5:]
        parts = [[*one, eof()] if one else [] for one in (found.parameters, found.columns)]
        await self._client.send(first, *parts[0], *parts[1])

    async def _checked(self, text: str, state: SessionState) -> PreparedHead:
        """What is said of a statement, which may be an error."""
        state.require_plain()
        if len(self._statements) + len(self._named) >= MOST_STATEMENTS:
            return PreparedHead(error(errors.TOO_MANY_STATEMENTS, "42000", "Too many prepared statements"))
        await self._asking.renew()
        return await self._head(text, state)

    async def name(self, name: str, text: str, state: SessionState) -> None:
        """Prepare a statement as text, in place of one that had the name; errors of ours come out."""
        self._named.pop(name, None)
        found = await self._checked(text, state)
        if not is_error(found.first):
            self._named[name] = _Statement.of(text, state)
        await self._client.send(found.first if is_error(found.first) else ok())

    async def execute_immediate(self, text: str, values: Sequence[Parameter], state: SessionState) -> None:
        """Prepare a statement as text, answer it in the text protocol, and forget it; errors of ours come out."""
        found = await self._checked(text, state)
        if is_error(found.first):
            await self._client.send(found.first)
        else:
            await self._answer_text(_Statement.of(text, state), values, state)

    def forget(self, name: str) -> bool:
        """One that has a name; False if there is none."""
        return self._named.pop(name, None) is not None

    async def execute_named(self, name: str, values: Sequence[Parameter], state: SessionState) -> None:
        """Answer one that has a name, in the text protocol; errors of ours come out."""
        statement = self._named.get(name)
        if statement is None:
            words = f"Unknown prepared statement handler ({name}) given to EXECUTE"
            await self._client.send(error(errors.NO_SUCH_STATEMENT, "HY000", words))
        else:
            await self._answer_text(statement, values, state)

    async def _answer_text(self, statement: _Statement, values: Sequence[Parameter], state: SessionState) -> None:
        if len(values) != statement.parameters:
            await self._client.send(error(errors.BAD_ARGUMENTS, "HY000", "Incorrect arguments to EXECUTE"))
        else:
            await self._answer(statement, values, state, encoded_rows, is_named=True)

    async def _head(self, text: str, state: SessionState) -> PreparedHead:
        """As the server gives it; of what it does not know, that of the czar's form with numbers in it."""
        marks = len(places(text))
        found = await self._asking.describer.describe_prepared(state.letters(text), state)
        if is_error(found.first) and not errors.is_of_names(found.first):
            shown = filled(text, [_example(index, text) for index in range(marks)])
            written = await self._asking.lanes.call(self._asking.services.queries.written_out, shown, state.database)
            own = replace(state, charset="utf8mb4")
            found = await self._asking.describer.describe_prepared(written.encode(), own)
            if is_error(found.first):
                return found
            found.parameters = [_PARAMETER] * marks
            found.first = found.first[:7] + struct.pack("<H", marks) + found.first[9:]
        elif not is_error(found.first) and len(found.parameters) != marks:
            text = "a placeholder is where the door does not see it, as in /*! */"
            found = PreparedHead(error(errors.NO_STATEMENTS, "HY000", text))
        return found

    async def handle(self, number: int, payload: bytes, state: SessionState) -> None:
        """Answer a command about one of them; errors of ours come out."""
        statement = self._statements.get(number)
        if payload[0] == Command.STMT_SEND_LONG_DATA:
            self._add_long(statement, payload)
        elif payload[0] == Command.STMT_CLOSE:
            self._statements.pop(number, None)
        elif statement is None:
            words = f"Unknown prepared statement handler ({number}) given to mysqld_stmt_execute"
            await self._client.send(error(errors.NO_SUCH_STATEMENT, "HY000", words))
        elif payload[0] == Command.STMT_RESET:
            statement.long, statement.fault = {}, ""
            await self._client.send(ok())
        elif payload[0] == Command.STMT_FETCH:
            await self._client.send(error(errors.NO_CURSOR, "HY000", f"The statement ({number}) has no open cursor"))
        else:
            await self._execute(statement, payload, state)

    def _add_long(self, statement: _Statement | None, payload: bytes) -> None:
        """A part of a parameter's value; what is wrong with it is told by the execute, since this is not answered."""
        if statement is None or len(payload) < 7:
            return
        parameter = int.from_bytes(payload[5:7], "little")
        held = sum(len(value) for one in self._statements.values() for value in one.long.values())
        if parameter >= statement.parameters:
            statement.fault = "Incorrect arguments to mysqld_stmt_send_long_data"
        elif held + len(payload) > MOST_LONG_BYTES:
            statement.fault = "Parameters of prepared statements are longer than the door takes"
        else:
            statement.long[parameter] = statement.long.get(parameter, b"") + payload[7:]

    async def _execute(self, statement: _Statement, payload: bytes, state: SessionState) -> None:
        long, fault = statement.long, statement.fault
        statement.long, statement.fault = {}, ""
        try:
            if fault:
                raise BadParameters(fault)
            bound = read_execute(payload, statement.parameters, statement.kinds, long)
        except BadParameters as problem:
            await self._client.send(error(errors.BAD_ARGUMENTS, "HY000", str(problem)))
            return
        if await self._answer(statement, bound.parameters, state, encoded_binary_rows, is_named=False):
            statement.kinds = bound.kinds

    async def _answer(
        self,
        statement: _Statement,
        parameters: Sequence[Parameter],
        state: SessionState,
        rows: RowWriter,
        *,
        is_named: bool,
    ) -> bool:
        """Answer a statement with values, or say why they cannot be bound, and give False."""
        try:
            state.require_plain()
            literals = _literals(statement, parameters, state)
        except BadParameters as problem:
            await self._client.send(error(errors.BAD_ARGUMENTS, "HY000", str(problem)))
            return False
        except SkyshardError as problem:
            await self._client.send(errors.error_packet(problem))
            return False
        own = replace(state, database=statement.database)
        describe = functools.partial(self._defined, statement.text, parameters, own)
        if is_named:
            describe = functools.partial(self._asking.describer.describe_named, statement.text, literals, own)
        asked = Asked(filled(statement.text, literals), describe, rows, is_all=False)
        await send_answer(self._asking, self._client, asked, own)
        return True

    async def _defined(self, text: str, parameters: Sequence[Parameter], state: SessionState) -> SmallResult:
        """The statement and the values' texts are in the session's character set."""
        return await self._asking.describer.describe_executed(state.letters(text), parameters, state)


def _literals(statement: _Statement, parameters: Sequence[Parameter], state: SessionState) -> list[str]:
    return [
        (limit_literal if index in statement.limits else literal)(one, state.decode)
        for index, one in enumerate(parameters)
    ]


def _example(index: int, text: str) -> str:
    """A number for a placeholder, larger than those before it, as corners of boxes and polygons are."""
    return "1" if index in limit_places(text) else f"{(index + 1) * (index + 2) / 20:.1f}"
