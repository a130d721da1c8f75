"""What a door asks, of a czar over a ``Sky`` that no registry knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.support.played_services import PlayedQueries, played_services
from tests.support.trouble_sky import Sky

from skyshard.cluster.door_server import DoorServer
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.serve.services import EmptyServer, LaneName, Open, OpenAnswer, Services

GENERATION = 1


@dataclass
class SkyQueries:
    """Statements of one of its czars."""

    sky: Sky

    def lane(self, sql: str, database: str) -> LaneName:
        return "scan" if self.sky.czar.lane(sql, database) == "scan" else "interactive"

    @contextlib.contextmanager
    def open(self, sql: str, database: str) -> Iterator[OpenAnswer]:
        with self.sky.czar.open(sql, database) as answer:
            answer.generation = GENERATION
            yield answer

    def prepare(self, sql: str, database: str) -> tuple[LaneName, Open]:
        return self.lane(sql, database), lambda: self.open(sql, database)

    def explain(self, sql: str, database: str) -> Mapping[str, Any]:
        return self.sky.czar.explain(sql, database).as_dict()

    def analyze(self, sql: str, database: str) -> Mapping[str, Any]:
        return self.sky.czar.analyze(sql, database).as_dict()

    def cancel(self, query: str) -> bool:
        return self.sky.czar.cancel(query)

    def written_out(self, sql: str, database: str) -> str:
        return self.sky.czar.written_out(sql, database)


@dataclass
class SkyCatalogs:
    """Its only database, which never changes."""

    sky: Sky

    def generation(self) -> int:
        return GENERATION

    def databases(self) -> list[str]:
        return self.sky.databases()

    def catalog(self, name: str) -> Catalog:
        return self.sky.catalog(name)


def sky_services(sky: Sky, server: EmptyServer | DoorServer) -> Services:
    """Without submitted queries, open to all."""
    played = played_services(PlayedQueries({}))
    return replace(played, queries=SkyQueries(sky), catalogs=SkyCatalogs(sky), empty_server=server)
