"""The MySQL door: accepts clients, and knows their sessions."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Account
from skyshard.host.open_files import open_files_limit
from skyshard.serve.access import Identity, Scope
from skyshard.serve.admission import Admission
from skyshard.serve.door import Address
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql import errors
from skyshard.serve.mysql.door_sessions import DoorSessions
from skyshard.serve.mysql.empty_tables import EmptyTables
from skyshard.serve.mysql.kept_definitions import KeptDefinitions
from skyshard.serve.mysql.login import Entrance, NotLetIn
from skyshard.serve.mysql.packets import error, framed
from skyshard.serve.mysql.server_session import ServerSession
from skyshard.serve.mysql.session import Behind, Session, tell_failed
from skyshard.serve.mysql.user_accounts import UserAccounts
from skyshard.serve.mysql.wire import TooLong
from skyshard.serve.services import Services
from skyshard.serve.submitted_runs import SubmittedRuns

MOST_SESSIONS = 2000
FILES_A_SESSION = 4
"""Sockets: the client's, that of its session on the server, and two of the door's own beside it."""
OTHER_FILES = 256
"""Of the process, that sessions leave."""
LOGIN_S = 10.0
"""So long a client may take to log in."""
RENEW_S = 1.0
"""The empty tables follow what is published at least so often."""
LINGER_S = 0.05


def most_sessions(files: int) -> int:
    """How many sessions there may be in a process that may have so many files open.

    >>> most_sessions(1024), most_sessions(65_536)
    (192, 2000)
    """
    return max(1, min(MOST_SESSIONS, (files - OTHER_FILES) // FILES_A_SESSION))


class MysqlDoor:
    """Serves the MySQL protocol on one address, with a MariaDB of its own behind it."""

    def __init__(
        self,
        name: str,
        address: Address,
        services: Services,
        lanes: Lanes,
        runs: SubmittedRuns,
        admission: Admission,
        tls: ssl.SSLContext | None = None,
        sessions: DoorSessions | None = None,
    ) -> None:
        self.name = name
        self._address, self._tls = address, tls
        self._admission, self._lanes = admission, lanes
        self._server = services.empty_server
        self._tables = EmptyTables(self._server.endpoint, services.catalogs)
        self._sessions = DoorSessions() if sessions is None else sessions
        self._accounts = UserAccounts(self._server.endpoint)
        self._most = most_sessions(open_files_limit())
        self._behind = Behind(
            services, lanes, runs, self._sessions, self._renew, lambda: self._tables.number, KeptDefinitions(),
            self._kill,
        )  # fmt: skip
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: list[asyncio.Task[None]] = []
        self._listening: socket.socket | None = None

    async def open(self) -> str:
        """As of ``Door``; ``mysql://HOST:PORT/``."""
        listening = self._address.listen()
        try:
            await self._lanes.call(self._server.start)
            await self._renew()
        except BaseException:
            listening.close()
            await self._lanes.call(self._server.stop)
            raise
        self._listening = listening
        entrance = Entrance(self._server.endpoint.socket, self._admission, self._account, self._tls)
        loop = asyncio.get_running_loop()
        self._accepting = [loop.create_task(self._accept(listening, entrance)), loop.create_task(self._keep_renewing())]
        return f"mysql://{self._address.at(listening)}/"

    async def drain(self, seconds: float) -> None:
        """As of ``Door``; sessions that are asked nothing are ended at once."""
        await self._stop_accepting()
        deadline = asyncio.get_running_loop().time() + seconds
        for session in list(self._sessions.open.values()):
            if not session.is_busy:
                session.stop()
        while self._sessions and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait(list(self._tasks), timeout=LINGER_S)
            for session in list(self._sessions.open.values()):
                if not session.is_busy:
                    session.stop()

    async def close(self) -> None:
        """As of ``Door``."""
        await self._stop_accepting()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._lanes.call(self._server.stop)

    async def _stop_accepting(self) -> None:
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        self._accepting = []
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _account(self, name: str) -> str:
        """The account of a user on the server behind."""
        return await self._lanes.call(self._accounts.of, name)

    async def _accept(self, listening: socket.socket, entrance: Entrance) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError:  # too many files are open, or the client has gone again
                await asyncio.sleep(LINGER_S)
                continue
            accepted.setblocking(False)
            with contextlib.suppress(OSError):
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            task = loop.create_task(self._serve(accepted, entrance))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket, entrance: Entrance) -> None:
        """One client, from its hello to its end."""
        await self._renew_quietly()
        try:
            if len(self._sessions) >= self._most:
                await self._send_away(accepted)
                return
            async with asyncio.timeout(LOGIN_S):
                client, server, who, thread = await entrance.enter(accepted)
        except (NotLetIn, OSError, ValueError, TimeoutError, TooLong, SkyshardError):
            return
        except Exception as problem:
            tell_failed(problem)
            return
        session = Session(client, server, self._behind, self._server.endpoint.socket, who, thread)
        with self._sessions.entered(session):
            await session.run()

    async def _send_away(self, accepted: socket.socket) -> None:
        with accepted, contextlib.suppress(OSError):
            packet = framed(error(errors.TOO_MANY, "08004", "Too many connections"), 0)
            await asyncio.get_running_loop().sock_sendall(accepted, packet)

    async def _renew(self) -> int:
        return await self._lanes.call(self._tables.renew)

    async def _renew_quietly(self) -> None:
        """What is published now; a registry that does not answer is told when it is asked."""
        with contextlib.suppress(SkyshardError):
            await self._renew()

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await self._renew_quietly()
            await self._end_revoked()

    async def _end_revoked(self) -> None:
        """End the sessions of those whose token was revoked, and what they run."""
        with contextlib.suppress(SkyshardError):  # the next look may find the registry
            gone = await self._admission.revoked({session.who.name for session in self._sessions.open.values()})
            for session in list(self._sessions.open.values()):
                if session.who.name in gone:
                    session.stop()

    async def _kill(self, who: Identity, thread: int, is_query: bool) -> bool:
        """End what another session of a user runs, or that session; False if there is none that they may end."""
        session = self._sessions.open.get(thread)
        if session is None or not (who.scope is Scope.ADMIN or session.who.name == who.name):
            return False
        if not session.stop_statement():
            await self._kill_on_server(thread)
        if not is_query:
            session.stop()
        return True

    async def _kill_on_server(self, thread: int) -> None:
        """A statement that is relayed is ended by the server that runs it."""
        admin = await ServerSession.of(self._server.endpoint.socket, str(Account.ADMIN))
        await admin.ask(f"KILL QUERY {thread}".encode())
        await admin.close()
