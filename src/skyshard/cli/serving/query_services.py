"""Statements, submitted ones and catalogs, of a testbed."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import skyshard
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.history.query_history import HistoryRow
from skyshard.serve.services import LaneName, Open, OpenAnswer, PastQuery, Wanted
from skyshard.serve.user_limits import Meter

LEFT_OVER_S = 60.0
"""A query that has waited so long for its process has none."""


class TestbedQueries:
    """``Queries`` of a testbed's czar."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    def lane(self, sql: str, database: str) -> LaneName:
        return "scan" if self._testbed.czar.lane(sql, database) == "scan" else "interactive"

    def open(self, sql: str, database: str) -> AbstractContextManager[OpenAnswer]:
        return self._testbed.czar.open(sql, database)

    def prepare(self, sql: str, database: str) -> tuple[LaneName, Open]:
        """A scan may wait for its thread, and is planned there."""
        czar = self._testbed.czar
        ahead = czar.plan_ahead(sql, database)
        if ahead.lane == "scan":
            return "scan", lambda: czar.open(sql, database)
        return "interactive", lambda: czar.open(sql, database, ahead=ahead)

    def explain(self, sql: str, database: str) -> Mapping[str, Any]:
        return self._testbed.czar.explain(sql, database).as_dict()

    def analyze(self, sql: str, database: str) -> Mapping[str, Any]:
        return self._testbed.czar.analyze(sql, database).as_dict()

    def cancel(self, query: str) -> bool:
        return self._testbed.czar.cancel(query)

    def written_out(self, sql: str, database: str) -> str:
        return self._testbed.czar.written_out(sql, database)


class TestbedSubmissions:
    """``Submissions`` of a testbed: its history, and results in the cluster's folder."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    def submit(self, sql: str, database: str, owner: str, limit_s: float = 0.0) -> int:
        return self._testbed.submitted.submit(sql, database, owner, limit_s)

    def run(self, number: int, meter: Meter | None = None) -> None:
        self._testbed.submitted.run(number, self._testbed.czar, meter)

    def left_over(self) -> Sequence[int]:
        return self._testbed.registry.history.waiting_since(time.time() - LEFT_OVER_S)

    def status(self, number: int) -> PastQuery:
        self._testbed.submitted.status(number)
        return past_query(self._testbed.registry.history.get(number))

    def result(self, number: int) -> OpenAnswer:
        return self._testbed.submitted.open(number)

    def cancel(self, number: int) -> PastQuery:
        self._testbed.submitted.cancel(number)
        return self.status(number)

    def delete_result(self, number: int) -> None:
        self._testbed.submitted.delete(number)

    def find(self, wanted: Wanted) -> list[PastQuery]:
        found = self._testbed.registry.history.find(
            wanted.most, states=wanted.states, text=wanted.text, database=wanted.database, since_s=wanted.since_s,
            until_s=wanted.until_s, below=wanted.below, owner=wanted.owner, most_bytes=wanted.most_bytes,
        )  # fmt: skip
        return [past_query(row) for row in found]

    def kept_of(self, owner: str) -> int:
        return self._testbed.registry.history.kept_of(owner)

    def states(self, numbers: Collection[int]) -> Mapping[int, str]:
        return self._testbed.registry.history.states(numbers)


class TestbedCatalogs:
    """``Catalogs`` of a testbed's registry."""

    __test__ = False

    def __init__(self, testbed: skyshard.Testbed) -> None:
        self._testbed = testbed

    def generation(self) -> int:
        return self._testbed.registry.published.generation()

    def databases(self) -> list[str]:
        return self._testbed.registry.published.databases()

    def catalog(self, name: str) -> Catalog:
        return self._testbed.registry.published.catalog(name)


def past_query(row: HistoryRow) -> PastQuery:
    """A row of the history as doors see it."""
    return PastQuery(
        row["id"], row["is_async"], row["database"], row["statement"], str(row["state"]), row["kind"], row["lane"],
        row["submitted_s"], row["begun_s"], row["ended_s"], row["chunks"], row["chunks_done"], row["rows"],
        row["bytes"], row["error"], row["owner"], row["column_bytes"],
    )  # fmt: skip
