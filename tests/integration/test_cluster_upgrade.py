"""Clusters of older releases: refused until they are upgraded, whole whenever that is killed, then as good as new."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import upgrade_driver
from tests.support.frozen import FIRST, restore
from tests.support.stepping import STRIDE, steps_on
from tests.support.warm_processes import warm_exit_code
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.db.sqlalchemy_engine import sqlalchemy_engine
from skyshard.registry.schema.schema_version import CURRENT, SCHEMA_VERSION, read_versions
from skyshard.registry.schema.upgrade import upgrade
from skyshard.registry.stored.make_tables import make_tables
from skyshard.registry.stored.sql_tables import INDEX_DATABASE, REGISTRY_DATABASE
from skyshard.registry.transactions.transaction_report import read_report
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

NEW_TABLES = (
    "aliases", "dropped", "input_files", "heartbeats", "chunk_entries", "outages", "nodes", "policies", "tokens",
)  # fmt: skip
"""What the registry of 0.1.0 had not."""


@pytest.fixture(scope="module")
def cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """The cluster that release 0.1.0 left."""
    cluster = PrivateCluster(short_folder / "old")
    try:
        yield restore(FIRST, cluster.folder)
    finally:
        cluster.destroy()


@pytest.fixture
def old(cluster: PrivateCluster) -> PrivateCluster:
    """The same, made old again."""
    return made_old(cluster)


def made_old(cluster: PrivateCluster) -> PrivateCluster:
    """As 0.1.0 left it: no table of versions, no version in reports and in kept truth, databases with one name each."""
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN, REGISTRY_DATABASE) as czar:
        for name in NEW_TABLES:
            czar.execute(f"DROP TABLE IF EXISTS `{name}`")
        dropped = ", ".join(f"DROP COLUMN IF EXISTS {name}" for name in ("shown", "changed_s", "kept_until_s"))
        czar.execute(f"ALTER TABLE `databases` {dropped}")
        # a copy, because dropped columns stay in the records where InnoDB drops them at once
        dropped = ", ".join(f"DROP COLUMN IF EXISTS {name}" for name in ("host", "owner", "column_bytes", "limit_s"))
        czar.execute(f"ALTER TABLE queries {dropped}, ALGORITHM=COPY")
        czar.execute("ALTER TABLE transactions DROP COLUMN IF EXISTS servers, ALGORITHM=COPY")
        czar.execute("ALTER TABLE `tables` DROP COLUMN IF EXISTS generation")
        czar.execute("DROP TABLE IF EXISTS versions")
        czar.execute("DROP TABLE IF EXISTS versions_draft")
        czar.execute("UPDATE transactions SET report = JSON_REMOVE(report, '$.version')")
    shutil.rmtree(cluster.folder / "truth")
    shutil.copytree(FIRST / "truth", cluster.folder / "truth")
    return cluster


def content(cluster: PrivateCluster) -> Any:
    """What an upgrade may change: the registry's rows and tables, and the files of kept truth."""
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN, REGISTRY_DATABASE) as czar:
        names = [name for (name,) in czar.rows("SHOW TABLES")]
        rows = {name: czar.rows(f"SELECT * FROM `{name}`") for name in names}
    return rows, {path: path.read_bytes() for path in sorted((cluster.folder / "truth").glob("*/*"))}


def run(cluster: PrivateCluster, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, [*words, "--cluster", str(cluster.folder)])
    return found.exit_code, found.stdout


def drive(what: str, cluster: PrivateCluster, at: int) -> int:
    return warm_exit_code(upgrade_driver.main, what, str(cluster.folder), at)


