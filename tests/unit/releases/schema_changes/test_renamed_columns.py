"""Renamed columns: proved by values of rows with equal keys, guessed by names, or neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column
from skyshard.releases.schema_changes.renamed_columns import MatchedRows, match_rows, renamed_columns
from skyshard.rowimage.sqltype import parse_type

ROWS = 20
VALUES = [0.1 * n for n in range(ROWS)]


def columns(**types: str) -> list[Column]:
    return [Column(name, parse_type(text)) for name, text in types.items()]


def found(
    old: dict[str, Any], new: dict[str, Any], kind: str = "double", new_kind: str = ""
) -> dict[str, tuple[str, str]]:
    """Old name → new name and how it was seen; values stand beside each other."""
    rows = MatchedRows(pa.table(old), pa.table(new))
    removed, added = columns(**dict.fromkeys(old, kind)), columns(**dict.fromkeys(new, new_kind or kind))
    renamed = renamed_columns(removed, added, rows, is_strict=True)
    return {change.old: (change.new, change.by) for change in renamed.values()}


def test_equal_values_are_a_renamed_column() -> None:
    """However the names look; other columns stay added and removed."""
    noise = np.random.default_rng(1).normal(size=ROWS).tolist()
    assert found({"ebv": VALUES, "x": noise}, {"dust": VALUES, "other": [-v for v in VALUES]}) == {
        "ebv": ("dust", "value")
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([*VALUES[1:], None], [*VALUES[1:], float("nan")]), (VALUES, pa.array(VALUES, pa.float32())),
        ([*VALUES[1:], 0.0], [*VALUES[1:], -0.0]), ([*VALUES[1:], float("inf")], [*VALUES[1:], None]),
    ],
)  # fmt: skip
def test_what_is_stored_alike_is_equal(old: Any, new: Any) -> None:
    """NaN and infinities are NULL, -0 is 0, and a double that became a float is the float."""
    assert found({"ebv": old}, {"dust": new}) == {"ebv": ("dust", "value")}


def test_one_other_value_is_another_column() -> None:
    """A digest is of all rows."""
    assert found({"ebv": VALUES}, {"dust": [*VALUES[:-1], 99.0]}) == {}


@pytest.mark.parametrize("values", [[1.0] * ROWS, [0.0, 1.0] * (ROWS // 2), [None] * ROWS])
def test_values_that_tell_nothing_prove_nothing(values: list[Any]) -> None:
    """Constants and flags are equal by accident."""
    assert found({"ebv": pa.array(values, pa.float64())}, {"dust": pa.array(values, pa.float64())}) == {}


def test_two_candidates_prove_nothing() -> None:
    """Either could be the renamed one."""
    assert found({"ebv": VALUES}, {"dust": VALUES, "soot": VALUES}) == {}


def test_texts_have_values_too() -> None:
    """Bytes of a database and strings of a file are the same texts."""
    texts = [f"t{n % 5}" for n in range(ROWS)]
    assert found({"a": [text.encode() for text in texts]}, {"b": texts}, "varchar(8)") == {"a": ("b", "value")}


def test_few_rows_prove_nothing() -> None:
    """Fewer than eight rows with equal keys."""
    assert found({"ebv": VALUES[:7]}, {"dust": VALUES[:7]}) == {}


def test_names_alike_are_a_guess() -> None:
    """The great renaming: each the other's best; numbers are never guessed to be texts."""
    removed = columns(gPsFlux="double", gPsFluxErr="double", decl="double", band="char(1)")
    added = columns(g_psfFlux="float", g_psfFluxErr="float", dec="double", bands="int", epoch="double")
    renamed = renamed_columns(removed, added, None, is_strict=True)
    assert {change.old: change.new for change in renamed.values()} == {
        "gPsFlux": "g_psfFlux", "gPsFluxErr": "g_psfFluxErr", "decl": "dec",
    }  # fmt: skip
    change = renamed["gpsflux"]
    assert change.by == "name"
    assert change.retyped is not None
    assert change.retyped.loss == "digits beyond the 7th, numbers beyond 3.4e38"


@given(st.permutations(list(range(30))), st.integers(0, 30))
def test_rows_match_by_key_in_any_order(order: list[int], cut: int) -> None:
    """Each key of both sides once, its values beside each other; NULL keys and doubled ones are left out."""
    keys = [*order[:cut], None, 100, 100]
    old = pa.table({"id": [*range(30), 100], "a": [*range(30), 5]})
    new = pa.table({"key": pa.array(keys, pa.int64()), "b": pa.array(keys, pa.int64())})
    matched = match_rows(old, new, "id", "key")
    assert matched.old.column("id").to_pylist() == sorted(order[:cut])
    assert matched.new.column("b").to_pylist() == matched.old.column("a").to_pylist()


def test_keys_of_64_bits_are_told_apart_beside_a_null() -> None:
    """Three keys that are one as floats, and a row without a key."""
    keys = pa.array([2**62, 2**62 + 1, 2**62 + 2, None])
    side = pa.table({"id": keys, "x": [1, 2, 3, 4]})
    matched = match_rows(side, side, "id", "id")
    assert (matched.rows, matched.old["x"].to_pylist()) == (3, [1, 2, 3])
