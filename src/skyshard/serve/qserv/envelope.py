"""What every answer of Qserv's REST has: success, error, what the server reads, warnings; the HTTP status is 200.

Rules: an error is in the body, whatever went wrong; only a path that does not exist is 404 (below ``/v1`` the status
says it, too: ``coded_answers``). Versions from 12 on are
read, in the query string or the body, which wins; a request without one is answered, with a warning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skyshard.basics.errors import Refusal, SkyshardError, UserError
from skyshard.basics.plain_numbers import is_whole, whole_number
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DOOR_FAILED
from skyshard.serve.access import Identity, Scope
from skyshard.serve.http.safety import TooLarge, TooSlow
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.qserv.coded_answers import PREFIX, coded
from skyshard.serve.serve_file import NEWEST_QSERV, OLDEST_QSERV
from skyshard.serve.told_errors import told

NOBODY = Identity("", Scope.QUERY)
"""Who asks where no token is needed."""
NO_VERSION = "No version number was provided in the request."
MOST_DIGITS = 10
"""Of a version; Python refuses to read numbers of thousands."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""Half a letter in JSON, as UTF-8 has none, unless its other half stands beside it."""
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
Payload = Mapping[str, Any]


class NotAllowed(UserError):
    """The request's token does not allow it, or there is none."""


class NoToken(NotAllowed):
    """There is none that is known."""


class NotThere(UserError):
    """What the request names does not exist."""