def assert_current(cluster: PrivateCluster) -> None:
    """All versions are this release's, once each; nothing of the upgrade is left over."""
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN, REGISTRY_DATABASE) as czar:
        assert read_versions(czar).by_format == CURRENT
        assert czar.rows("SHOW TABLES LIKE 'versions%%'") == [("versions",)]
    with Testbed(cluster.folder) as testbed:
        finished = [row for row in testbed.registry.transactions.all() if row["state"] == "finished"]
        assert {read_report(row).version for row in finished} == {1}
    kept = sorted((cluster.folder / "truth").glob("*/*"))
    assert [path.name for path in kept if not path.name.endswith(".tmp")] == ["6.json.gz", "1.json.gz"]
    assert all(json.loads(gzip.decompress(path.read_bytes()))["version"] == 1 for path in kept)


def test_an_older_cluster_is_refused_and_left_as_it_is(old: PrivateCluster) -> None:
    """Nothing is created or altered before the version is looked at; the remedy is one command."""
    before = content(old)
    with Testbed(old.folder) as testbed, pytest.raises(UserError, match=f"upgrade --cluster {old.folder}`"):
        testbed.query("SELECT COUNT(*) FROM Object", database="frozen_sky")
    assert content(old) == before


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(old: PrivateCluster) -> None:
    """The same list as the upgrade's, without it."""
    before = content(old)
    code, text = run(old, "cluster", "upgrade", "--dry-run", "--json")
    said = json.loads(text)
    assert (code, said["before"], said["after"], said["is_dry_run"]) == (0, 1, SCHEMA_VERSION, True)
    assert [one["count"] for one in said["changes"]] == [6, 2, 3, 3, 5, 301, 2, 5, 1, 1, 1, 1, 1]
    assert content(old) == before


def test_an_upgraded_cluster_answers_and_verifies_as_it_did(old: PrivateCluster) -> None:
    """The answer that 0.1.0 gave, every check of all databases good, and the next ingest works."""
    code, text = run(old, "cluster", "upgrade", "--json")
    assert (code, len(json.loads(text)["changes"])) == (0, 13)
    assert_current(old)
    with Testbed(old.folder) as testbed:
        frozen = json.loads((FIRST / "json" / "query.json").read_text())["rows"]
        sql = "SELECT COUNT(*) AS n, SUM(psfFlux) AS total FROM ForcedSource"
        answers = testbed.query(sql, database="frozen_sky").table.to_pylist()
        assert [list(row.values()) for row in answers] == frozen
        for database in testbed.registry.published.databases():
            checks = testbed.verify(database)
            assert [check for check in checks if not check.is_good] == []
            assert {check.name for check in checks} >= frozen_checks(database)
        testbed.ingest(FIRST / "catalog", database="frozen_again")
        same = [testbed.registry.contributions.data_digest(name) for name in ("frozen_sky", "frozen_again")]
        assert same[0] == same[1]
    assert run(old, "cluster", "upgrade", "--json")[0] == 0


def test_an_upgraded_registry_has_the_tables_of_a_new_one(old: PrivateCluster) -> None:
    """The same columns, in the same order, with the same types and defaults, and the same keys."""
    assert run(old, "cluster", "upgrade")[0] == 0
    endpoint = old.endpoint(CZAR_NAME)
    with connect(endpoint, Account.ADMIN) as czar:
        upgraded = table_texts(czar)
        czar.execute("CREATE DATABASE upgrade_twin")
        try:
            engine = sqlalchemy_engine(endpoint, Account.ADMIN, "upgrade_twin")
            make_tables(engine)
            engine.dispose()
            assert upgraded == table_texts(czar, "upgrade_twin")
        finally:
            czar.execute("DROP DATABASE upgrade_twin")


def table_texts(czar: Connection, database: str = REGISTRY_DATABASE) -> dict[str, list[str]]:
    """Table → lines of its CREATE TABLE text, keys last and sorted, without what counts rows and names constraints."""
    texts = {}
    for (name,) in czar.rows(f"SHOW TABLES FROM {database}"):
        text = str(czar.rows(f"SHOW CREATE TABLE {database}.`{name}`")[0][1])
        lines = re.sub(r" AUTO_INCREMENT=\d+|CONSTRAINT `\w+` |,(?=\n)", "", text).splitlines()
        texts[name] = sorted(lines, key=lambda line: line if "KEY" in line else "")
    return texts


