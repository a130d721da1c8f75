"""The routes of TAP below ``/tap``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from skyshard.basics.errors import SkyshardError
from skyshard.serve.access import Access, Identity, Scope
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.services import Submissions
from skyshard.serve.submitted_runs import SubmittedRuns
from skyshard.serve.tap.async_routes import AsyncRoutes
from skyshard.serve.tap.examples import examples_page
from skyshard.serve.tap.fetch import UploadSources
from skyshard.serve.tap.jobs import JobFolder
from skyshard.serve.tap.parameters import TapRequest, read_parameters
from skyshard.serve.tap.tables_document import (
    XML_TYPE,
    Limits,
    availability_document,
    capabilities_document,
    table_document,
    tables_document,
)
from skyshard.serve.tap.tap_answers import TapAnswers, begin_answer, error_response
from skyshard.serve.tap.tap_catalog import TapCatalogs
from skyshard.serve.tap.tap_jobs import TapJobs
from skyshard.serve.tap_services import TapServices

Endpoint = Callable[[Request], Awaitable[Response]]
KnownEndpoint = Callable[[Request, Identity], Awaitable[Response]]


class TapDoor:
    """TAP of one process; it opens with :meth:`routes` and ends with :meth:`close`."""

    def __init__(
        self,
        services: TapServices,
        submissions: Submissions,
        lanes: Lanes,
        runs: SubmittedRuns,
        keeper: Doorkeeper,
        access: Access,
        limits: Limits,
        sources: UploadSources,
        *,
        is_open: bool,
    ) -> None:
        self._services = services
        self._lanes = lanes
        self._keeper = keeper
        self._limits = limits
        self._is_open = is_open
        self._catalogs = TapCatalogs(services)
        self._answers = TapAnswers(services, lanes, self._catalogs, limits, sources.fetch)
        self._jobs = TapJobs(JobFolder(services.folder), submissions, lanes, runs, self._answers, limits, access)

    def routes(self) -> Sequence[BaseRoute]:
        jobs = AsyncRoutes(self._jobs, self._limits, self._who, self._root)
        return [
            Route("/tap/sync", self._known(self._sync), methods=["GET", "POST"]),
            *jobs.routes(),
            Route("/tap/tables", self._known(self._tables), methods=["GET"]),
            Route("/tap/tables/{name:path}", self._known(self._table), methods=["GET"]),
            Route("/tap/capabilities", self._capabilities, methods=["GET"]),
            Route("/tap/availability", self._availability, methods=["GET"]),
            Route("/tap/examples", self._known(self._examples), methods=["GET"]),
        ]

    def phases(self) -> Mapping[str, float]:
        """How many jobs are in each phase. Asks the registry: not for the event loop."""
        return {str(phase): float(count) for phase, count in self._jobs.phases().items()}

    async def close(self) -> None:
        """End the jobs that run here, and drop what it made on the czar's server."""
        await self._jobs.close()
        await self._lanes.call(self._services.own.close)

    def _root(self, request: Request) -> str:
        return f"{str(request.base_url).rstrip('/')}/tap"

    async def _who(self, request: Request) -> Identity | Response:
        """Whose request it is, or why it is not answered."""
        return await self._keeper.allowed(request, Scope.QUERY)

    def _known(self, endpoint: KnownEndpoint) -> Endpoint:
        """An endpoint for those who may ask; its errors are VOTables."""

        async def answer(request: Request) -> Response:
            who = await self._who(request)
            if isinstance(who, Response):
                return who
            try:
                return await endpoint(request, who)
            except SkyshardError as error:
                return error_response(error)

        return answer

    async def _sync(self, request: Request, who: Identity) -> Response:
        given, limits = await read_parameters(request), self._limits.within(who.quota)
        asked = TapRequest.of(given.values, limits.default_rows, limits.most_rows)
        opened = self._answers.open(asked, given.uploads, who)
        return await begin_answer(opened, asked.format, asked.adql, asked.most_rows)

    async def _tables(self, request: Request, _: Identity) -> Response:
        catalog = await self._lanes.call(self._catalogs.now)
        detail = {name.lower(): value for name, value in request.query_params.items()}.get("detail", "max")
        text = tables_document(catalog.schemas, with_columns=detail.lower() != "min")
        return Response(text, media_type=XML_TYPE)

    async def _table(self, request: Request, _: Identity) -> Response:
        catalog = await self._lanes.call(self._catalogs.now)
        wanted = request.path_params["name"].lower()
        for schema in catalog.schemas:
            for table in schema.tables:
                if table.shown.lower() == wanted:
                    return Response(table_document(table), media_type=XML_TYPE)
        return PlainTextResponse("there is no such table\n", 404)

    async def _capabilities(self, request: Request) -> Response:
        functions = self._services.adql.user_functions
        limits = self._limits.within(await self._keeper.quota(request))
        catalog = await self._lanes.call(self._catalogs.now)
        text = capabilities_document(
            self._root(request), limits, functions, is_open=self._is_open, has_obscore=catalog.has_obscore
        )
        return Response(text, media_type=XML_TYPE, headers={"server": "skyshard"})

    async def _availability(self, request: Request) -> Response:
        return Response(availability_document(), media_type=XML_TYPE)

    async def _examples(self, request: Request, _: Identity) -> Response:
        catalog = await self._lanes.call(self._catalogs.now)
        return Response(examples_page(catalog.schemas), media_type="application/xhtml+xml")
