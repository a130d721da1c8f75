"""Statements that SQL prepares by a name, of one session: PREPARE, EXECUTE, DEALLOCATE PREPARE.

Only those over catalogs are taken. Their text and their values may be in variables, which the client's session on the
server has.
"""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.basics.errors import ClusterError, UserError
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.asked_for import Way, way_of, without_leading
from skyshard.serve.mysql.definitions import ColumnType
from skyshard.serve.mysql.packets import error, error_of, ok
from skyshard.serve.mysql.parameters import Parameter
from skyshard.serve.mysql.prepared import PreparedStatements
from skyshard.serve.mysql.server_session import ServerSession
from skyshard.serve.mysql.session_state import SessionState
from skyshard.serve.mysql.text_prepared import Verb, ask_values, literal_text, text_prepared, values_of
from skyshard.serve.mysql.wire import Wire


class NamedStatements:
    """Those of one session; ``server`` is the client's own there."""

    def __init__(self, client: Wire, server: ServerSession, prepared: PreparedStatements) -> None:
        self._client, self._server, self._prepared = client, server, prepared

    async def answer(self, text: str, state: SessionState) -> None:
        """Answer one of the three; ``text``: as UTF-8 with escapes, whatever it is in. Errors of ours come out."""
        text = state.decode(text.encode("utf-8", "surrogateescape"))
        asked = text_prepared(without_leading(text))
        if asked is None:
            await self._client.send(errors.refused_statement(text.split(None, 1)[0]))
        elif asked.verb is Verb.FORGET:
            words = f"Unknown prepared statement handler ({asked.name}) given to DEALLOCATE PREPARE"
            is_known = self._prepared.forget(asked.name)
            await self._client.send(ok() if is_known else error(errors.NO_SUCH_STATEMENT, "HY000", words))
        elif asked.verb is Verb.EXECUTE:
            values = await self._values(asked.variables, state) if asked.variables else []
            await self._prepared.execute_named(asked.name, values, state)
        else:
            await self._prepare(asked.name, await self._source(asked.source, state), state)

    async def _prepare(self, name: str, text: str, state: SessionState) -> None:
        if way_of(text, state.database).way is Way.CATALOG:
            await self._prepared.name(name, text, state)
        else:
            self._prepared.forget(name)
            await self._client.send(errors.refused_statement("PREPARE"))

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
        found = await self._server.ask(state.letters(ask_values(variables)))
        if found.error:
            raise ClusterError(f"variables cannot be read: {error_of(found.error)[1]}")
        try:
            return values_of(found, state)
        except UnicodeEncodeError:
            words = f"a variable has letters that {state.charset} lacks"
            raise UserError(words, remedy="SET NAMES utf8mb4") from None
