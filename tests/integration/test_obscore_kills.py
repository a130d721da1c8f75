"""``skyshard obscore`` killed with -9: what is shown is whole, the next run goes on, nothing is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import life_driver
from tests.support.depth import how_many
from tests.support.visit_release import detectors_table, patches_table, write_release
from tests.support.warm_processes import WarmProcess, warm_exit_code

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
ROUNDS = max(2, how_many("SKYSHARD_OBSCORE_KILLS", 2))
"""Instants of a run at which it is killed: one of its first quarter, the others of what follows, all drawn."""


@pytest.fixture(scope="module")
def sky(own_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Two releases, of other visits."""
    with Testbed(own_cluster.folder) as testbed:
        for seed, name in enumerate(("one", "two"), 1):
            folder = tmp_path_factory.mktemp(name)
            testbed.ingest(write_release(folder, detectors_table(seed), patches_table(seed), name), runtime="inline")
        yield testbed


def images(testbed: Testbed, database: str) -> list[str]:
    """Every image with its polygon, in order; none where the table is not there."""
    if database not in {one.database for one in testbed.databases() if one.state == "published"}:
        return []
    found = testbed.query("SELECT obs_publisher_did, s_region FROM ObsCore", database=database).table
    return sorted(map(" ".join, zip(found[0].to_pylist(), found[1].to_pylist(), strict=True)))


def undisturbed(testbed: Testbed, database: str, said: Path) -> int:
    """How many instants a run has."""
    words = (str(testbed.cluster.folder), "0", "obscore", "two", database)
    assert WarmProcess(said, os.environ, life_driver.main, *words).wait() == 0, said.read_text()
    count = int(said.read_text().split()[-1])
    assert count > 20
    return count - 5  # how often a beat comes in between differs a little


def require_clean(testbed: Testbed, database: str, expected: list[str]) -> None:
    """The rows are all there once, on each node, and of no other run there is anything."""
    assert images(testbed, database) == expected
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert {one.database for one in testbed.databases()} == {"one", "two", database}
    assert [path.suffix for path in (testbed.cluster.folder / "obscore").iterdir()] == [""]
    for node in testbed.cluster.node_names:
        with connect(testbed.cluster.endpoint(node), Account.ADMIN) as server:
            tables = "SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME = 'ObsCore'"
            assert len(list(server.rows(tables))) == 1


@pytest.mark.parametrize("is_replaced", [False, True], ids=["first", "replaced"])
def test_killed_run_is_gone_on_with(sky: Testbed, is_replaced: bool, tmp_path: Path) -> None:
    """At any instant: while rows are written or ingested, while names change, while what was before goes."""
    sky.obscore("one", into="ivoa", grace_s=0)
    before = images(sky, "ivoa") if is_replaced else []
    if not is_replaced:
        sky.drop("ivoa")
    last = undisturbed(sky, "ivoa", tmp_path / "said")
    early = last // 4
    places = [random.randint(1, early), *sorted(random.sample(range(early + 1, last + 1), ROUNDS - 1))]
    print(f"instants {places} of {last}")
    after = images(sky, "ivoa")
    assert len(set(after)) == len(after) == 3 * 72 + 2 * 2 * 24
    seen = set()
    for place in places:
        if is_replaced:
            sky.obscore("one", into="ivoa", grace_s=0)
        else:
            sky.drop("ivoa")
        assert images(sky, "ivoa") == before
        code = warm_exit_code(life_driver.main, str(sky.cluster.folder), str(place), "obscore", "two", "ivoa")
        assert code == -signal.SIGKILL, place
        shown = images(sky, "ivoa")
        assert shown in (before, after), place
        seen.add(shown == after)
        sky.obscore("two", into="ivoa", grace_s=0)
        require_clean(sky, "ivoa", after)
    assert False in seen
    sky.drop("ivoa")


def test_other_rows_take_the_place_of_what_a_killed_run_left(sky: Testbed, tmp_path: Path) -> None:
    """A run of one release is killed in the middle of its ingest; the next is of another."""
    place = undisturbed(sky, "ivoa", tmp_path / "said") // 2
    two = images(sky, "ivoa")
    sky.drop("ivoa")
    code = warm_exit_code(life_driver.main, str(sky.cluster.folder), str(place), "obscore", "two", "ivoa")
    assert code == -signal.SIGKILL
    sky.obscore("one", into="ivoa", grace_s=0)
    one = images(sky, "ivoa")
    assert len(set(one)) == len(one) == len(two)
    assert not set(one) & set(two)
    require_clean(sky, "ivoa", one)
    sky.drop("ivoa")


def test_database_in_the_way_is_never_dropped(sky: Testbed, tmp_path: Path) -> None:
    """The name under which the table is made may be taken by tables of a user."""
    sky.ingest(write_release(tmp_path, detectors_table(7, 1), None, "mine"), database="ivoa_next", runtime="inline")
    with pytest.raises(UserError, match="database 'ivoa_next' is in the way"):
        sky.obscore("one", into="ivoa")
    rows = sky.query("SELECT COUNT(*) AS n FROM VisitDetector", database="ivoa_next").table
    assert rows["n"].to_pylist() == [6]
    sky.drop("ivoa_next")
