"""The routes of the page, below ``/ui``: its files, which hold no data; what it shows, as JSON; the stop button."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

import skyshard.pages
from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.serve.access import Identity, Scope
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.page.asked_history import wanted_of
from skyshard.serve.page.live import EACH_S, Live
from skyshard.serve.page.sign_in import BASE, SignIn, is_from_here
from skyshard.serve.page.snapshot import Seen, Snapshots, as_rows, parts_of
from skyshard.serve.page_services import SUBJECTS
from skyshard.serve.services import Services
from skyshard.serve.submitted_runs import SubmittedRuns

STATIC = Path(__file__).parent / "static"
BASE_STYLE = Path(skyshard.pages.__file__).parent / "templates" / "page.css"
"""The look of all pages."""
MEDIA = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain",
}  # fmt: skip
SKY_LEVEL = 1
"""How hard a sky is packed: more takes longer than it saves."""
MOST_DIGITS = 19
"""Of a query's number."""
Answer = Callable[[Request], Awaitable[Response]]
DataAnswer = Callable[[Request, Identity], Awaitable[Response]]


class Page:
    """Its routes, and the stream behind them."""

    def __init__(
        self, services: Services, lanes: Lanes, runs: SubmittedRuns, keeper: Doorkeeper, *, each_s: float = EACH_S
    ) -> None:
        self._services = services
        self._lanes = lanes
        self._runs = runs
        self._sign_in = SignIn(keeper)
        self.live = Live(Snapshots(parts_of(services)), lanes, each_s=each_s)
        self._files = {path.name: path for path in (*STATIC.iterdir(), BASE_STYLE) if path.suffix in MEDIA}

    def routes(self) -> list[Route]:
        return [
            Route("/", self._to_page),
            Route(BASE, self._to_page),
            Route(f"{BASE}/", functools.partial(self._shell, "index.html")),
            Route(f"{BASE}/sign-in", functools.partial(self._shell, "sign-in.html"), methods=["GET"]),
            Route(f"{BASE}/sign-in", _own(self._sign_in.sign_in), methods=["POST"]),
            Route(f"{BASE}/sign-out", _own(self._sign_in.sign_out), methods=["POST"]),
            *(
                Route(f"{BASE}/{subject}/{{name}}", functools.partial(self._shell, "story.html"))
                for subject in SUBJECTS
            ),
            Route(f"{BASE}/static/{{name}}", self._file),
            Route(f"{BASE}/live", self._guarded(self._stream)),
            Route(f"{BASE}/data/history", self._guarded(self._history)),
            Route(f"{BASE}/data/sky/{{database}}/{{table}}", self._guarded(self._sky)),
            Route(f"{BASE}/data/plan/{{number:int}}", self._guarded(self._plan)),
            Route(f"{BASE}/data/{{subject}}/{{name}}", self._guarded(self._story)),
            Route(f"{BASE}/stop/{{key}}", _own(self._guarded(self._stop)), methods=["POST"]),
            Route(f"{BASE}/measure/{{number:int}}", _own(self._guarded(self._measure)), methods=["POST"]),
        ]

    async def _to_page(self, request: Request) -> Response:
        """A browser is sent to the page; other clients ask for nothing here."""
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{BASE}/", 307)
        return PlainTextResponse("Not Found", 404)

    async def _shell(self, name: str, request: Request) -> Response:
        return FileResponse(self._files[name], media_type="text/html")

    async def _file(self, request: Request) -> Response:
        path = self._files.get(request.path_params["name"])
        if path is None:
            return PlainTextResponse("Not Found", 404)
        return FileResponse(path, media_type=MEDIA[path.suffix])

    def _guarded(self, answer: DataAnswer) -> Answer:
        """An answer with data: for those who may look; errors are JSON with what and remedy."""

        async def respond(request: Request) -> Response:
            who = await self._sign_in.who(request)
            if who is None:
                return PlainTextResponse("sign in with a token (skyshard token create)\n", 401)
            try:
                return await answer(request, who)
            except UserError as error:
                return JSONResponse({"error": error.what, "remedy": error.remedy}, 400)
            except ClusterError:
                words = {"error": "a server of the cluster does not answer", "remedy": "see the log of the server"}
                return JSONResponse(words, 503)

        return respond

    async def _stream(self, request: Request, who: Identity) -> Response:
        """Without an end; whoever asks with HEAD only how it would be answered gets that, and an end."""
        headers = {"x-accel-buffering": "no"}
        if request.method == "HEAD":
            told = Response(media_type="text/event-stream", headers=headers)
            del told.headers["content-length"]  # the stream has none
            return told
        seen = Seen.of(request.headers.get("last-event-id", ""))
        may_look = functools.partial(self._sign_in.may_look, request)
        events = self.live.events(seen, may_look, is_whole=who.scope is Scope.ADMIN)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _history(self, request: Request, who: Identity) -> Response:
        wanted = wanted_of(request.query_params)
        if wanted.text and who.scope is not Scope.ADMIN:  # statements of others are not searched
            wanted = replace(wanted, owner=who.name)
        found = await self._lanes.call(self._services.submissions.find, wanted)
        shown = as_rows(one.shown_to(who) for one in found)
        return JSONResponse({"queries": shown, "has_more": len(found) == wanted.most})

    async def _sky(self, request: Request, who: Identity) -> Response:
        where = request.path_params
        takes_packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"vary": "accept-encoding"} | ({"content-encoding": "gzip"} if takes_packed else {})
        text = await self._lanes.look(self._sky_text, where["database"], where["table"], takes_packed)
        return Response(text, media_type="application/json", headers=headers)

    def _sky_text(self, database: str, table: str, is_packed: bool) -> bytes:
        """JSON of what may be 150,000 chunks, for a thread."""
        found = self._services.overview.sky(database, table)
        lists = {field.name: getattr(found, field.name) for field in fields(found)}
        text = json.dumps(lists, separators=(",", ":")).encode()
        return gzip.compress(text, SKY_LEVEL) if is_packed else text

    async def _story(self, request: Request, who: Identity) -> Response:
        subject, name = request.path_params["subject"], request.path_params["name"]
        if subject not in SUBJECTS:
            return PlainTextResponse("Not Found", 404)
        if subject == "query":
            await self._require_own(name, who)
        story = await self._lanes.call(self._services.overview.story, subject, name)
        return Response(json.dumps({"story": story}, default=str), media_type="application/json")

    async def _plan(self, request: Request, who: Identity) -> Response:
        """How a statement of the history would be answered now; the reason where it would not."""
        asked = await self._runs.known(request.path_params["number"], who)
        told: dict[str, Any]
        try:
            told = {"plan": await self._lanes.look_up(self._services.queries.explain, asked.statement, asked.database)}
        except UserError as error:
            told = {"plan_error": f"{error.what}; {error.remedy}"}
        except SkyshardError:
            told = {"plan_error": "a server of the cluster does not answer"}
        return Response(json.dumps(told, default=str), media_type="application/json")

    async def _stop(self, request: Request, who: Identity) -> Response:
        key = request.path_params["key"]
        await self._require_own(key, who)
        stopped = await self._lanes.call(self._services.overview.stop, key)
        return JSONResponse({"stopped": stopped})

    async def _require_own(self, key: str, who: Identity) -> None:
        """UserError where a query is not somebody's; one that is answered at once has a name, and no owner."""
        if who.scope is Scope.ADMIN:
            return
        if not (key.isascii() and key.isdecimal() and len(key) < MOST_DIGITS):
            raise UserError(f"no query {key[:40]} of yours", remedy="administrators stop what is answered at once")
        await self._runs.known(int(key), who)

    async def _measure(self, request: Request, who: Identity) -> Response:
        """A statement of the history answered once more, to say where its time goes."""
        asked = await self._runs.known(request.path_params["number"], who)
        with self._lanes.seats.taken(who.name, who.quota):
            measured = await self._lanes.work(self._services.queries.analyze, asked.statement, asked.database)
        return Response(json.dumps(measured, default=str), media_type="application/json")


def _own(answer: Answer) -> Answer:
    """An answer that changes something: only for pages of this server."""

    async def respond(request: Request) -> Response:
        if not is_from_here(request):
            return PlainTextResponse("this is done from the page itself only\n", 403)
        return await answer(request)

    return respond
