"""Text that is loaded: what the disk has to hold meanwhile, and which rows come together."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column, Key, Table
from skyshard.node.load.load_data import portions, room_for
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


@pytest.mark.parametrize(
    ("engine", "kind", "together"),
    [
        ("MyISAM", "geometry", [[1], [2, 3, 4]]),
        ("MyISAM", "bigint", [[1, 2, 3, 4]]),
        ("Aria", "geometry", [[1, 2, 3, 4]]),
    ],
)
def test_the_first_row_of_a_table_with_a_spatial_index_comes_by_itself(
    tmp_path: Path, engine: str, kind: str, together: list[list[int]]
) -> None:
    """MyISAM does not index the others one by one then. Each row comes once, in its order."""
    batches = [pa.record_batch({"n": pa.array(some, pa.int64())}) for some in ([1, 2], [3, 4])]
    with pa.ipc.new_file(str(tmp_path / "bundle"), batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    slices = tuple(BundleSlice(str(tmp_path / "bundle"), number, 2) for number in range(2))
    build = TableBuild("T", "T", -1, False, 0, "", slices, 4, "")
    columns = (Column("n", parse_type("bigint")), Column("g", parse_type(kind)))
    table = Table("T", columns, (), (Key("by_g", ("g",)),))
    order = BuildOrder("db", table, Loader.LOAD_DATA, (build,), engine)
    found = [[n for batch in some for n in batch["n"].to_pylist()] for some in portions(order, build)]
    assert found == together
