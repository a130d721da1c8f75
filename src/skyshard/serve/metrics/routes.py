"""``/metrics`` for Prometheus, ``/health/live`` and ``/health/ready`` for whoever starts and stops the process."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from skyshard.basics.errors import SkyshardError
from skyshard.serve.access import Scope
from skyshard.serve.http.who_asks import Doorkeeper
from skyshard.serve.lanes import Lanes
from skyshard.serve.metrics.collector import Gauges, LabelledGauges, SkyshardCollector
from skyshard.serve.services import Services


class Monitoring:
    """Its routes. Health is told to everybody, metrics to tokens of any scope."""

    def __init__(
        self,
        services: Services,
        lanes: Lanes,
        keeper: Doorkeeper,
        gauges: Gauges | None = None,
        labelled: LabelledGauges | None = None,
    ) -> None:
        self._services = services
        self._lanes = lanes
        self._keeper = keeper
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(SkyshardCollector(services.measures, gauges, labelled))

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self._metrics),
            Route("/health/live", self._live),
            Route("/health/ready", self._ready),
        ]

    async def _metrics(self, request: Request) -> Response:
        refused = await self._keeper.refusal(request, Scope.QUERY)
        if refused is not None:
            return refused
        try:
            text = await self._lanes.call(generate_latest, self._registry)
        except SkyshardError:
            return PlainTextResponse("the registry cannot be read now\n", 503)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

    async def _live(self, request: Request) -> Response:
        """The event loop turns."""
        return PlainTextResponse("ok\n")

    async def _ready(self, request: Request) -> Response:
        faults = await self._lanes.call(self._services.health.faults)
        return PlainTextResponse("\n".join(faults or ["ok"]) + "\n", 503 if faults else 200)
