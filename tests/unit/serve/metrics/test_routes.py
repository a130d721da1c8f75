"""What a scrape shows, parsed as Prometheus does; the registry is played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx2 as httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from tests.support.played_services import PlayedHealth, PlayedMeasures, PlayedQueries, played_services

from skyshard.serve.access import EVERYONE, Identity
from skyshard.serve.doors import Work, http_routes, safe_app
from skyshard.serve.serve_file import ServeFile
from skyshard.serve.services import SECONDS, EndedSums

QUICK = EndedSums("completed", "interactive", 3, 0.06, 3, 100, (0, 1, *[3] * (len(SECONDS) - 2)))
SCAN = EndedSums("failed", "scan", 1, 90.0, 40, 5000, (*[0] * (len(SECONDS) - 2), 1, 1))


@pytest.fixture
def measures() -> PlayedMeasures:
    return PlayedMeasures({1: QUICK, 2: SCAN}, settled=1, rows={1: 10, 2: 5})


@pytest.fixture
def client(measures: PlayedMeasures) -> Iterator[httpx.Client]:
    services = replace(played_services(PlayedQueries({})), measures=measures, health=PlayedHealth())
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as made:
        yield made
    work.lanes.close()


def scraped(client: httpx.Client) -> dict[str, float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in families for sample in family.samples
    }  # fmt: skip


def test_a_scrape_shows_what_has_ended_and_what_is(client: httpx.Client) -> None:
    """Queries by state and lane, their times as a histogram, rows, nodes, replicas."""
    found = scraped(client)
    assert found["skyshard_queries_total interactive completed"] == 3
    assert found["skyshard_queries_total scan failed"] == 1
    assert [found[f"skyshard_query_seconds_bucket {le}"] for le in ("0.005", "0.01", "60.0", "300.0", "+Inf")] == [
        0, 1, 3, 4, 4,
    ]  # fmt: skip
    assert (found["skyshard_query_seconds_count"], found["skyshard_query_seconds_sum"]) == (4, 90.06)
    assert (found["skyshard_chunks_scanned_total"], found["skyshard_bytes_merged_total"]) == (43, 5100)
    assert (found["skyshard_node_up node1"], found["skyshard_node_up node2"]) == (1, 0)
    assert (found["skyshard_ingest_rows_total"], found["skyshard_replicas good"]) == (15, 7)
    assert found["skyshard_column_bytes_total"] == 4096


def test_sessions_of_the_mysql_door_are_counted() -> None:
    """Those that are open now, of the process that is asked."""
    work = Work(played_services(PlayedQueries({})), ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        assert scraped(client)["skyshard_wire_connections"] == 0
        with work.sessions.entered(PlayedSession(7)), work.sessions.entered(PlayedSession(8)):
            assert scraped(client)["skyshard_wire_connections"] == 2
        assert scraped(client)["skyshard_wire_connections"] == 0
    work.lanes.close()


@dataclass
class PlayedSession:
    """A session that nobody asks anything."""

    thread: int
    who: Identity = EVERYONE
    is_busy: bool = False

    def stop(self) -> None:
        raise AssertionError

    def stop_statement(self) -> bool:
        raise AssertionError


def test_counters_do_not_fall_when_the_history_forgets(client: httpx.Client, measures: PlayedMeasures) -> None:
    """What has settled is read once, and stays counted when its rows are gone."""
    before = scraped(client)
    measures.settled = 2
    scraped(client)
    measures.ended = {3: replace(QUICK, queries=1)}
    measures.rows = {}
    after = scraped(client)
    name = "skyshard_queries_total interactive completed"
    assert after[name] == before[name] + 1
    assert after["skyshard_queries_total scan failed"] == 1
    assert after["skyshard_ingest_rows_total"] == 15
    assert measures.asked_after == [0, 1, 2]


def test_a_registry_that_is_gone_is_said_without_its_place(client: httpx.Client, measures: PlayedMeasures) -> None:
    """The scrape fails; nothing is shown as 0."""
    measures.is_lost = True
    found = client.get("/metrics")
    assert (found.status_code, found.text) == (503, "the registry cannot be read now\n")


def test_health_says_whether_it_can_answer(client: httpx.Client) -> None:
    """Alive and ready are two things."""
    assert client.get("/health/live").text == "ok\n"
    assert (client.get("/health/ready").status_code, client.get("/health/ready").text) == (200, "ok\n")


def test_what_is_not_ready_says_why() -> None:
    """With the status that takes it out of a load balancer."""
    services = replace(played_services(PlayedQueries({})), health=PlayedHealth(["the czar's server does not answer"]))
    work = Work(services, ServeFile(http="127.0.0.1:0", open=True))
    with TestClient(safe_app(http_routes(work), work.settings), base_url="http://localhost") as client:
        found = client.get("/health/ready")
        assert (found.status_code, found.text) == (503, "the czar's server does not answer\n")
        assert client.get("/health/live").status_code == 200
    work.lanes.close()