def frozen_checks(database: str) -> set[str]:
    path = FIRST / "json" / f"verify-{database}.json"
    return {check["name"] for check in json.loads(path.read_text())}


def test_an_upgrade_that_is_killed_goes_on(cluster: PrivateCluster) -> None:
    """Killed with -9 before or after a change, one in three of these instants: the cluster is old until all is done;
    one more run ends it."""
    for at in steps_on(max(1, STRIDE // 24)):
        if (code := drive("upgrade", made_old(cluster), at)) == 0:
            break
        assert code == -signal.SIGKILL
        with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN) as czar:
            is_done = read_versions(czar).by_format == CURRENT
        if not is_done:
            with Testbed(cluster.folder) as testbed, pytest.raises(UserError, match="cluster upgrade"):
                testbed.registry.published.databases()
        upgrade(cluster.endpoint(CZAR_NAME), cluster.folder, report=lambda line: None)
        assert_current(cluster)
    assert at >= 25, "two instants of each change"
    assert_current(cluster)


def test_a_newer_cluster_is_refused_by_opening_and_by_the_upgrade(old: PrivateCluster) -> None:
    """What a later release wrote is not touched; the remedy names it."""
    assert run(old, "cluster", "upgrade")[0] == 0
    with connect(old.endpoint(CZAR_NAME), Account.ADMIN, REGISTRY_DATABASE) as czar:
        czar.execute("UPDATE versions SET version = 99, `release` = '9.9.0' WHERE name = 'registry'")
    before = content(old)
    with Testbed(old.folder) as testbed, pytest.raises(UserError, match=r"install Skyshard 9\.9\.0 or a newer"):
        testbed.registry.published.databases()
    found = CliRunner().invoke(app, ["cluster", "upgrade", "--cluster", str(old.folder)])
    assert isinstance(found.exception, UserError)
    assert content(old) == before


def test_no_upgrade_while_an_ingest_is_under_way(old: PrivateCluster) -> None:
    """The upgrade asks for the locks of all databases, and says which one is held."""
    with Testbed(old.folder) as testbed:
        from skyshard.registry.schema.registry_lock import exclusive

        with exclusive(testbed.cluster.endpoint(CZAR_NAME), "ingest of frozen_days"):
            found = CliRunner().invoke(app, ["cluster", "upgrade", "--cluster", str(old.folder)])
    assert "ingest of frozen_days is under way" in str(found.exception)


def test_a_registry_without_databases_is_upgraded(old: PrivateCluster) -> None:
    """Its tables change as those of any other, and databases can be made in it."""
    with connect(old.endpoint(CZAR_NAME), Account.ADMIN, REGISTRY_DATABASE) as czar:
        czar.execute("DELETE FROM `databases`")
    assert run(old, "cluster", "upgrade")[0] == 0
    with Testbed(old.folder) as testbed:
        assert testbed.registry.published.databases() == []
        testbed.ingest(FIRST / "catalog", database="first_sky")
        assert testbed.registry.published.databases() == ["first_sky"]


def test_a_registry_whose_making_was_killed_is_made_on(cluster: PrivateCluster) -> None:
    """Killed with -9 while a registry is made: the next process goes on, and it is never taken for an old one."""
    with connect(cluster.endpoint(CZAR_NAME), Account.ADMIN) as czar:
        for name in (REGISTRY_DATABASE, INDEX_DATABASE):
            czar.execute(f"DROP DATABASE `{name}`")
    at = 1
    while (code := drive("make", cluster, at)) != 0:
        assert code == -signal.SIGKILL
        at += 3
    assert at > 10
    with Testbed(cluster.folder) as testbed:
        assert testbed.registry.published.databases() == []
