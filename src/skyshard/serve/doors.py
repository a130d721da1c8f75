"""Which doors there are, from what ``serve.yaml`` or the options say; the rooms of this floor meet here."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence

from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp

from skyshard.basics.errors import SkyshardError
from skyshard.host.freed_memory import give_back_memory
from skyshard.serve.admission import Admission
from skyshard.serve.door import Address, Door, tls_context
from skyshard.serve.http.http_door import HttpDoor
from skyshard.serve.http.safety import Safety, answered_names
from skyshard.serve.http.single_slashes import SingleSlashes
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.metrics.routes import Monitoring
from skyshard.serve.mysql.door_sessions import DoorSessions
from skyshard.serve.mysql.mysql_door import MysqlDoor
from skyshard.serve.page.routes import Page
from skyshard.serve.qserv.coded_answers import PREFIX
from skyshard.serve.qserv.contributed_files import Allowed
from skyshard.serve.qserv.contributions import Contributions
from skyshard.serve.qserv.czar_rest import CzarRest
from skyshard.serve.qserv.ingest_json import Place
from skyshard.serve.qserv.ingest_rest import IngestRest
from skyshard.serve.qserv.ingest_state import IngestState
from skyshard.serve.run_doors import House
from skyshard.serve.serve_file import HTTP, INGEST, MYSQL, ServeFile
from skyshard.serve.services import Services
from skyshard.serve.submitted_runs import SubmittedRuns
from skyshard.serve.tap.fetch import UploadSources
from skyshard.serve.tap.tables_document import Limits
from skyshard.serve.tap.tap_door import TapDoor

CSV, TAP = "/ingest/csv", "/tap/"
"""Beginnings of paths to which tables are brought."""
UPKEEP_S = 60.0
"""Between two looks for queries whose process is gone; so long memory that answers took is kept for the next ones."""
CONNECTIONS = "skyshard_wire_connections"
JOBS = "skyshard_tap_jobs"
KEPT_S = 7 * 86_400
"""So long results of submitted queries, and the jobs of TAP, are kept."""


class Work:
    """What is behind the doors: threads, and submitted queries."""

    def __init__(self, services: Services, settings: ServeFile) -> None:
        self.services = services
        self.settings = settings
        self.lanes = Lanes(services.queries, interactive=settings.interactive_threads, scan=settings.scan_threads)
        self.runs = SubmittedRuns(services.submissions, self.lanes, services.access)
        self.admission = Admission(services.access, self.lanes)
        self.keeper = Doorkeeper(self.admission)
        rows, most_rows, uploaded = settings.tap_rows, settings.tap_most_rows, settings.tap_upload_rows
        most_bytes = int(settings.tap_upload_mb * 1e6)
        limits = Limits(rows, most_rows, settings.tap_duration_s, KEPT_S, uploaded, most_bytes)
        sources = UploadSources(most_bytes, settings.tap_upload_hosts, has_loopback=settings.open)
        self.tap = TapDoor(
            services.tap, services.submissions, self.lanes, self.runs, self.keeper, services.access, limits, sources,
            is_open=settings.open,
        )  # fmt: skip
        self.sessions = DoorSessions()
        self.page = Page(services, self.lanes, self.runs, self.keeper)
        self._upkeep: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """As of ``Behind``: what was left over is run, now and later: a process that was killed is known as gone after
        a while only."""
        await self.runs.resume()
        self._upkeep = asyncio.get_running_loop().create_task(self._keep_up())

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_S)
            await self.lanes.call(give_back_memory)
            with contextlib.suppress(SkyshardError):  # the next look may find the czar's server
                await self.runs.resume()

    async def _end_upkeep(self) -> None:
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.wait([self._upkeep])

    async def drain(self, seconds: float) -> None:
        """As of ``Behind``; the page's streams end at once."""
        await self._end_upkeep()
        await self.page.live.close()
        await self.runs.drain(seconds)

    async def close(self) -> None:
        """As of ``Behind``."""
        await self._end_upkeep()
        await self.page.live.close()
        await self.runs.close()
        await self.tap.close()
        await self.lanes.end()


def build_house(services: Services, settings: ServeFile) -> House:
    """The doors that are to be opened, and what is behind them; nothing listens yet.

    Raises:
        UserError: a certificate that cannot be used.
    """
    tls = tls_context(settings.certificate, settings.key) if settings.certificate and settings.key else None
    work = Work(services, settings)
    doors = [_door(name, address, work, tls) for name, address in settings.addresses.items()]
    return House(doors, work)


def _door(name: str, address: Address, work: Work, tls: ssl.SSLContext | None) -> Door:
    """Off loopback doors speak TLS; on loopback only where a certificate is given."""
    if name == HTTP:
        return HttpDoor(HTTP, address, safe_app(http_routes(work), work.settings), tls)
    if name == MYSQL:
        return MysqlDoor(MYSQL, address, work.services, work.lanes, work.runs, work.admission, tls, work.sessions)
    return _ingest_door(address, work, tls)


def _ingest_door(address: Address, work: Work, tls: ssl.SSLContext | None) -> Door:
    """Where Qserv's ingest clients come; its socket is opened first, since answers name its port."""
    listening = address.listen()
    place = address.at(listening)
    return HttpDoor(INGEST, place, ingest_app(place, work), tls, listening)


def ingest_app(place: Address, work: Work) -> ASGIApp:
    """The ingest REST, which tells clients that it is at this place."""
    settings = work.settings
    is_free = settings.open and not (settings.ingest_folders or settings.ingest_hosts)
    allowed = Allowed(settings.ingest_folders, settings.ingest_hosts, everything=is_free)
    state = IngestState(work.services.ingests.folder)
    contributions = Contributions(state, allowed, limit_bytes=int(settings.upload_mb * 1e6), ending=work.lanes.ending)
    contributions.recover()
    rest = IngestRest(
        work.services.ingests, state, contributions, work.lanes, Place(place.host, place.port), settings.qserv_version
    )
    return SingleSlashes(safe_app(rest.routes(work.keeper), settings))


def http_routes(work: Work) -> Sequence[BaseRoute]:
    """What the HTTP door answers: the czar's REST at the root, TAP below ``/tap``, the page below ``/ui``, and what
    monitoring reads."""
    czar = CzarRest(work.services, work.lanes, work.runs, version=work.settings.qserv_version)
    gauges = {CONNECTIONS: ("Sessions of the MySQL door.", lambda: float(len(work.sessions)))}
    labelled = {JOBS: ("Jobs of TAP that are kept, of all processes.", "phase", work.tap.phases)}
    monitoring = Monitoring(work.services, work.lanes, work.keeper, gauges, labelled)
    return [*czar.routes(work.keeper), *monitoring.routes(), *work.tap.routes(), *work.page.routes()]


def safe_app(routes: Sequence[BaseRoute], settings: ServeFile) -> ASGIApp:
    """An app of routes, without redirects, behind what makes it safe."""
    app = Router(routes, redirect_slashes=False)
    most = int(settings.upload_mb * 1e6)
    limits = {CSV: most, f"{PREFIX}{CSV}": most, TAP: int(settings.tap_upload_mb * 1e6)}
    names = answered_names(settings.addresses.values(), settings.hosts)
    return Safety(app, names, int(settings.body_mb * 1e6), limits)
