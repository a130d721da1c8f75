"""Ingest over hosts: the same rows as on one host, each once, whatever is lost at whatever stage.

``SKYSHARD_FAULTS=all`` strikes every stage with every fault; otherwise a few of them are.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.host_faults import clock
from tests.support.hosts import Lab, Running
from tests.support.ray_lab import CZAR, RayLab, ray_lab
from tests.support.small_match import write_catalog as write_match
from tests.support.tract_files import first_files

from skyshard.cluster.cluster import Cluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(1200)]
RECIPE = str(data_folder("synth", "recipes") / "mini.yaml")
STAGES = ("partition Object", "partition Source", "load", "director index", "publish")
SAID_WITHIN_S = 200.0
"""From the fault to the end of the command: some 15 s for the message, and what a busy machine takes."""
BACK_WITHIN_S = 200.0
REACHED_WITHIN_S = 200.0
_INGEST = """
import sys, time
from pathlib import Path
from skyshard.basics.errors import SkyshardError
from skyshard.testbed import Testbed
cluster, source, database, stage, mark = sys.argv[1:]
def watch(progress):
    if progress.stage == stage and not Path(mark).exists():
        Path(mark).write_text("reached")
        while Path(mark).read_text() == "reached":
            time.sleep(0.02)
try:
    with Testbed(cluster) as testbed:
        testbed.ingest(source, database=database, replicas=2, watcher=watch)
except SkyshardError as error:
    sys.exit(f"{error.exit_code} {error}")
"""
Fault = Callable[[RayLab], None]


def pull(made: RayLab) -> None:
    made.lab["node2"].pull_cable()


def plug(made: RayLab) -> None:
    made.lab["node2"].plug()


def freeze(made: RayLab) -> None:
    made.lab["node2"].freeze()


def thaw(made: RayLab) -> None:
    made.lab["node2"].thaw()


def cut_power(made: RayLab) -> None:
    made.lab["node2"].kill()


def boot(made: RayLab) -> None:
    made.lab["node2"].boot()
    made.restart("node2")


def kill_head(made: RayLab) -> None:
    made.kill_ray(CZAR)
    assert made.czar.run("pgrep", "-r", "D,R,S", "gcs_server|raylet", check=False).stdout == ""


def start_head(made: RayLab) -> None:
    made.start_ray(CZAR)


FAULTS: dict[str, tuple[Fault, Fault, str]] = {
    "cable": (pull, plug, "node2"),
    "frozen": (freeze, thaw, "node2"),
    "power": (cut_power, boot, "node2"),
    "head": (kill_head, start_head, "Ray"),
}
SOME = [("cable", "load")]
STRUCK = list(itertools.product(FAULTS, STAGES)) if os.environ.get("SKYSHARD_FAULTS") == "all" else SOME
"""Which fault, and at which stage."""


@pytest.fixture(scope="module")
def made(lab: Lab) -> Iterator[RayLab]:
    with ray_lab(lab, nodes=2) as found:
        yield found


def left_on_hosts(made: RayLab, database: str) -> list[str]:
    folders = [made.lab[name].folder / "staging" / database for name in made.nodes]
    return [str(path) for folder in [*folders, made.cluster / "staging" / database] for path in folder.rglob("*")]


def assert_good(made: RayLab, database: str) -> None:
    found = made.skyshard("verify", database, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert left_on_hosts(made, database) == []


INGEST = """
testbed.ingest(argv[0], database=argv[1], replicas=2)
require_good(argv[1])
"""


def test_rows_are_the_same_as_on_one_host(made: RayLab, testbed: Testbed) -> None:
    """Two copies of each chunk over hosts by TLS: verified, and every table's digest is that of a private cluster."""
    made.skyshard("ingest", RECIPE, "--database", "same", "--replicas", "2")
    assert_good(made, "same")
    testbed.ingest(RECIPE, database="same", replicas=2)
    assert digests_over(made, "same") == digests_of(testbed, "same")


def digests_over(made: RayLab, database: str) -> str:
    with made.czar.network(), Testbed(made.cluster) as testbed:
        return digests_of(testbed, database)


def last_verified_s(made: RayLab, database: str) -> float:
    endpoint = Cluster.at(str(made.cluster)).endpoint("czar")
    with made.czar.network(), connect(endpoint, Account.ADMIN, "skyshard_registry") as admin:
        return float(str(admin.value("SELECT MAX(verified_s) FROM replicas WHERE `database` = %s", [database])))


def digests_of(testbed: Testbed, database: str) -> str:
    stored = testbed.registry.published.stored_catalog(database).database
    return str(sorted((one.target, one.rows, one.digest) for one in testbed.registry.replicas.all(stored)))


def test_a_match_table_is_the_same_as_on_one_host(made: RayLab, testbed: Testbed) -> None:
    """From files that only the czar's host sees: verified, joined, every digest that of a private cluster."""
    folder = made.czar.folder / "tmp" / "match"
    folder.mkdir()
    source = str(write_match(folder))
    made.at_once(INGEST, source, "matched")
    assert left_on_hosts(made, "matched") == []
    testbed.ingest(source, database="matched", replicas=2)
    assert digests_over(made, "matched") == digests_of(testbed, "matched")
    sql = "SELECT COUNT(*), SUM(o.id * m.id2) FROM Object o JOIN Match m ON o.id = m.id1"
    found = made.skyshard("query", sql, "--database", "matched", "--format", "csv", "--no-header").stdout
    assert found.strip() == ",".join(map(str, testbed.query(sql, database="matched").table.to_pylist()[0].values()))


