"""The generator's answers against the cluster's: what compares them must be seen to fail."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from skyshard.basics.errors import ClusterError
from skyshard.ingest.check.check_truth import answer_check
from skyshard.ingest.transaction.kept_truth import Known, KnownAnswer

KEY = 2**60 + 1
ROWS = ((3, KEY, 1.5), (4, KEY + 1, None))


def is_good(rows: Any, known: Any = ROWS, places: tuple[int, ...] | None = None) -> bool:
    columns = [pa.array(values) for values in zip(*rows, strict=True)]
    table = pa.Table.from_arrays(columns, [f"c{place}" for place in range(len(columns))])
    return answer_check(Known({}, [KnownAnswer("SELECT", known, places)]), lambda sql: table).is_good


def test_known_rows_are_confirmed_in_any_order() -> None:
    """Rows may come in any order, columns that are not known hold anything."""
    assert is_good(ROWS[::-1])
    assert is_good([(9, KEY, 1.5), (9, KEY + 1, None)], tuple(row[1:] for row in ROWS), (1, 2))


@pytest.mark.parametrize(
    "rows",
    [
        [ROWS[0]],
        [*ROWS, ROWS[1]],
        [ROWS[0], ROWS[0]],
        [(3, KEY + 1, 1.5), (4, KEY, None)],
        [(3, KEY - 1, 1.5), ROWS[1]],
        [(3, KEY, None), (4, KEY + 1, 1.5)],
        [(3, KEY, 1.5 + 1e-9), ROWS[1]],
        [(3, KEY, 1.5), (4, KEY + 1, 0.0)],
        [(3.0, KEY, 1.5), (4.0, KEY + 1, None)],
        [row[:2] for row in ROWS],
        [(*row, 1) for row in ROWS],
    ],
)
def test_a_wrong_answer_is_named(rows: Any) -> None:
    """A row less or more, values of other rows, a neighbouring key beyond 2^53, 0 for NULL, a float for a number."""
    assert not is_good(rows)


def test_a_statement_that_fails_is_no_answer() -> None:
    """What the cluster says stands in the check."""

    def ask(sql: str) -> pa.Table:
        raise ClusterError("node1 is gone")

    check = answer_check(Known({}, [KnownAnswer("SELECT 1", ((1,),))]), ask)
    assert not check.is_good
    assert "node1 is gone" in check.found
