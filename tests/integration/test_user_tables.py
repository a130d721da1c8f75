"""Tables that clients bring, on a cluster: the family of their database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.catalog.layout import Layout, Striping
from skyshard.cli.serving.user_tables import CHECKED, TestbedUserTables
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.serve.services import TextMarks, UserTable
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
LAYOUT = Layout(striping=Striping(stripes=18, substripes=4, overlap_deg=0.5))
NAMES = ("user_first", f"{CHECKED}left", "user_next")


@pytest.fixture
def bring(testbed: Testbed) -> Iterator[TestbedUserTables]:
    yield TestbedUserTables(testbed)
    for name in {*NAMES} & set(testbed.registry.published.databases()):
        testbed.drop(name)


def test_rows_that_are_looked_at_give_no_family(testbed: Testbed, bring: TestbedUserTables, tmp_path: Path) -> None:
    """A killed process has left its database, the newest of all: the next table is of the catalogs' family still."""
    rows = tmp_path / "rows.csv"
    rows.write_text("1\n2\n")
    first, left, following = NAMES
    table = UserTable(first, "T", {"n": "INT"}, rows, TextMarks(",", "", "", "utf8"), [])
    bring._ingest(table, LAYOUT)
    bring._ingest(replace(table, database=left), None)
    bring.add(replace(table, database=following, unique={"one": ["n"]}))
    assert testbed.registry.published.catalog(following).layout.striping == LAYOUT.striping
    assert testbed.query("SELECT COUNT(*) FROM T", database=following).table.column(0).to_pylist() == [2]


class Struck(TestbedUserTables):
    """A node dies when the table is there, and its unique index is not."""

    def _add_unique(self, table: UserTable) -> None:
        if not table.database.startswith(CHECKED):
            self._testbed.cluster.kill_server(self._testbed.cluster.node_names[-1])
        super()._add_unique(table)


def test_a_table_that_cannot_be_taken_back_is_said_to_be_there(own_cluster: PrivateCluster, tmp_path: Path) -> None:
    """Without what was asked for: it would be found by surprise. Once the node is back it can be dropped."""
    rows = tmp_path / "rows.csv"
    rows.write_text("1\n2\n")
    table = UserTable("user_own", "First", {"n": "INT"}, rows, TextMarks(",", "", "", "utf8"), [])
    with Testbed(own_cluster.folder) as testbed:
        bring = Struck(testbed)
        bring._ingest(table, LAYOUT)
        with pytest.raises(ClusterError, match=r"; user_own\.Second is there without its unique indexes"):
            bring.add(replace(table, name="Second", unique={"one": ["n"]}))
        own_cluster.start()
        assert sorted(testbed.registry.published.catalog("user_own").tables) == ["First", "Second"]
        bring.drop_table("user_own", "Second")
        assert sorted(testbed.registry.published.catalog("user_own").tables) == ["First"]
        testbed.drop("user_own")
