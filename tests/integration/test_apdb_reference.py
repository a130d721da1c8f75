"""The reference, ``lsst-dax-apdb``, has the same tables as our stores, and answers visits with the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.apdb_reference import ReferenceSession, ReferenceStore, reference_python
from tests.support.drawn_tiles import FIELDS, drawn_tile, region_of, sorted_rows
from tests.support.small_visits import asked, small_workload

from skyshard.apdb.model import TableName, TileRows
from skyshard.apdb.stores.open_store import open_store
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table
from skyshard.basics.errors import UserError
from skyshard.bench.trial.run_visits import run_visits
from skyshard.bench.trial.trial_setup import TrialWatch

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
START = 60_000.0
TYPES = {
    "boolean": pa.int8(), "short": pa.int16(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(),
    "double": pa.float64(), "char": pa.string(), "string": pa.string(), "byte": pa.int8(),
}  # fmt: skip


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceStore:
    try:
        reference_python()
    except UserError as error:
        pytest.skip(str(error))
    return ReferenceStore(tmp_path)


@pytest.fixture
def session(reference: ReferenceStore) -> Iterator[ReferenceSession]:
    with closing(reference.open_session()) as opened:
        yield opened


def test_tables_are_those_of_the_reference(session: ReferenceSession) -> None:
    """Columns in their order, with their types, which may be NULL, keys: all but the pixel by which rows are found."""
    theirs = session.ask("schema")["answer"]
    for name in TABLE_NAMES:
        table = apdb_table(name)
        ours = [(one.name, one.type, one.nullable, one.name in table.key) for one in table.schema]
        columns = [one for one in theirs[name] if one[0] != "pixelId"]
        assert ours == [(column, TYPES[kind], *rest) for column, kind, *rest in columns], name


def test_visits_are_answered_alike(reference: ReferenceStore, tmp_path: Path) -> None:
    """Beyond the window of history: what the driver knows of every tile, the reference answers, too."""
    short = small_workload({"count": 10, "tiles": 1, "history": {"months": 3, "visits_per_month": 2}})
    result = run_visits(asked(tmp_path / "out", short), reference, TrialWatch())
    assert result.wrong == []
    assert result.summary.failures == []
    assert [(phase.visits, phase.compared) for phase in result.summary.phases] == [(10, 10)]


def with_true_flags(rows: pa.Table) -> pa.Table:
    """The reference's flags are true or false; drawn rows have other numbers there."""
    for place, field in enumerate(rows.schema):
        if field.type == pa.int8():
            rows = rows.set_column(place, field, rows[field.name].cast(pa.bool_()).cast(pa.int8()))
    return rows


def test_rows_at_the_edges_of_sky_and_types_are_equal(session: ReferenceSession, tmp_path: Path) -> None:
    """NULL, limits of types, longitude 0 and both poles: the rows of each region as our SQLite store answers them."""
    store = open_store(f"sqlite:{tmp_path / 'ours.db'}")
    with closing(store), closing(store.open_session()) as ours:
        for visit in range(2 * len(FIELDS)):
            drawn = drawn_tile(3, visit, FIELDS[visit % len(FIELDS)], START + 17.0 * visit)
            tables = (with_true_flags(one) for one in (drawn.objects, drawn.sources, drawn.forced))
            tile = TileRows(drawn.tile, *tables)
            assert [one.store(tile).was_there for one in (session, ours)] == [False, False]
            assert [one.store(tile).was_there for one in (session, ours)] == [True, True]
        for field in FIELDS:
            region, since, until = region_of((field[0] + 0.03, field[1])), START + 20.0, START + 140.0
            pairs: tuple[tuple[TableName, list[pa.Table]], ...] = (
                ("DiaObjectLast", [one.read_objects(region).rows for one in (session, ours)]),
                ("DiaSource", [one.read_sources(region, since, until, None).rows for one in (session, ours)]),
                ("DiaForcedSource", [one.read_forced(region, since, until, None).rows for one in (session, ours)]),
            )
            for name, (theirs, mine) in pairs:
                assert mine.num_rows, (field, name)
                assert sorted_rows(theirs, name) == sorted_rows(mine, name), (field, name)
