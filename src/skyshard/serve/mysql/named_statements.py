"""Statements that SQL prepares by a name, of one session: PREPARE, EXECUTE, DEALLOCATE PREPARE; and those that it runs
at once from a text, EXECUTE IMMEDIATE.

Those over catalogs are answered here; those that the client's session on the server may answer are prepared there.
Their text and their values may be in variables, which that session has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from skyshard.basics.errors import ClusterError, UserError
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.asked_for import Way, way_of, without_leading
from skyshard.serve.mysql.definitions import ColumnType
from skyshard.serve.mysql.last_answer import asks_found_rows
from skyshard.serve.mysql.packets import error, error_of, ok
from skyshard.serve.mysql.parameters import Parameter
from skyshard.serve.mysql.prepared import PreparedStatements
from skyshard.serve.mysql.server_session import ServerSession
from skyshard.serve.mysql.session_state import SessionState
from skyshard.serve.mysql.text_prepared import TextPrepared, Verb, ask_values, text_prepared, values_of
from skyshard.serve.mysql.wire import Wire
from skyshard.serve.sql_words import literal_text


class NamedStatements:
    """Those of one session; ``server`` is the client's own there, ``relay`` passes a command on to it."""

    def __init__(
        self,
        client: Wire,
        server: ServerSession,
        prepared: PreparedStatements,
        relay: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self._client, self._server, self._prepared, self._relay = client, server, prepared, relay
        self._relayed: set[str] = set()
        """Names of those that the server has."""

    def forget_all(self) -> None:
        """As the server does when the session begins anew."""
        self._relayed.clear()

    async def answer(self, payload: bytes, state: SessionState) -> None:
        """Answer a command with one of the four. Errors of ours come out."""
        text = state.decode(payload[1:])
        asked = text_prepared(without_leading(text))
        if asked is None:
            await self._client.send(errors.refused_statement(text.split(None, 1)[0]))
        elif asked.verb in (Verb.PREPARE, Verb.IMMEDIATE):
            await self._take(asked, payload, state)
        elif asked.name in self._relayed:
            if asked.verb is Verb.FORGET:
                self._relayed.discard(asked.name)
            await self._relay(payload)
        elif asked.verb is Verb.FORGET:
            words = f"Unknown prepared statement handler ({asked.name}) given to DEALLOCATE PREPARE"
            is_known = self._prepared.forget(asked.name)
            await self._client.send(ok() if is_known else error(errors.NO_SUCH_STATEMENT, "HY000", words))
        else:
            state.require_plain()
            values = await self._values(asked.variables, state)
            await self._prepared.execute_named(asked.name, values, state)

    async def _take(self, asked: TextPrepared, payload: bytes, state: SessionState) -> None:
        """A text that is prepared, or run at once: where it goes is read from what it says."""
        state.require_plain()  # in other modes the server may read another text
        text = await self._source(asked.source, state)
        way, is_named = way_of(text, state.database).way, asked.verb is Verb.PREPARE
        if is_named:
            self._relayed.discard(asked.name)
            self._prepared.forget(asked.name)
        if way is Way.RELAY and asks_found_rows(text):
            await self._client.send(errors.refused_statement("FOUND_ROWS"))
        elif way is Way.RELAY:
            if is_named:
                self._relayed.add(asked.name)
            await self._relay(payload)
        elif way is not Way.CATALOG:
            await self._client.send(errors.refused_statement(asked.verb))
        elif is_named:
            await self._prepared.name(asked.name, text, state)
        else:
            await self._prepared.execute_immediate(text, await self._values(asked.variables, state), state)

    async def _source(self, source: str, state: SessionState) -> str:
        """What a literal says, or a variable; nothing where that is no text."""
        if not source.startswith("@"):
            return literal_text(source)
        (value,) = await self._values([source], state)
        return state.decode(value.value or b"") if value.kind == ColumnType.VAR_STRING else ""

    async def _values(self, variables: Sequence[str], state: SessionState) -> list[Parameter]:
        """Of variables of the client's session.

        Raises:
            ClusterError: the server does not give them.
            UserError: a text has letters that the session's character set lacks.
        """
        if not variables:
            return []
        found = await self._server.ask(state.letters(ask_values(variables)))
        if found.error:
            raise ClusterError(f"variables cannot be read: {error_of(found.error)[1]}")
        try:
            return values_of(found, state)
        except UnicodeEncodeError:
            words = f"a variable has letters that {state.charset} lacks"
            raise UserError(words, remedy="SET NAMES utf8mb4") from None
