"""A store in a SQLite file: what it answers is what was stored, once, whatever the order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.drawn_tiles import FIELDS, drawn_tile, expected_history, expected_objects, region_of, sorted_rows

from skyshard.apdb.model import StoreSession, TileRows, VisitId, VisitStore
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.stores.sqlite_server import BATCH_ROWS, SqliteServer
from skyshard.apdb.stores.store_settings import Pixels, StoreSettings, Upsert
from skyshard.basics.errors import ClusterError, UserError

START = 60_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VisitStore]:
    made = open_store(f"sqlite:{tmp_path / 'a.db'}")
    yield made
    made.close()


@pytest.fixture
def session(store: VisitStore) -> Iterator[StoreSession]:
    with closing(store.open_session()) as opened:
        yield opened


def with_values(rows: pa.Table, **values: float) -> pa.Table:
    """Rows with one value in all of a column."""
    for name, value in values.items():
        place, kind = rows.schema.get_field_index(name), rows.schema.field(name)
        rows = rows.set_column(place, kind, pa.array([value] * rows.num_rows, kind.type))
    return rows


def drawn_tiles(count: int = 10) -> list[TileRows]:
    return [drawn_tile(3, visit, FIELDS[visit % len(FIELDS)], START + 17.0 * visit) for visit in range(count)]


@pytest.mark.parametrize(
    ("upsert", "pixels"),
    [(Upsert.REPLACE, Pixels.CHUNKS), (Upsert.DELETE_INSERT, Pixels.MQ3C_10), (Upsert.ON_DUPLICATE, Pixels.HTM_20)],
)
def test_a_region_is_answered_by_the_rows_that_were_stored(tmp_path: Path, upsert: Upsert, pixels: Pixels) -> None:
    """Over longitude 0 and the poles, by each way of clustering and of replacing."""
    store = open_store(f"sqlite:{tmp_path / 'a.db'}", StoreSettings(upsert=upsert, pixels=pixels))
    tiles, session = drawn_tiles(), store.open_session()
    for tile in tiles:
        assert not session.store(tile).was_there
    for field in FIELDS:
        region = region_of((field[0] + 0.05, field[1]))
        objects = session.read_objects(region).rows
        assert sorted_rows(objects, "DiaObjectLast") == sorted_rows(expected_objects(tiles, region), "DiaObjectLast")
        since, until = START + 20.0, START + 150.0
        found = session.read_sources(region, since, until, None).rows
        wanted = expected_history(tiles, "DiaSource", region, since, until)
        assert sorted_rows(found, "DiaSource") == sorted_rows(wanted, "DiaSource")
        forced = session.read_forced(region, since, until, ["psfFlux", "visit"]).rows
        assert forced.column_names == ["visit", "psfFlux"]
    session.close()
    store.close()


@pytest.mark.parametrize("field", FIELDS[:3])
@pytest.mark.parametrize("turns", [-1, 1])
def test_a_position_is_found_however_often_round_its_right_ascension_is(
    session: StoreSession, field: tuple[float, float], turns: int
) -> None:
    """A right ascension outside of [0, 360) is kept as it was given, and is in the region that it points at."""
    tile = drawn_tile(3, 1, field, START)
    around = [
        rows.set_column(rows.schema.get_field_index("ra"), "ra", pc.add(rows["ra"], 360.0 * turns))
        for rows in (tile.objects, tile.sources, tile.forced)
    ]
    tile = TileRows(tile.tile, *around)
    session.store(tile)
    found = session.read_sources(tile.tile.region, START, START + 1.0, None).rows
    wanted = expected_history([tile], "DiaSource", tile.tile.region, START, START + 1.0)
    assert wanted.num_rows == tile.sources.num_rows
    assert sorted_rows(found, "DiaSource") == sorted_rows(wanted, "DiaSource")
    objects = session.read_objects(tile.tile.region).rows
    assert sorted(objects["ra"].to_pylist()) == sorted(tile.objects["ra"].to_pylist())


def test_the_newest_version_is_answered_whatever_the_order_of_arrival(session: StoreSession) -> None:
    """Tiles that come backwards leave the same DiaObjectLast."""
    tiles = drawn_tiles()
    for tile in reversed(tiles):
        session.store(tile)
    for field in FIELDS:
        region = region_of(field)
        found = sorted_rows(session.read_objects(region).rows, "DiaObjectLast")
        assert found == sorted_rows(expected_objects(tiles, region), "DiaObjectLast")


def test_a_tile_that_is_stored_again_changes_nothing(store: VisitStore, session: StoreSession) -> None:
    """The second receipt says that it was there."""
    (tile,) = drawn_tiles(1)
    assert not session.holds(tile.tile.id)
    session.store(tile)
    sizes = store.sizes()
    assert session.store(tile).was_there
    assert session.holds(tile.tile.id)
    assert not session.holds(VisitId(tile.tile.id.visit, 99))
    assert store.sizes() == sizes


def test_months_that_ended_are_dropped_and_no_others(store: VisitStore, session: StoreSession) -> None:
    """Sources and forced sources only."""
    tiles = drawn_tiles()
    for tile in tiles:
        session.store(tile)
    before = store.sizes()["DiaObject"].rows
    store.drop_before(START + 60.0)
    assert store.sizes()["DiaObject"].rows == before
    for field in FIELDS:
        found = session.read_sources(region_of(field), 0.0, START + 60.0, None).rows
        assert found.num_rows == 0
        kept = session.read_sources(region_of(field), START + 60.0, START + 900.0, None).rows
        assert kept.num_rows == expected_history(tiles, "DiaSource", region_of(field), START + 60, START + 900).num_rows


def test_a_refused_tile_leaves_nothing(store: VisitStore, session: StoreSession) -> None:
    """A source whose key is there already: the objects before it are gone, too, and the tile is not held."""
    first = drawn_tile(3, 1, FIELDS[0], START)
    session.store(first)
    other = drawn_tile(3, 2, FIELDS[0], START + 1)
    doubled = with_values(first.sources, visit=2, midpointMjdTai=START + 1)
    before = store.sizes()
    with pytest.raises(UserError, match="stored already"):
        session.store(TileRows(other.tile, other.objects, doubled, other.forced))
    assert not session.holds(other.tile.id)
    assert {name: size.rows for name, size in store.sizes().items()} == {n: s.rows for n, s in before.items()}
    session.store(other)


def test_an_object_that_leaves_its_home_is_refused(session: StoreSession) -> None:
    """It would have two rows."""
    first = drawn_tile(3, 1, FIELDS[0], START)
    session.store(first)
    moved = drawn_tile(3, 2, FIELDS[0], START + 1, padding_deg=9.0)
    away = with_values(moved.objects, dec=-33.0)
    known = set(first.objects["diaObjectId"].to_pylist()) & set(away["diaObjectId"].to_pylist())
    assert known
    with pytest.raises(UserError, match="more than 5 arcsec away"):
        session.store(TileRows(moved.tile, away, moved.sources, moved.forced))


def test_a_store_is_opened_as_it_was_made(tmp_path: Path) -> None:
    """Other settings, a file of something else, a kind that there is not: one line each."""
    target = f"sqlite:{tmp_path / 'a.db'}"
    open_store(target).close()
    open_store(target).close()
    with pytest.raises(UserError, match="was made with pixels chunks, not mq3c-10"):
        open_store(target, StoreSettings(pixels=Pixels.MQ3C_10))
    with pytest.raises(UserError, match="SQLite has no pixels 'q3c'"):
        open_store(f"sqlite:{tmp_path / 'b.db'}", StoreSettings(pixels=Pixels.Q3C))
    (tmp_path / "text").write_text("no database" * 500)
    with pytest.raises(UserError, match="no SQLite file"):
        open_store(f"sqlite:{tmp_path / 'text'}")
    with pytest.raises(UserError, match="did you mean 'sqlite'"):
        open_store("sqlit:x")
    with pytest.raises(UserError, match="no folder"):
        open_store(f"sqlite:{tmp_path / 'none' / 'a.db'}")


def test_a_column_that_begins_with_many_nulls_is_answered(tmp_path: Path) -> None:
    """The driver takes types from the first rows: they are NULL there, and numbers and text come much later."""
    first = BATCH_ROWS + 5
    counted = f"WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c LIMIT {first + 2})"
    values = ", ".join(f"CASE WHEN n >= {first} THEN {value} END" for value in ("n", "n + 0.5", "'x' || n"))
    schema = pa.schema([("whole", pa.int32()), ("real", pa.float32()), ("text", pa.string())])
    with closing(SqliteServer(tmp_path / "a.db")) as server:
        rows, spent = server.fetch(f"SELECT * FROM ({counted} SELECT {values} FROM c)", schema)
        assert rows.schema == schema
        assert spent.rows == first + 2
        assert [column.null_count for column in rows.columns] == [first] * 3
        assert rows.slice(first + 1).to_pylist() == [{"whole": first + 1, "real": first + 1.5, "text": f"x{first + 1}"}]
        with pytest.raises(ClusterError, match="no such table"):
            server.fetch("SELECT * FROM missing", schema)


def test_a_region_of_thousands_of_cells_is_read(session: StoreSession) -> None:
    """SQLite refused the statement, and visits tried again until their patience ended."""
    tile = drawn_tile(3, 1, FIELDS[0], START)
    session.store(tile)
    wide = region_of(FIELDS[0], 3.0)
    found = session.read_sources(wide, START, START + 1.0, None).rows
    assert sorted_rows(found, "DiaSource") == sorted_rows(
        expected_history([tile], "DiaSource", wide, START, START + 1.0), "DiaSource"
    )
    assert session.read_objects(wide).rows.num_rows == tile.objects.num_rows
