"""Who looks at the page: a token in the header, or in a cookie that the sign-in form sets; and whence a POST comes."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from skyshard.basics.errors import UserError
from skyshard.serve.access import Identity, Scope
from skyshard.serve.http.form import open_form
from skyshard.serve.http.who_asks import Doorkeeper

BASE = "/ui"
COOKIE = "skyshard_token"
MARK = "skyshard_signed_in"
"""A cookie that the page's code may read: it says that there is something to sign out of."""
KEPT_S = 12 * 3600
"""So long a browser keeps the cookie."""


class SignIn:
    """Lets in whoever has a token of any scope."""

    def __init__(self, keeper: Doorkeeper) -> None:
        self._keeper = keeper

    async def may_look(self, request: Request) -> bool:
        return await self.who(request) is not None

    async def who(self, request: Request) -> Identity | None:
        """Who looks; None: nobody who may."""
        found = await self._keeper.who(request, key=request.cookies.get(COOKIE, ""))
        return found if found is not None and found.scope.includes(Scope.QUERY) else None

    async def sign_in(self, request: Request) -> Response:
        """Take the token of the form; what is no form has none."""
        try:
            async with open_form(request, most_files=0, most_fields=4) as form:
                token = str(form.get("token", "")).strip()
        except UserError:
            token = ""
        if await self._keeper.who(request, key=token) is None:
            return RedirectResponse(f"{BASE}/sign-in?wrong", 303)
        answer = RedirectResponse(f"{BASE}/", 303)
        is_tls = request.url.scheme == "https"
        for name, value in ((COOKIE, token), (MARK, "1")):
            answer.set_cookie(
                name, value, KEPT_S, path=BASE, secure=is_tls, httponly=name == COOKIE, samesite="strict"
            )  # fmt: skip
        return answer

    async def sign_out(self, request: Request) -> Response:
        answer = RedirectResponse(f"{BASE}/sign-in", 303)
        for name in (COOKIE, MARK):
            answer.delete_cookie(name, path=BASE, httponly=name == COOKIE, samesite="strict")
        return answer


def is_from_here(request: Request) -> bool:
    """Whether a POST comes from a page of this server, as its browser says.

    Browsers say ``Sec-Fetch-Site`` over TLS and on loopback, and ``Origin`` with every POST; a form's may be ``null``,
    for our pages send no referrer.
    """
    site = request.headers.get("sec-fetch-site", "")
    if site:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
