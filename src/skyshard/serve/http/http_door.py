"""A door that speaks HTTP: uvicorn's server within our event loop; signals are ours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from skyshard.serve.door import Address
from skyshard.serve.http.http_connection import HttpConnection

_TICK_S = 0.01


class _Server(uvicorn.Server):
    """Uvicorn's, which leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpDoor:
    """Serves an ASGI app on one address."""

    def __init__(
        self,
        name: str,
        address: Address,
        app: ASGIApp,
        tls: ssl.SSLContext | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        """``listening``: a socket that listens at the address already."""
        self.name = name
        self._listening = listening
        self._address, self._tls = address, tls
        self._server = _Server(
            uvicorn.Config(
                app, http=HttpConnection, ws="none", lifespan="off", interface="asgi3", log_config=None,
                access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=60,
                ssl_context_factory=(lambda *_: tls) if tls else None,
            )
        )  # fmt: skip
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> str:
        """As of ``Door``; ``http://HOST:PORT/``."""
        listening = self._listening or self._address.listen()
        shown = self._address.at(listening)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listening]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(_TICK_S)
        if self._serving.done():
            await self._serving
        return f"{'https' if self._tls else 'http'}://{shown}/"

    async def drain(self, seconds: float) -> None:
        """As of ``Door``; what lasts longer is cancelled."""
        if self._serving is not None:
            self._server.config.timeout_graceful_shutdown = max(1, round(seconds))
            self._server.should_exit = True
            await asyncio.shield(self._serving)

    async def close(self) -> None:
        """As of ``Door``."""
        if self._serving is None:
            if self._listening is not None:
                self._listening.close()
            return
        self._server.should_exit = True
        self._server.force_exit = True
        for task in (*self._server.server_state.tasks,):
            task.cancel()
        await self._serving
        while tasks := list(self._server.server_state.tasks):
            await asyncio.wait(tasks)