class WrongVersion(UserError):
    """A version that is not read."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"The requested version {str(given)[:40]} of the API is not in the range supported by the service.",
            remedy=f"ask for {OLDEST_QSERV} to {NEWEST_QSERV}",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose body was read: its own keys, before those of the query string."""

    request: Request
    body: Mapping[str, Any]
    warnings: list[str] = field(default_factory=list)
    who: Identity = NOBODY

    def text(self, name: str, default: str | None = None) -> str:
        """A key that is a text; UserError where it is missing without a default, or something else."""
        value = self.value(name, default)
        if not isinstance(value, str):
            raise UserError(f"'{name}' has to be a text", remedy=f"send {name} as a JSON string")
        return value

    def whole(self, name: str) -> int:
        """A key, or a part of the path, that is a whole number, maybe written as text."""
        given = self.request.path_params
        value = given[name] if name in given else self.value(name, None)
        try:
            return whole_number(str(value))
        except ValueError:
            raise UserError(f"'{name}' has to be a whole number", remedy=f"send {name}") from None

    def seconds(self, name: str) -> float:
        """A key that is a time; 0 where it is missing."""
        value = str(self.value(name, 0))
        if not _SECONDS.fullmatch(value):
            raise UserError(f"'{name}' has to be a number of seconds", remedy=f"send {name} as 0 (no limit) or more")
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A key that is 0 or 1."""
        value = self.value(name, default)
        if str(value).lower() not in ("0", "1", "true", "false"):
            raise UserError(f"'{name}' has to be 0 or 1", remedy=f"send {name} as 0 or 1")
        return str(value).lower() in ("1", "true")

    def with_body(self, body: Mapping[str, Any]) -> Asked:
        """The same where the body was read later."""
        return replace(self, body=body)

    def check_version(self) -> None:
        """Note that none was given.

        Raises:
            WrongVersion: one that is not read.
        """
        given = self.body.get("version", self.request.query_params.get("version"))
        if given is None:
            self.warnings.append(NO_VERSION)
            return
        is_number = not isinstance(given, bool) and is_whole(str(given)) and len(str(given)) < MOST_DIGITS
        if not is_number or not OLDEST_QSERV <= int(str(given)) <= NEWEST_QSERV:
            raise WrongVersion(given)

    @property
    def version(self) -> int:
        """That of the request, which has been checked; the newest where it has none."""
        return int(str(self.body.get("version", self.request.query_params.get("version", NEWEST_QSERV))))

    def of_path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def value(self, name: str, default: Any = None) -> Any:
        """A key, whatever it is; UserError where it is missing, or null, without a default."""
        for place in (self.body, self.request.query_params):
            if place.get(name) is not None:
                return place[name]
        if default is None:
            raise UserError(f"the request lacks '{name}'", remedy=f"send {name}")
        return default


def envelope(error: SkyshardError | None = None, *, warnings: list[str] | None = None, **payload: Any) -> Payload:
    """The keys of an answer."""
    said: dict[str, Any] = {"success": 1, "error": "", "error_ext": {}, "warning": "; ".join(warnings or [])}
    if error is not None:
        said |= {"success": 0, "error": told(error), "error_ext": details_of(error)}
    return {**said, **payload}


def details_of(error: SkyshardError) -> Payload:
    """What a program reads of an error."""
    if isinstance(error, WrongVersion):
        return {"min_version": OLDEST_QSERV, "max_version": NEWEST_QSERV}
    what, remedy = told(error, error.what), error.remedy and told(error, error.remedy)
    details: dict[str, Any] = {"what": what, "remedy": remedy, "kind": type(error).__name__}
    if isinstance(error, Refusal):
        details["code"] = error.code
    if hasattr(error, "retryable"):
        details["retryable"] = error.retryable
    return details


Answering = Callable[[Asked], Awaitable[Payload | Response]]


class Desk:
    """Makes routes of functions that take what was asked and give the keys of an answer, or raise."""

    def __init__(self, keeper: Doorkeeper) -> None:
        self._keeper = keeper

    def route(
        self, method: str, path: str, answer: Answering, scope: Scope | None = Scope.QUERY, *, is_json: bool = True
    ) -> list[Route]:
        """The route, with and without a slash at its end, as clients write it, and below ``/v1``; no redirects.

        ``scope`` None: everybody may ask. ``is_json`` False: the function reads the body, and the token has to be in a
        header.
        """

        async def respond(request: Request) -> Response:
            warnings: list[str] = []
            try:
                asked = Asked(request, await read_body(request) if is_json else {}, warnings)
                if scope is not None:
                    asked = replace(asked, who=await self.require(asked, scope))
                if is_json:
                    asked.check_version()
                found = await answer(asked)
                return found if isinstance(found, Response) else JSONResponse(envelope(warnings=warnings, **found))
            except SkyshardError as error:
                return JSONResponse(envelope(error, warnings=warnings))
            except (TooLarge, TooSlow, ClientDisconnect):
                raise
            except Exception as error:
                ONLY_LOGGED.tell(DOOR_FAILED, door="qserv", error=f"{type(error).__name__}: {error}")
                return JSONResponse(envelope(SkyshardError("the server failed; its log says why"), warnings=warnings))

        async def respond_coded(request: Request) -> Response:
            return await coded(await respond(request))

        return [
            Route(f"{prefix}{path}{end}", endpoint, methods=[method])
            for prefix, endpoint in (("", respond), (PREFIX, respond_coded))
            for end in ("", "/")
        ]

    async def require(self, asked: Asked, scope: Scope) -> Identity:
        """Who asks; refuses a request whose token does not allow it.

        Raises:
            NotAllowed: with what would.
        """
        keys = [asked.body.get(name) for name in ("auth_key", "admin_auth_key")]
        wanted = reversed(keys) if scope is Scope.ADMIN else keys
        key = next((one for one in wanted if isinstance(one, str) and one), "")
        found = await self._keeper.who(asked.request, key=key)
        if found is None:
            raise NoToken("a token is needed", remedy="send one as Bearer, as password of Basic, or as auth_key")
        if not found.scope.includes(scope):
            raise NotAllowed(f"this token is of scope {found.scope}", remedy=f"use one of scope {scope}")
        return found


async def read_body(request: Request) -> Mapping[str, Any]:
    """The JSON object in a body, of any method; an empty body is an empty object.

    Raises:
        UserError: it is something else.
    """
    content = await request.body()
    if not content.strip():
        return {}
    try:
        found = parsed(content)
    except (ValueError, RecursionError):
        raise UserError("the body is not JSON", remedy="send a JSON object in UTF-8") from None
    if not isinstance(found, dict):
        raise UserError("the body is JSON, but no object", remedy='send {"key": value, ...}')
    return found


def parsed(content: bytes | str) -> Any:
    """JSON whose texts are text, with fractions as they are written.

    Raises:
        ValueError: it is none, or not in UTF-8, or has half a letter.
        RecursionError: it is nested too deeply.
    """
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content  # json lets halves of letters pass
    found = json.loads(text, parse_float=Decimal)
    if _SURROGATE.search(text):
        json.dumps(found, ensure_ascii=False, default=str).encode()
    return found


def plain(value: Any) -> Any:
    """JSON with fractions as floats."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if isinstance(value, str | int | bool | None) else float(value)
