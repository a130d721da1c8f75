"""TAP of a real ``skyshard serve`` with real clients: pyvo, and stilts where it is installed."""

from __future__ import annotations

import contextlib
import gc
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvo
from astropy.table import Table
from pyvo.utils.http import create_session
from tests.support.served import served
from tests.support.small_catalog import write_small_catalog

from skyshard.chunking.sphere import Circle, Polygon
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed

LEFT_OPEN = "ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"
"""pyvo leaves answers that it does not read to the end to the garbage collector."""
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings(LEFT_OPEN)]

DATABASE = "tap_sky"


@pytest.fixture(scope="module")
def sky(own_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed(own_cluster.folder) as testbed:
        testbed.ingest(write_small_catalog(tmp_path_factory.mktemp("source"), database=DATABASE), runtime="inline")
        yield testbed


@pytest.fixture(scope="module")
def root(sky: Testbed) -> Iterator[str]:
    """The address of TAP; when it has ended, nothing of it is left on any server."""
    with served(sky.cluster.folder, "--http", "127.0.0.1:0", "--open") as process:
        yield f"{process.doors['http'].rstrip('/')}/tap"
        gc.collect()  # what pyvo left open: later it would be found in the tests of another file
        assert process.end() == 0, process.said
    for name in ("czar", *sky.nodes):
        with connect(sky.cluster.endpoint(name), Account.READER) as connection:
            assert connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}") == []


@pytest.fixture(scope="module")
def service(root: str) -> Iterator[pyvo.dal.TAPService]:
    with contextlib.closing(create_session()) as session:
        yield pyvo.dal.TAPService(root, session=session)


REGIONS: dict[str, Circle | Polygon] = {
    "CIRCLE(0, 0, 0.06)": Circle(0, 0, 0.06),
    "CIRCLE('ICRS', 45, 90, 1.2)": Circle(45, 90, 1.2),
    "POLYGON(150, 2.1, 150.2, 2.1, 150.1, 2.3)": Polygon.of(150, 2.1, 150.2, 2.1, 150.1, 2.3),
    "BOX(359.99, -5.29, 0.1, 0.04)": Polygon.of(359.94, -5.31, 0.04, -5.31, 0.04, -5.27, 359.94, -5.27),
}


@pytest.mark.parametrize("region", REGIONS)
def test_regions_hold_the_rows_that_lie_in_them(sky: Testbed, service: pyvo.dal.TAPService, region: str) -> None:
    """Over RA 0 and at the pole; all others are outside."""
    rows = sky.query("SELECT objectId, ra, decl FROM Object", database=DATABASE).table
    inside = REGIONS[region].contains(rows["ra"].to_numpy(), rows["decl"].to_numpy())
    assert 0 < inside.sum() < len(inside)
    for wanted in (1, 0):
        query = f"SELECT objectId FROM {DATABASE}.Object WHERE CONTAINS(POINT(ra, decl), {region}) = {wanted}"
        found = service.search(query)["objectId"]
        assert sorted(found) == sorted(rows["objectId"].to_numpy()[inside == bool(wanted)])


def test_answers_are_the_czar_s(sky: Testbed, service: pyvo.dal.TAPService) -> None:
    """Every column of every table: letters, NULLs, bytes; at once, as a job, and cut at MAXREC."""
    for name in ("Object", "Source", "Filter", "Nothing"):
        want = sky.query(f"SELECT * FROM {name} ORDER BY 1", database=DATABASE)
        for found in (
            service.search(f"SELECT * FROM {DATABASE}.{name.upper()} ORDER BY 1"),
            service.run_async(f'SELECT * FROM "{DATABASE}"."{name}" ORDER BY 1'),
        ):
            table = found.to_table()
            assert tuple(table.colnames) == want.columns
            for column in want.columns:
                assert shown(table[column]) == shown(want.table[column].to_pylist()), column
    cut = service.search(f"SELECT objectId FROM {DATABASE}.Object", maxrec=7)
    assert (len(cut), cut.status[0]) == (7, "OVERFLOW")


def test_times_that_a_query_makes_are_times(sky: Testbed, service: pyvo.dal.TAPService) -> None:
    """At once and as a job: with the T between day and hour that DALI wants."""
    query = f"SELECT TOP 1 CAST('2020-01-02 03:04:05.5' AS TIMESTAMP) AS t FROM {DATABASE}.Object"
    for found in (service.search(query), service.run_async(query)):
        assert found.getdesc("t").xtype == "timestamp"
        assert str(found["t"][0]) == "2020-01-02T03:04:05.500000"


def test_letters_that_latin1_lacks_can_be_asked(sky: Testbed, service: pyvo.dal.TAPService) -> None:
    """In strings, at once and as a job; CAST loses none of them."""
    adql = (
        f"SELECT TOP 2 'α Cen' AS star, CAST('β' || 'é' AS VARCHAR(5)) AS other FROM {DATABASE}.Object WHERE 'γ' <> 'δ'"
    )
    for found in (service.search(adql), service.run_async(adql)):
        table = found.to_table()
        assert list(table["star"]) == ["α Cen"] * 2
        assert list(table["other"]) == ["βé"] * 2


