"""Text that is loaded: what the disk has to hold meanwhile."""

from __future__ import annotations

import pytest

from skyshard.catalog.schema import Column, Table
from skyshard.node.load.load_data import room_for
from skyshard.node.messages import BuildOrder, BundleSlice, Loader, TableBuild
from skyshard.rowimage.sqltype import parse_type

ROWS, TEXT_BYTES = 1_000, 3_000


@pytest.mark.parametrize(
    ("engine", "kind", "least", "most"),
    [
        ("Aria", "varchar(255) character set utf8mb4", 2 * TEXT_BYTES, 2 * TEXT_BYTES),
        ("InnoDB", "varchar(255) character set utf8mb4", 1_020 * ROWS, 1_100 * ROWS),
        ("MyRocks", "varchar(255) character set utf8mb4", 1_020 * ROWS, 1_100 * ROWS),
        ("InnoDB", "longtext character set utf8mb4", 4 * TEXT_BYTES, 4 * TEXT_BYTES),
    ],
)
def test_room_is_asked_for_the_records_of_the_table_in_between(engine: str, kind: str, least: int, most: int) -> None:
    """They are as long as their columns may be: an empty text of 255 characters takes a kilobyte."""
    build = TableBuild("T_1", "T", 1, False, 0, "", (BundleSlice("bundle", 0, ROWS),), ROWS, "")
    order = BuildOrder("db", Table("T", (Column("t", parse_type(kind)),)), Loader.LOAD_DATA, (build,), engine)
    assert least <= room_for(order, build, TEXT_BYTES) <= most
