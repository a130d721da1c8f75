"""What ``skyshard query`` imports: a package that takes long to import and is not needed for an answer stays away."""

from __future__ import annotations

import subprocess
import sys

import pytest

from skyshard import Testbed, source_at
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.shipped_data import data_folder

DATABASE = "imported_by_query"
LISTED = (
    "import sys; from skyshard.cli.app import main\n"
    "try: main()\n"
    "except SystemExit as left: print(*sys.modules, file=sys.stderr); raise"
)
UNWANTED = {
    "sqlalchemy", "ray", "rich", "pandas", "asyncio", "pyarrow.compute", "pyarrow.parquet", "pyarrow.dataset",
    "matplotlib", "scipy", "felis", "hpgeom", "skyshard.bench", "skyshard.scenarios", "skyshard.synth",
    "skyshard.story.read_story", "skyshard.ingest.plan", "skyshard.node.mariadb_loader",
    "skyshard.registry.stored.sql_tables", "skyshard.czar.explain", "skyshard.cluster.change_settings",
    "skyshard.cluster.apply_settings", "skyshard.cluster.server_status", "skyshard.czar.show_catalog",
    "skyshard.rowimage.rowhash",
}  # fmt: skip


READ_CHUNKS = {"skyshard.czar.run.dispatch", "skyshard.czar.run.rounds", "skyshard.czar.run.pull_order"}
"""What only a statement that reads chunks needs."""


@pytest.fixture(scope="module")
def cluster(private_cluster: PrivateCluster) -> PrivateCluster:
    """The cluster with a small sky."""
    recipe = source_at(data_folder("synth", "recipes") / "tiny.yaml", fraction=0.01)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(recipe, database=DATABASE, tables=["Object"])
    return private_cluster


def imported(cluster: PrivateCluster, *words: str) -> set[str]:
    """The modules of a process that ran a command, and that it ended well."""
    command = [sys.executable, "-c", LISTED, *words, "--cluster", str(cluster.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("sql", "form"),
    [
        ("SELECT COUNT(*) FROM Object", "table"),
        ("SELECT COUNT(*) FROM Object", "csv"),
        ("SELECT objectId FROM Object LIMIT 3", "json"),
    ],
)
def test_a_small_query_imports_only_what_answers_it(cluster: PrivateCluster, sql: str, form: str) -> None:
    """Neither what writes the registry, nor what draws tables that need care, nor other commands."""
    assert imported(cluster, "query", sql, "-d", DATABASE, "--format", form) & UNWANTED == set()


def test_a_count_from_the_registry_imports_nothing_that_reads_chunks(cluster: PrivateCluster) -> None:
    """Neither orders to nodes nor a scan's schedule; a statement that reads a chunk imports the orders."""
    found = imported(cluster, "query", "SELECT COUNT(*) FROM Object", "-d", DATABASE)
    assert found & (READ_CHUNKS | {"skyshard.czar.scan.scan_schedule"}) == set()
    assert imported(cluster, "query", "SELECT objectId FROM Object LIMIT 3", "-d", DATABASE) >= READ_CHUNKS


def test_a_refused_query_imports_no_more(cluster: PrivateCluster) -> None:
    """An error is one line; its query comes to the history too."""
    command = [sys.executable, "-c", LISTED, "query", "SELECT nothing FROM Object", "-d", DATABASE]
    done = subprocess.run([*command, "--cluster", str(cluster.folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert set(done.stderr.split()) & UNWANTED == set()


def test_the_list_of_queries_imports_no_sqlalchemy(cluster: PrivateCluster) -> None:
    """The history is read by plain SQL."""
    assert "sqlalchemy" not in imported(cluster, "queries", "--last", "1", "--json")
