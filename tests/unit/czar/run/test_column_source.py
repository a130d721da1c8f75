"""What a czar says of the ways of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.cluster.node import Node
from skyshard.czar.columns.column_way import ColumnWay, TableColumns
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.run.column_source import ColumnSource, scan_words
from skyshard.db.connection import Endpoint
from skyshard.registry.stored.records import Replica


def no_replicas(database: str, table: str) -> Sequence[Replica]:
    raise AssertionError("nothing is asked of the registry where there is no file")


def scan() -> Pull:
    """A scan that columns may answer."""
    (pull,) = plan_of("SELECT AVG(mag) FROM Object", Source()).pulls
    way = ColumnWay((TableColumns(next(iter(pull.template.slots)), ("mag",)),), "SELECT 1", is_one_row=True)
    return replace(pull, column_way=way)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        ((), "as rows: there are no column images; see `skyshard columns build`"),
        (("a", "b"), "as rows: 2 of 2 nodes are on other hosts, whose column images are not read from here"),
        (("b",), "as rows: 1 of 2 nodes are on other hosts, whose column images are not read from here"),
    ],
)
def test_why_nothing_is_read_by_columns(tmp_path: Path, away: Sequence[str], words: str) -> None:
    """Who cannot see a node's files is not sent to build images that may be there."""
    at = Endpoint(socket="node.sock")
    nodes = [Node(name, at, at, tmp_path / name, tmp_path, is_here=name not in away) for name in ("a", "b")]
    assert scan_words(scan(), nodes, "columns", ColumnSource(no_replicas)) == words
