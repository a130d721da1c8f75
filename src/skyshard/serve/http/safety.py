"""Around every HTTP app: which names it answers to, how much it reads, what a browser may do, errors in one line.

Rules: pages of other sites are not answered; an error says what, where and the remedy, never a path of the server or a
stack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skyshard.db.endpoint import LOOPBACK
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.back_off import TooManyTries
from skyshard.serve.door import Address

HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


BODY_S = 60.0
"""So long a client may send nothing in the middle of a body."""


class TooLarge(Exception):
    """A body is longer than the door reads."""


class TooSlow(Exception):
    """A body does not go on."""


def host_of(header: str) -> str:
    """The name in a Host header, without its port.

    >>> host_of("localhost:80"), host_of("[::1]:8042"), host_of("[::1]"), host_of("Sky.Example")
    ('localhost', '::1', '::1', 'sky.example')
    """
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def answered_names(addresses: Iterable[Address], more: Iterable[str]) -> frozenset[str]:
    """The names that a client may call doors by: loopback ones, those of the addresses, and some more."""
    return frozenset(name.lower() for name in (*LOOPBACK, *(one.host for one in addresses), *more))


def is_from_elsewhere(method: str, headers: Headers) -> bool:
    """Whether a page of another site has a browser ask, as the browser says; programs say nothing of it.

    Browsers send ``Sec-Fetch-Site`` over TLS and on loopback, and ``Origin`` with whatever may change something. That
    somebody follows a link, or opens a new tab, is no page's asking: it reads the answer itself.
    """
    site = headers.get("sec-fetch-site", "")
    if method == "GET" and headers.get("sec-fetch-mode") == "navigate":
        return headers.get("sec-fetch-dest", "document") != "document"
    if site:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class Safety:
    """Wraps an app; ``limits`` are the bytes of a body that may come, by the beginning of the path, else
    ``limit_bytes``."""

    def __init__(self, app: ASGIApp, names: frozenset[str], limit_bytes: int, limits: dict[str, int]) -> None:
        self._app = app
        self._names = names
        self._limit_bytes = limit_bytes
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._guarded(self._refusal(scope) or self._app, scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Why a request is not answered, whatever it asks; None: it may be."""
        headers = Headers(scope=scope)
        if host_of(headers.get("host", "")) not in self._names:
            words = "this server does not answer to the name of the request's Host header; its operator can allow it"
            return _line(400, words)
        if is_from_elsewhere(scope["method"], headers):
            return _line(403, "this server does not answer to pages of other sites")
        return None

    async def _guarded(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_safely(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        limit = self._limit(scope["path"])
        try:
            if int(Headers(scope=scope).get("content-length", "0") or 0) > limit:
                raise TooLarge
            await app(scope, _limited(receive, limit), send_safely)
        except Exception as error:
            answer = _line_of(error, limit)
            if begun:
                raise
            await answer(scope, receive, send_safely)

    def _limit(self, path: str) -> int:
        return next((limit for start, limit in self._limits.items() if path.startswith(start)), self._limit_bytes)


def _limited(receive: Receive, limit: int) -> Receive:
    """The same messages, until a body is too long, or does not go on."""
    read, is_whole = 0, False

    async def receive_some() -> Message:
        nonlocal read, is_whole
        message = await (receive() if is_whole else _in_time(receive))
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if read > limit:
                raise TooLarge
        return message

    return receive_some


async def _in_time(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(BODY_S):
            return await receive()
    except TimeoutError:
        raise TooSlow from None


def _line_of(error: Exception, limit: int) -> PlainTextResponse:
    """What is answered instead; a failure is logged."""
    if isinstance(error, TooLarge):
        return _line(413, f"the body is longer than {limit:,} bytes, the limit of this server")
    if isinstance(error, TooSlow):
        return _line(408, f"nothing of the body came for {BODY_S:g} s")
    if isinstance(error, ClientDisconnect):
        return _line(400, "the client went away before the end of the body")  # nobody reads it, and nothing failed
    if isinstance(error, TooManyTries):
        answer = _line(429, str(error))
        answer.headers["retry-after"] = str(error.wait_s)
        return answer
    ONLY_LOGGED.tell(DOOR_FAILED, door="http", error=f"{type(error).__name__}: {error}")
    return _line(500, "the server failed; its log says why")


def _line(status: int, words: str) -> PlainTextResponse:
    return PlainTextResponse(words + "\n", status, {"connection": "close"})
