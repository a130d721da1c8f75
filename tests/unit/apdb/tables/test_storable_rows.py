"""Rows as every backend can hold them."""

import math

import pyarrow as pa
import pytest

from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.apdb.tables.storable_rows import storable_rows
from skyshard.basics.errors import UserError

FORCED = {
    "diaForcedSourceId": 1, "diaObjectId": 2, "ra": 3.0, "dec": 4.0, "visit": 5, "detector": 6,
    "midpointMjdTai": 60000.5, "timeProcessedMjdTai": 60000.6,
}  # fmt: skip


def forced(**changes: object) -> pa.Table:
    return pa.Table.from_pylist([FORCED | changes])


def test_missing_columns_are_null_and_order_is_the_tables() -> None:
    """A column that is not given is NULL; columns come in the schema's order and types."""
    kind = apdb_table("DiaForcedSource")
    rows = storable_rows(kind, forced(band="r"))
    assert rows.schema == kind.schema
    assert rows["band"].to_pylist() == ["r"]
    assert rows["psfFlux"].to_pylist() == [None]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_become_null(value: float) -> None:
    """NaN and infinities are NULL where a column may be."""
    assert storable_rows(apdb_table("DiaForcedSource"), forced(psfFlux=value))["psfFlux"].to_pylist() == [None]


def test_zero_has_no_sign() -> None:
    """-0.0 is stored as 0.0, among other values and NULL."""
    given = [forced(psfFlux=value) for value in (-0.0, -1.5, None, 0.0)]
    rows = pa.concat_tables(given, promote_options="permissive")
    found = storable_rows(apdb_table("DiaForcedSource"), rows)["psfFlux"].to_pylist()
    assert found == [0.0, -1.5, None, 0.0]
    assert [math.copysign(1.0, value) for value in (found[0], found[3])] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"ra": math.nan}, "'ra': 1 row without a value"),
        ({"visit": None}, "'visit': 1 row without a value"),
        ({"dec": -90.5}, "declination outside"),
        ({"detector": 70_000}, "'detector'"),
        ({"flux": 1.0}, "no column 'flux'"),
    ],
)
def test_rows_that_cannot_be_stored_are_refused(changes: dict[str, object], what: str) -> None:
    """The column is named."""
    with pytest.raises(UserError, match=what):
        storable_rows(apdb_table("DiaForcedSource"), forced(**changes))
