"""Tables that clients bring, on a cluster: the family of their database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from skyshard.catalog.layout import Layout, Striping
from skyshard.cli.serving.user_tables import CHECKED, TestbedUserTables
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
