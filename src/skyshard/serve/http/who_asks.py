"""Whose request it is: a token as Bearer, as the password of Basic, or where a body says it (``auth_key``)."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from skyshard.serve.access import Identity, Quota, Scope
from skyshard.serve.admission import Admission

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

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def who(self, request: Request, *, key: str = "") -> Identity | None:
        """Of the request's header, else of a key that its body gave. Raises TooManyTries."""
        token = token_of(request.headers.get("authorization", "")) or key
        address = request.client.host if request.client else ""
        return await self._admission.identify(token, address)

    async def quota(self, request: Request) -> Quota:
        """What whoever asks may have; of one without a token what holds for everybody."""
        found = await self.who(request)
        return found.quota if found is not None else await self._admission.quota_of("")

    async def refusal(self, request: Request, scope: Scope) -> Response | None:
        """Why a request is not answered, as HTTP says it; None: it is."""
        found = await self.allowed(request, scope)
        return found if isinstance(found, Response) else None

    async def allowed(self, request: Request, scope: Scope) -> Identity | Response:
        """Whose request it is, or why it is not answered, as HTTP says it."""
        found = await self.who(request)
        if found is None:
            words = "a token is needed; ask the operator for one (skyshard token create)\n"
            return PlainTextResponse(words, 401, {"www-authenticate": CHALLENGES})
        if not found.scope.includes(scope):
            return PlainTextResponse(f"this token does not allow it; it needs the scope {scope}\n", 403)
        return found
