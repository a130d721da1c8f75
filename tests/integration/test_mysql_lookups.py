"""Look-ups through the MySQL door, again and again: what is kept of them is what one server says each time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.binary_client import BinaryClient, whole
from tests.support.open_door import OpenDoor, WireClient, open_door
from tests.support.small_catalog import write_small_catalog

from skyshard.cli.serving.open_services import open_services
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.serve.serve_file import ServeFile
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

DATABASE = "lookups"
FIRST = 400_000_000_000_000
KEYS = (FIRST, FIRST + 17, FIRST + 34, FIRST + 17 * 200, FIRST + 1, 0, 10**18 - 1, 10**18, 2**64, FIRST + 51)
"""Of objects, of none, and such that no object can have."""
FORMS = (
    "SELECT objectId, ra, decl, flux, name, note, flag FROM Object WHERE objectId = {}",
    "SELECT o.name AS n, o.objectId + 0 FROM Object o WHERE o.objectId = {} LIMIT 1",
    "SELECT o.objectId, s.sourceId, s.psfFlux FROM Object o JOIN Source s ON o.objectId = s.objectId "
    "WHERE o.objectId = {} ORDER BY s.sourceId",
    "SELECT o.flag, s.raObject, s.cutout FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId "
    "WHERE o.objectId = {} ORDER BY s.sourceId",
    "SELECT flux, objectId FROM Object WHERE objectId IN ({0}, {0} + 0, 400000000000017) ORDER BY objectId",
    "SELECT flux, objectId FROM Object WHERE objectId IN ({}, 400000000000017) ORDER BY objectId",
    "SELECT COUNT(*), MAX(flux) FROM Object WHERE objectId = {}",
)


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    folder = write_small_catalog(tmp_path_factory.mktemp("lookups") / "in", database=DATABASE)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(folder, runtime="inline")
        testbed.load_mono(DATABASE)
        yield testbed
        testbed.drop(DATABASE)


@pytest.fixture(scope="module")
def door(testbed: Testbed) -> Iterator[OpenDoor]:
    with open_door(open_services(testbed, ServeFile(open=True))) as opened:
        yield opened


@pytest.fixture
def asked(door: OpenDoor) -> Iterator[WireClient]:
    with contextlib.closing(WireClient(host=door.host, port=door.port, user="me", database=DATABASE)) as client:
        yield client


@pytest.fixture
def native(testbed: Testbed) -> Iterator[WireClient]:
    place = testbed.cluster.endpoint("mono").socket
    with contextlib.closing(WireClient(unix_socket=place, user="skyshard_reader", database=DATABASE)) as client:
        client.ask("SET sql_mode = ''")
        yield client


@pytest.mark.parametrize("form", FORMS)
def test_every_look_up_is_defined_as_one_server_defines_it(form: str, asked: WireClient, native: WireClient) -> None:
    """The first of its form, those for which definitions are kept, and those of keys that no row has or can have."""
    for key in KEYS:
        got, want = (client.ask(form.format(key)) for client in (asked, native))
        assert (got.error, got.fields, got.rows) == (want.error, want.fields, want.rows), key


def test_areas_of_one_form_are_defined_alike(asked: WireClient, native: WireClient) -> None:
    """As the same columns without an area, wherever it is and whether a row is in it."""
    want = native.ask("SELECT objectId, name, ra FROM Object").fields
    counts = []
    for ra, radius in ((0, 0.01), (0, 0.1), (45, 5), (100, 1e-6), (12.3, 0.2)):
        found = asked.ask(f"SELECT objectId, name, ra FROM Object WHERE qserv_areaspec_circle({ra}, 0.5, {radius})")
        assert (found.error, found.fields) == ((), want)
        counts.append(len(found.rows))
    assert asked.ask("SELECT objectId, name, ra FROM Object WHERE qserv_areaspec_circle(0, 0, 1)").rows
    assert min(counts) == 0


def test_a_kept_definition_is_of_one_session_s_settings(asked: WireClient, native: WireClient) -> None:
    """Letters, limits and the binary protocol have their own; what is kept for one client serves others."""
    sql = "SELECT name, note, flux FROM Object WHERE objectId = {}"
    for charset in ("utf8mb4", "latin1", "utf8mb4"):
        for client in (asked, native):
            client.ask(f"SET NAMES {charset}")
        for key in KEYS[:4]:
            got, want = (client.ask(sql.format(key)) for client in (asked, native))
            assert (got.error, got.fields, got.rows) == (want.error, want.fields, want.rows), (charset, key)
    pairs = [(one, one.prepare(sql.format("?"))) for one in (BinaryClient(asked.raw), BinaryClient(native.raw))]
    for key in KEYS[:4]:
        executed, wanted = (client.execute(made.number, [whole(key)]) for client, made in pairs)
        assert (executed.error, executed.rows) == (wanted.error, wanted.rows)
        assert [one.type for one in executed.columns] == [one.type for one in wanted.columns]


def test_statements_that_sql_prepares_are_answered_as_one_server_does(asked: WireClient, native: WireClient) -> None:
    """With values of every type in variables, again with others, from a variable's text; forgotten and unknown ones."""
    one = "SELECT objectId, name, note, ? AS v, flux FROM Object WHERE objectId = ? OR note = ? ORDER BY objectId"
    words = r"SELECT COUNT(*) FROM Object WHERE note <> \'it\'\'s\' AND flux > ? AND name LIKE \'n\\_%\' LIMIT ?"
    different = []
    for sql in (
        f"PREPARE one FROM '{one}'", f"SET @k = {FIRST}, @n = 'nothing', @v = 1.25", "EXECUTE one USING @v, @k, @n",
        f"SET @k = {FIRST + 17}, @v = 'é'", "EXECUTE ONE USING @v, @k, @n", "SET @v = 1e-3",
        "EXECUTE one USING @v,@k,@n", "SET @v = NULL", "EXECUTE `one` USING @v, @k, @missing;", "SET @v = x'00ff'",
        "EXECUTE one USING @v, @k, @k", "EXECUTE one USING @v", "EXECUTE one", "EXECUTE other",
        f"SET @sql = '{words}', @few = 5, @least = 1e-33", "PREPARE two FROM @sql", "EXECUTE two USING @least, @few",
        "DEALLOCATE PREPARE one", "EXECUTE one USING @v, @k, @n", "DROP PREPARE one", "EXECUTE two USING @least, @few",
        "PREPARE two FROM 'SELECT nothing FROM Object'", "EXECUTE two",
    ):  # fmt: skip
        got, want = (client.ask(sql) for client in (asked, native))
        if (got.error, got.fields, got.rows) != (want.error, want.fields, want.rows):
            different.append((sql, got, want))
    assert different == []
    asked.ask("PREPARE s FROM 'SELECT COUNT(*) FROM Object WHERE name = ?'")
    asked.ask("SET @far = '\u2202'")
    asked.ask("SET NAMES latin1")
    assert "letters" in asked.ask("EXECUTE s USING @far").error[1]
    for sql in ("SET NAMES utf8mb4", "SET @far = 'x'"):
        asked.ask(sql)
    assert asked.ask("EXECUTE s USING @far").rows == [(b"0",)]
    assert asked.ask("PREPARE s FROM 'DROP TABLE Object'").error[0] == 4003


