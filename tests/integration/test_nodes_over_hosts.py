"""A third host comes to a cluster of two, is filled, and leaves again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.hosts import Lab
from tests.support.running_site import BETWEEN_COMMANDS_S, SOCKET, RunningSite, running_site, wait_until

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(900)]
COUNT = "SELECT COUNT(*) AS n, SUM(objectId % 1000) AS total FROM Object WHERE ra > 0"


def test_a_third_host_is_added_filled_and_removed(lab: Lab) -> None:
    """Refused while it does not run; then it has what every node has, and gets new chunks."""
    with running_site(lab, nodes=2, silence_s=15.0) as site:  # no server is silent, but some are slow
        site.skyshard("ingest", "mini", "--database", "sky", "--replicas", "2")
        before = counted(site, "sky")
        site.prepare("node3", ["node1", "node2", "node3"])
        wider = str(lab.own / "wider.yaml")
        (lab["czar"].folder / "wider.yaml").write_text((lab["node3"].folder / "cluster.yaml").read_text())
        refused = site.skyshard("nodes", "add", "--file", wider, check=False)
        assert (refused.returncode, "node3" in refused.stderr.splitlines()[-1]) == (3, True), refused.stderr
        assert [one["name"] for one in listed(site)] == ["node1", "node2"]
        site.launch("node3")
        added: list[Any] = []

        def is_added() -> bool:
            found = site.skyshard("nodes", "add", "--file", wider, "--json", check=False)
            if found.returncode == 0:
                added.extend(json.loads(found.stdout))
            return found.returncode == 0

        wait_until((lab["node3"].folder / SOCKET).exists, "node3 listens", site.supervisors["node3"])
        wait_until(is_added, "node3 is added", site.supervisors["node3"], every_s=BETWEEN_COMMANDS_S)
        assert [(one["node"], one["databases"], one["left"]) for one in added] == [("node3", 1, {})]
        site.skyshard("ingest", "mini", "--database", "three", "--replicas", "3")
        for name in ("sky", "three"):
            site.skyshard("verify", name)
            assert counted(site, name) == before
        site.skyshard("replicas", "status")
        [third] = [one for one in listed(site) if one["name"] == "node3"]
        assert (third["state"], third["answers"], third["chunks"] > 0) == ("active", True, True)
        held = site.skyshard("nodes", "remove", "node3", check=False)
        assert (held.returncode, "replicas drain node3" in held.stderr) == (2, True)
        site.skyshard("drop", "three", "--yes", "--grace", "0")
        site.skyshard("nodes", "remove", "node3")
        assert [one["name"] for one in listed(site)] == ["node1", "node2"]
        site.skyshard("replicas", "status")
        again = site.skyshard("nodes", "add", "--file", wider, check=False)
        assert (again.returncode, "there was a node node3" in again.stderr) == (2, True)
        assert counted(site, "sky") == before


def counted(site: RunningSite, database: str) -> Any:
    return json.loads(site.skyshard("query", COUNT, "--database", database, "--format", "json").stdout)["rows"]


def listed(site: RunningSite) -> Any:
    return json.loads(site.skyshard("nodes", "list", "--json").stdout)
