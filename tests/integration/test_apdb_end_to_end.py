"""From visits to a published catalog: tiles are stored over the nodes, asked for, published, and asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.drawn_tiles import FIELDS, drawn_tile, expected_objects, region_of, sorted_rows

from skyshard.apdb.model import TableName, TileRows
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.apdb.tables.storable_rows import storable_rows
from skyshard.catalog.layout import Layout
from skyshard.chunking.sphere import Polygon
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
LAYOUT: dict[str, Any] = {
    "striping": {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}, "mutable": True, "engine": "InnoDB",
}  # fmt: skip
NIGHT, STEP = 60_020.0, 5.0
"""Visits of fields are five days apart, so that they are of two months."""
COPIED: tuple[TableName, ...] = ("DiaObject", "DiaSource", "DiaForcedSource")


@pytest.fixture(scope="module")
def tiles(testbed: Testbed) -> Iterator[list[TileRows]]:
    """Three visits of fields around RA 0 and both poles, stored through sessions of the cluster."""
    testbed.apdb.create("survey", Layout.model_validate(LAYOUT))
    made = [
        drawn_tile(7, 1 + number, field, NIGHT + STEP * turn + 0.01 * number)
        for number, (turn, field) in enumerate((turn, field) for turn in range(3) for field in FIELDS)
    ]
    with (
        closing(open_store("cluster:survey", cluster=testbed.cluster)) as store,
        closing(store.open_session()) as session,
    ):
        for tile in (*made, made[0]):
            session.store(tile)
    yield made
    for name in {"survey", "alerts"} & set(testbed.registry.published.databases()):
        testbed.drop(name)


def asked(testbed: Testbed, name: TableName, condition: str = "TRUE", database: str = "survey") -> pa.Table:
    """Rows of a table that fulfil a condition, as they were stored, by key."""
    columns = ", ".join(f"`{column}`" for column in apdb_table(name).schema.names)
    found = testbed.query(f"SELECT {columns} FROM {name} WHERE {condition}", database=database).table
    return sorted_rows(found.cast(apdb_table(name).schema), name)


def stored(tiles: Sequence[TileRows], name: TableName) -> pa.Table:
    """All rows that tiles brought."""
    of = {"DiaObject": "objects", "DiaSource": "sources", "DiaForcedSource": "forced"}[name]
    kind = apdb_table(name)
    return sorted_rows(pa.concat_tables([storable_rows(kind, getattr(tile, of)) for tile in tiles]), name)


def corners(region: Polygon) -> str:
    """The region as the czar's function takes it."""
    return ", ".join(f"{ra!r}, {dec!r}" for ra, dec in region.vertices)


@pytest.mark.parametrize("name", COPIED)
def test_the_czar_has_every_row_as_it_was_stored(testbed: Testbed, tiles: list[TileRows], name: TableName) -> None:
    """Bit by bit, each once, whichever node has it."""
    assert asked(testbed, name).equals(stored(tiles, name))


@pytest.mark.parametrize("field", FIELDS)
def test_newest_versions_of_a_region_are_those_of_the_oracle(
    testbed: Testbed, tiles: list[TileRows], field: tuple[float, float]
) -> None:
    """Also where objects have drifted out of the chunk that they are kept in."""
    region = region_of(field)
    wanted = sorted_rows(expected_objects(tiles, region), "DiaObjectLast")
    assert wanted.num_rows > 0
    found = asked(testbed, "DiaObjectLast", f"scisql_s2PtInCPoly(ra, `dec`, {corners(region)}) = 1")
    assert found.equals(wanted)
    by_area = asked(testbed, "DiaObjectLast", f"qserv_areaspec_poly({corners(region)})")
    assert by_area.equals(wanted)


def test_versions_as_of_a_time_are_those_of_the_tiles_before(testbed: Testbed, tiles: list[TileRows]) -> None:
    """Every version is kept, so the state of any moment can be asked for."""
    moment = NIGHT + 1.5 * STEP
    before = stored([tile for tile in tiles if tile.tile.time < moment], "DiaObject")
    newest = before.group_by("diaObjectId").aggregate([("validityStartMjdTai", "max")]).sort_by("diaObjectId")
    sql = (
        "SELECT diaObjectId, MAX(validityStartMjdTai) AS newest FROM DiaObject "
        f"WHERE validityStartMjdTai < {moment} GROUP BY diaObjectId"
    )
    found = testbed.query(sql, database="survey").table.sort_by("diaObjectId")
    assert found["diaObjectId"].to_pylist() == newest["diaObjectId"].to_pylist()
    assert found["newest"].to_pylist() == newest["validityStartMjdTai_max"].to_pylist()


def test_what_is_published_is_what_was_stored(testbed: Testbed, tiles: list[TileRows]) -> None:
    """One command from visits to a catalog with digests, which is verified and joined by key."""
    done = testbed.apdb.publish("survey", "alerts", at_once=4, is_all=True)
    assert sum(one.tiles for one in done) == len(tiles)
    for name in COPIED:
        assert asked(testbed, name, database="alerts").equals(stored(tiles, name))
    assert all(check.is_good for check in testbed.verify("alerts"))
    sources = stored(tiles, "DiaSource")
    sql = "SELECT COUNT(*) FROM DiaSource s JOIN (SELECT DISTINCT diaObjectId FROM DiaObject) o USING (diaObjectId)"
    found = testbed.query(sql, database="alerts").table
    assert found.column(0).to_pylist() == [pc.sum(pc.is_valid(sources["diaObjectId"])).as_py()]