def test_rows_are_traced_repaired_and_dropped(made: RayLab) -> None:
    """Where a row is from; a file that a host has lost is found and made again from the other host; a drop leaves
    nothing on any host."""
    folder = made.czar.folder / "tmp" / "tracts"
    folder.mkdir()
    files = first_files(folder)
    made.at_once(INGEST, str(files.mapping), files.database)
    origin = json.loads(made.skyshard("where-from", files.database, "Object", "11", "--json").stdout)
    [row] = origin["rows"]
    assert (row["file"]["path"], row["row"]) == (str(files.path("Object", 2)), 1)
    before = digests_over(made, files.database)
    held = sorted((made.lab["node1"].folder / "mysql").rglob(f"{files.database}/Object_[0-9]*.MYD"))
    lost = next(path for path in held if path.stat().st_size)
    made.lab["node1"].run("rm", str(lost))
    made.at_once(
        """
        assert [bool(one.faults) for one in testbed.replicas.verify(argv[0])] == [True]
        testbed.replicas.repair(argv[0])
        require_good(argv[0])
        """,
        files.database,
    )
    assert lost.stat().st_size
    assert left_on_hosts(made, files.database) == []
    assert digests_over(made, files.database) == before
    made.skyshard("drop", files.database, "--yes")
    hosts = [made.lab[name].folder for name in (CZAR, *made.nodes)]
    assert [path for folder in hosts for path in folder.rglob(f"*{files.database}*") if path.is_dir()] == []


AGAIN = """
testbed.ingest(argv[0], database=argv[1], replicas=2)
testbed.compact(argv[1])
assert all(one.is_good for one in testbed.replicas.verify(argv[1]))
require_good(argv[1])
"""


def test_a_clock_that_is_an_hour_off_is_remarked_and_changes_nothing(made: RayLab) -> None:
    """Of a node's server: rows, times of verification, the grace of retired tables and fail-over are as ever, also when
    the clock jumps back."""
    folder = made.czar.folder / "tmp" / "late"
    folder.mkdir()
    files = first_files(folder)
    count = ("query", "SELECT COUNT(*) FROM Object", "--database", files.database, "--format", "csv", "--no-header")
    made.restart_server("node2", clock("+1h"))
    try:
        checked = json.loads(made.skyshard("cluster", "check", "--json").stdout)
        [remark] = next(server for server in checked["servers"] if server["name"] == "node2")["remarks"]
        assert re.fullmatch(r"node2: its clock is 3[56]\d\d s ahead of this host's; set both by NTP", remark)
        made.at_once(INGEST, str(files.mapping), files.database)
        files.write("Object", 3, [(31, 10.05, 5.05, 1.0)])
        made.at_once(AGAIN, str(files.mapping), files.database)
        assert tables_on(made, "node2", files.database) == tables_on(made, "node1", files.database)
        assert last_verified_s(made, files.database) < time.time() + 60
        assert left_on_hosts(made, files.database) == []
        made.lab["node2"].pull_cable()
        assert made.skyshard(*count).stdout.strip() == "7"
        made.lab["node2"].plug()
    finally:
        made.lab["node2"].plug()
        made.restart_server("node2")
        made.wait_joined()
    assert made.skyshard(*count).stdout.strip() == "7"


def tables_on(made: RayLab, node: str, database: str) -> list[str]:
    return sorted(path.name for path in (made.lab[node].folder / "mysql").rglob(f"{database}/*.frm"))


def test_an_ingest_without_one_of_its_hosts_is_refused_and_leaves_nothing(made: RayLab) -> None:
    """Both copies have to be written: the host that is gone is named, and the database is not there."""
    made.lab["node2"].pull_cable()
    try:
        found = made.skyshard("ingest", RECIPE, "--database", "absent", "--replicas", "2", check=False)
    finally:
        made.lab["node2"].plug()
    assert found.returncode == 3, found.stderr
    assert "node2" in found.stderr
    assert "absent" not in made.skyshard("databases").stdout
    made.wait_joined()


@pytest.mark.parametrize(("fault", "stage"), STRUCK)
def test_what_is_lost_on_the_way_is_made_again(made: RayLab, fault: str, stage: str) -> None:
    """The command ends with an error that names what is gone; once that is back, the same command loses no row and
    doubles none."""
    strike, mend, named = FAULTS[fault]
    database = f"{fault}_{stage.replace(' ', '_')}"
    mark = made.czar.folder / "tmp" / database
    arguments = (str(made.cluster), RECIPE, database, stage, str(mark))
    driver = made.czar.start(sys.executable, "-c", _INGEST, *arguments)
    wait_for(mark.exists, driver)
    strike(made)
    struck = time.monotonic()
    mark.write_text("go on")
    code = driver.wait(SAID_WITHIN_S)
    took_s = time.monotonic() - struck
    mend(made)
    if code:
        assert driver.output.startswith("3 "), driver.output
        assert named in driver.output
    made.wait_joined()
    end = time.monotonic() + BACK_WITHIN_S
    while (again := made.skyshard("ingest", RECIPE, "--database", database, "--replicas", "2", check=False)).returncode:
        assert again.returncode == 3, again.stderr
        assert time.monotonic() < end, again.stderr
        time.sleep(1)
    assert_good(made, database)
    print(f"{fault} at {stage}: {took_s:.1f} s, {driver.output.strip()[:200]}")


def wait_for(is_so: Callable[[], bool], driver: Running) -> None:
    end = time.monotonic() + REACHED_WITHIN_S
    while not is_so():
        assert driver.is_running, driver.output
        assert time.monotonic() < end, driver.output
        time.sleep(0.02)