def test_statements_that_sql_runs_at_once_are_answered_as_one_server_does(
    asked: WireClient, native: WireClient
) -> None:
    """EXECUTE IMMEDIATE of a text or a variable, with and without values; beside names of both."""
    one, all_of_one = "SELECT name, ? AS v, flux FROM Object WHERE objectId = ?", "'SELECT * FROM Object WHERE objectId"
    different = []
    for sql in (
        f"SET @k = {FIRST}, @v = 'é', @sql = '{one}'", f"EXECUTE IMMEDIATE '{one}' USING @v, @k",
        "EXECUTE IMMEDIATE @sql USING @v, @k", "SET @v = 2.50", "EXECUTE IMMEDIATE @sql USING @v, @k;",
        f"EXECUTE IMMEDIATE {all_of_one} = {FIRST}'", "EXECUTE IMMEDIATE 'SELECT nothing FROM Object'",
        "EXECUTE IMMEDIATE 'SELECT 1 AS one, ? AS v' USING @v", "EXECUTE IMMEDIATE 'SET @w = 3'", "SELECT @w",
        "PREPARE s FROM 'SELECT ? + @w'", "EXECUTE s USING @k", "EXECUTE IMMEDIATE 'SELECT 2 AS two'",
        f"PREPARE s FROM {all_of_one} = ?'", "EXECUTE s USING @k", "DEALLOCATE PREPARE s", "EXECUTE s USING @k",
        "PREPARE s FROM 'SELECT ra FROM Object'", "PREPARE s FROM 'SELECT @k'", "EXECUTE s", "DROP PREPARE s",
        "EXECUTE s", "EXECUTE IMMEDIATE 'SET NAMES latin1'", "EXECUTE IMMEDIATE @sql USING @v, @k", "SET NAMES utf8mb4",
    ):  # fmt: skip
        got, want = (client.ask(sql) for client in (asked, native))
        if (got.error, got.fields, got.rows) != (want.error, want.fields, want.rows):
            different.append((sql, got, want))
    assert different == []
    assert asked.ask(f"EXECUTE IMMEDIATE '{one}' USING @k").error[0] == 1210
    for text in ("DROP TABLE Object", "SET PASSWORD = 1", "EXECUTE IMMEDIATE @sql"):
        assert asked.ask(f"EXECUTE IMMEDIATE '{text}'").error[0] == 4003


def test_a_look_up_asks_nothing_of_the_door_s_own_server(door: OpenDoor, asked: WireClient) -> None:
    """Once its form is known, its columns are, too."""
    sql = "SELECT decl, ra FROM Object WHERE objectId = {}"
    for key in KEYS[:4]:
        assert len(asked.ask(sql.format(key)).rows) == 1
    with connect(door.door._server.endpoint, Account.ADMIN) as admin:
        before = _questions(admin)
        for key in KEYS[:4] * 5:
            assert len(asked.ask(sql.format(key)).rows) == 1
        assert _questions(admin) == before + 1  # this question itself
        asked.ask("SELECT decl, ra AS r FROM Object WHERE objectId = 5")
        assert _questions(admin) > before + 2


def _questions(admin: Connection) -> int:
    return int(admin.rows("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])


def test_kept_definitions_follow_what_is_published(testbed: Testbed, asked: WireClient, tmp_path: Path) -> None:
    """An alias given to a release of other types: at once its rows, defined as its columns are."""
    other = write_small_catalog(tmp_path / "other", database="later")
    schema = other / "data" / "schema" / "Object.schema"
    schema.write_text(schema.read_text().replace("`flag` tinyint(4)", "`flag` double"))
    testbed.ingest(other, runtime="inline")
    try:
        for database, kind in ((DATABASE, 1), ("later", 5), (DATABASE, 1)):
            testbed.alias("newest", database)
            for key in KEYS[:2]:
                found = asked.ask(f"SELECT flag FROM newest.Object WHERE objectId = {key}")
                assert [field[7] for field in found.fields] == [kind]
                assert len(found.rows) == 1
    finally:
        testbed.remove_alias("newest")
        testbed.drop("later")
