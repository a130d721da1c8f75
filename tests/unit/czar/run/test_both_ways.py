"""Two answers are the same where their rows are, in any order; sums may differ as those of two servers do."""

from __future__ import annotations

import pyarrow as pa
import pytest

from skyshard.basics.errors import Bug
from skyshard.czar.run.both_ways import asks_both, difference, require_same


def table(*rows: tuple[int | None, float | None]) -> pa.Table:
    numbers, values = zip(*rows, strict=True) if rows else ((), ())
    return pa.table({"n": pa.array(numbers, pa.int64()), "x": pa.array(values, pa.float64())})


ONE = table((1, 0.1), (None, 2.0), (3, None))


@pytest.mark.parametrize(
    "other", [ONE, table((3, None), (1, 0.1), (None, 2.0)), table((None, 2.0), (3, None), (1, 0.1))]
)
def test_the_order_of_rows_does_not_matter(other: pa.Table) -> None:
    """NULLs among them."""
    assert difference(ONE, other, is_exact=True) == ""


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (table((1, 0.1), (None, 2.0)), "3 rows instead of 2"),
        (table((1, 0.1), (None, 2.0), (3, 0.0)), "(3, None) instead of (3, 0.0)"),
        (table((1, 0.1), (2, 2.0), (3, None)), "(3, None) instead of (2, 2.0)"),
        (ONE.set_column(0, "n", ONE["n"].cast(pa.int32())), "types"),
        (table((1, 0.1), (1, 0.1), (3, None)), "instead of"),
    ],
)
def test_another_value_type_or_number_of_rows_is_told(other: pa.Table, found: str) -> None:
    """Also where all values are there, but not as often."""
    assert found in difference(ONE, other)


def test_sums_may_differ_in_their_last_digits() -> None:
    """Where they are sums; two rows that stand in another order for that reason are compared by their exact columns."""
    one = table((1, 0.1 + 0.2), (2, 0.3))
    other = table((2, 0.1 + 0.2), (1, 0.3))
    assert difference(one, other) == ""
    assert difference(one, other, is_exact=True)
    assert difference(table((1, 1.0)), table((1, 1.0 + 1e-7)))


def test_a_zero_with_a_sign_is_another_number() -> None:
    """MariaDB stores none: it would be seen as -0.0 in an answer."""
    for is_exact in (False, True):
        assert difference(table((1, -0.0)), table((1, 0.0)), is_exact=is_exact)
        assert difference(table((1, 0.0)), table((1, 0.0)), is_exact=is_exact) == ""


def test_any_rows_of_a_limit_will_do() -> None:
    """As many, and of the same types."""
    assert difference(table((1, 1.0)), table((2, 5.0)), is_limited=True) == ""
    assert difference(table((1, 1.0)), table(), is_limited=True) == "1 rows instead of 0"


def test_a_difference_is_a_bug_that_names_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for by the environment alone."""
    with pytest.raises(Bug, match=r"columns and rows differ: .*; statement: SELECT 1"):
        require_same(table((1, 1.0)), table((2, 1.0)), "SELECT 1", is_limited=False)
    require_same(ONE, ONE, "SELECT 1", is_limited=False)
    for value, is_asked in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("SKYSHARD_BOTH", value)
        assert asks_both() is is_asked
