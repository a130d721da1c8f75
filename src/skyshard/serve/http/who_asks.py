"""Whose request it is: a token as Bearer, as the password of Basic, or where a body says it (``auth_key``)."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from skyshard.serve.access import Access, Identity, Scope
from skyshard.serve.lanes import Lanes

CHALLENGES = 'Basic realm="skyshard", charset="UTF-8"'


def token_of(header: str) -> str:
    """The token in an Authorization header; empty where there is none that can be read.

    >>> token_of("Bearer abc"), token_of("Basic " + base64.b64encode(b"me:abc").decode()), token_of("Digest x")
    ('abc', 'abc', '')
    """
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


class Doorkeeper:
    """Says whose request it is."""

    def __init__(self, access: Access, lanes: Lanes) -> None:
        self._access = access
        self._lanes = lanes

    async def who(self, request: Request, *, key: str = "") -> Identity | None:
        """Of the request's header, else of a key that its body gave."""
        token = token_of(request.headers.get("authorization", "")) or key
        return await self._lanes.call(self._access.identify, token)

    async def refusal(self, request: Request, scope: Scope) -> Response | None:
        """Why a request is not answered, as HTTP says it; None: it is."""
        found = await self.who(request)
        if found is None:
            words = "a token is needed; ask the operator for one (skyshard token create)\n"
            return PlainTextResponse(words, 401, {"www-authenticate": CHALLENGES})
        if not found.scope.includes(scope):
            return PlainTextResponse(f"this token does not allow it; it needs the scope {scope}\n", 403)
        return None
