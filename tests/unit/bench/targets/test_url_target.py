"""Any database that SQLAlchemy reaches, with SQLite for all of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.targets.url_target import UrlTarget, to_table


@pytest.fixture
def target(tmp_path: Path) -> UrlTarget:
    return UrlTarget(f"sqlite:///{tmp_path / 'one.db'}")


def test_rows_become_numbered_columns() -> None:
    """Names of an answer may repeat; no rows are columns without type; whole decimals stay, others are floats."""
    found = to_table(["a", "a", "a"], [(1, Decimal("2.5"), Decimal(7)), (None, Decimal(3), None)])
    assert found.to_pydict() == {"c0": [1, None], "c1": [2.5, 3.0], "c2": [Decimal(7), None]}
    assert to_table(["a", "b"], []).column_names == ["c0", "c1"]


def test_a_colon_in_a_statement_is_no_parameter(target: UrlTarget) -> None:
    """Statements go as they are."""
    assert target.run("SELECT ':x' AS a", "").table.to_pydict() == {"c0": [":x"]}
    target.close()


def test_a_call_that_was_cancelled_before_it_is_asked_is_not_asked(target: UrlTarget) -> None:
    """The engine is not troubled with it."""
    call = target.begin("SELECT 1", "")
    assert call.cancel()
    with pytest.raises(ClusterError, match="stopped before it was asked"):
        call.answer()
    target.close()


def test_the_engines_error_is_one_line(target: UrlTarget) -> None:
    """With the name of the engine."""
    with pytest.raises(ClusterError, match=r"^sqlite: no such table: none") as caught:
        target.run("SELECT 1\nFROM none", "")
    assert "\n" not in str(caught.value)
    target.close()


@pytest.mark.parametrize("url", ["nosuch://host/db", "://"])
def test_a_wrong_url_is_refused(url: str) -> None:
    """As the user's error, before anything is asked."""
    with pytest.raises(UserError, match="target URL"):
        UrlTarget(url)
