"""Rows in SQLite: answers worked out by hand, statements that it refuses, names that it does not take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from skyshard.synthetic.row_engine import RowEngine, row_engine

OBJECTS: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = {
    "Object": (["objectId", "ra", "decl"], [[1, 2, 3], [0.0, 359.5, None], [0.0, 0.0, -90.0]])
}


def test_an_engine_is_asked_again_and_again() -> None:
    """Rows stay; NULL stays NULL; each answer has the text that was asked."""
    engine = RowEngine(OBJECTS, {"Object": ["objectId", "missing"]})
    for number, right in ((1, 0.0), (2, 359.5), (3, None)):
        sql = f"SELECT ra FROM Object WHERE objectId = {number}"
        answer = engine.answer(sql, sql)
        assert answer is not None
        assert (answer.sql, answer.rows, answer.columns) == (sql, ((right,),), 1)


def test_separations_are_those_of_the_sphere() -> None:
    """Half a degree across 0 h; NULL beside a NULL."""
    engine = RowEngine(OBJECTS, {})
    pairs = "Object a, Object b WHERE a.objectId = 1 ORDER BY b.objectId"
    sql = f"SELECT scisql_angSep(a.ra, a.decl, b.ra, b.decl) FROM {pairs}"
    answer = engine.answer(sql, sql)
    assert answer is not None
    (same,), (across,), (unknown,) = answer.rows
    assert same == 0.0
    assert math.isclose(across, 0.5, rel_tol=1e-12)
    assert unknown is None


def test_what_sqlite_refuses_is_not_known() -> None:
    """A function that it lacks; a column whose name is a word of SQL."""
    engine = RowEngine(OBJECTS, {})
    assert engine.answer("x", "SELECT FORMAT_BYTES(ra, 1, 2) FROM Object") is None
    assert engine.answer("x", "SELECT COUNT(*) FROM Object") is not None
    assert row_engine({"T": (["select"], [[1]])}, {}) is None
