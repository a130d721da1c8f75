"""Numbers of rows: equal for rows that a store holds to be equal, different for all others."""

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from skyshard.apdb.sky.row_digest import digest_of, row_numbers

TYPES = {"flag": pa.int8(), "id": pa.int64(), "flux": pa.float32(), "ra": pa.float64(), "band": pa.string()}
ROW = {"flag": 1, "id": 2**60, "flux": 0.5, "ra": 10.0, "band": "g"}


def rows(*changes: Mapping[str, object], names: tuple[str, ...] = tuple(TYPES)) -> pa.Table:
    schema = pa.schema([(name, TYPES[name]) for name in names])
    return pa.Table.from_pylist([ROW | dict(one) for one in changes], schema=schema)


@pytest.mark.parametrize("name", list(TYPES))
def test_each_value_and_null_have_numbers_of_their_own(name: str) -> None:
    """A value, another one, NULL."""
    other = {"flag": 0, "id": -1, "flux": -0.5, "ra": 10.000000000000002, "band": "r"}[name]
    assert len(set(row_numbers(rows({}, {name: other}, {name: None})).tolist())) == 3


@pytest.mark.parametrize("name", ["flux", "ra"])
def test_what_is_stored_alike_has_one_number(name: str) -> None:
    """NaN and infinities are NULL, and zero has no sign."""
    nones = row_numbers(rows(*({name: one} for one in (None, math.nan, math.inf, -math.inf))))
    assert len(set(nones.tolist())) == 1
    plus, minus = row_numbers(rows({name: 0.0}, {name: -0.0}))
    assert plus == minus
    assert plus not in nones


def test_neither_order_nor_pieces_count() -> None:
    """Of columns, of rows, of chunks; rows that begin in the middle of a byte of NULL bits."""
    many = rows(*({"id": n, "flux": None if n % 3 else n, "flag": None if n % 5 else 1} for n in range(40)))
    numbers = row_numbers(many)
    assert row_numbers(many.select(sorted(TYPES))).tolist() == numbers.tolist()
    pieces = pa.concat_tables([many.slice(0, 13), many.slice(13)])
    assert row_numbers(pieces).tolist() == numbers.tolist()
    assert np.concatenate([row_numbers(many.slice(0, 13)), row_numbers(many.slice(13))]).tolist() == numbers.tolist()
    assert digest_of(numbers) == digest_of(row_numbers(many.take(list(reversed(range(40))))))


def test_exchanged_values_are_seen() -> None:
    """Two columns of one row, and one column of two rows."""
    one, other = rows({"flux": 1.0, "ra": 2.0}), rows({"flux": 2.0, "ra": 1.0})
    assert row_numbers(one).tolist() != row_numbers(other).tolist()
    pair, exchanged = rows({"id": 1, "ra": 1.0}, {"id": 2, "ra": 2.0}), rows({"id": 2, "ra": 1.0}, {"id": 1, "ra": 2.0})
    assert digest_of(row_numbers(pair)) != digest_of(row_numbers(exchanged))