def shown(values: object) -> list[str]:
    """Values as words that are equal for both; NULL is an empty text, as VOTable's readers have it."""
    return [_word(value) for value in values]  # type: ignore[attr-defined]


def _word(value: object) -> str:
    if value is None or value is np.ma.masked:
        return ""
    if isinstance(value, (bytes, np.ndarray)):
        return bytes(list(value)).hex()
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def test_uploads_are_joined_with_catalogs(sky: Testbed, service: pyvo.dal.TAPService) -> None:
    """By key and by position, at once and as a job; their tables are gone afterwards."""
    few = sky.query("SELECT objectId, ra, decl FROM Object ORDER BY objectId LIMIT 5", database=DATABASE).table
    keys = few["objectId"].to_pylist()
    mine = Table({"id": [*keys, 1], "word": ["a", "b\u00e9", "", "d", "e", "none"], "x": [np.nan, *np.arange(5.0)]})
    query = f"SELECT o.objectId, m.word, m.x FROM {DATABASE}.Object AS o JOIN TAP_UPLOAD.mine AS m ON o.objectId = m.id"
    for found in (service.search(query, uploads={"mine": mine}), service.run_async(query, uploads={"mine": mine})):
        rows = {row["objectId"]: (row["word"], row["x"]) for row in found.to_table()}
        assert sorted(rows) == keys
        assert [rows[key][0] for key in keys] == list(mine["word"][:5])
        assert rows[keys[0]][1] is np.ma.masked
    places = Table({"n": range(5), "ra": few["ra"].to_numpy(), "dec": few["decl"].to_numpy()})
    near = (
        f"SELECT p.n, o.objectId FROM {DATABASE}.Object AS o, TAP_UPLOAD.p AS p "
        "WHERE 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(p.ra, p.dec, 0.00001))"
    )
    pairs = {(int(row["n"]), int(row["objectId"])) for row in service.search(near, uploads={"p": places})}
    assert set(enumerate(keys)) <= pairs
    for name in ("czar", *sky.nodes):
        with connect(sky.cluster.endpoint(name), Account.READER) as connection:
            tables = [str(row[0]) for row in connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}")]
            assert not [table for table in tables if re.search(r"_u\d+$", table)]


def test_tap_schema_follows_what_is_published(sky: Testbed, service: pyvo.dal.TAPService) -> None:
    """Names that change, change there with the next query; an alias can be asked, and is not listed."""
    listed = "SELECT table_name FROM TAP_SCHEMA.tables WHERE schema_name <> 'TAP_SCHEMA'"
    names = {f"{DATABASE}.{name}" for name in ("Object", "Source", "Filter", "Nothing")}
    assert names <= set(service.search(listed)["table_name"])
    sky.alias("tap_alias", DATABASE)
    try:
        assert service.search("SELECT COUNT(*) AS n FROM tap_alias.Object")["n"][0] == 300
        sky.rename(DATABASE, "tap_renamed")
        assert not names & set(service.search(listed)["table_name"])
        assert service.search("SELECT COUNT(*) AS n FROM tap_renamed.Filter")["n"][0] > 0
    finally:
        sky.remove_alias("tap_alias")
        sky.rename("tap_renamed", DATABASE)


def test_a_job_is_a_submitted_query(sky: Testbed, service: pyvo.dal.TAPService) -> None:
    """One that fails says why; one that is deleted leaves neither rows nor file."""
    with pytest.raises(pyvo.dal.DALQueryError, match="unknown column 'nope'"):
        service.run_async(f"SELECT nope FROM {DATABASE}.Object")
    job = service.submit_job(f"SELECT objectId FROM {DATABASE}.Object").run().wait(timeout=200)
    assert (job.phase, len(job.fetch_result())) == ("COMPLETED", 300)
    submitted = next(one for one in sky.registry.history.last(999) if one["is_async"])  # others are noted late
    assert submitted["rows"] == 300
    file = sky.cluster.folder / "tap-jobs" / f"{job.job_id}.json"
    assert file.is_file()
    job.delete()
    assert not file.exists()
    assert not Path(submitted["result"]).exists()


@pytest.mark.skipif(shutil.which("stilts") is None, reason="stilts is not installed")
def test_taplint_finds_nothing(service: pyvo.dal.TAPService, root: str) -> None:
    """No error, no warning, no failure, but of the stage that asks for observation locators."""
    command = ["stilts", "taplint", f"tapurl={root}", "stages=-LOC", "report=EWF", "maxrepeat=8"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Totals: Errors: 0; Warnings: 0; Failures: 0" in said, said
    asked = ["stilts", "tapquery", f"tapurl={root}", f"adql=SELECT COUNT(*) AS n FROM {DATABASE}.Object", "ofmt=csv"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert answer.split() == ["n", "300"]
