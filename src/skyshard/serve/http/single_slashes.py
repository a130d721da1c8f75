"""Paths with one slash where a client has joined addresses with two."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SEVERAL = re.compile("/{2,}")


class SingleSlashes:
    """An app that is asked ``/meta/version`` for ``//meta/version``, without a redirect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "//" in scope["path"]:
            scope = {**scope, "path": _SEVERAL.sub("/", scope["path"])}
        await self._app(scope, receive, send)
