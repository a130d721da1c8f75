"""The documented table of the model against published numbers is worked out again."""

import re
from pathlib import Path

import numpy as np
import pytest

from skyshard.bench.model.priced_templates import unpriced
from skyshard.bench.model.projection import Projection
from skyshard.bench.model.published_cells import Kind, ModelError, PublishedCell, model_errors, published_cells
from skyshard.bench.pages.projection_page import cells
from skyshard.scenarios.projection_run import published_tests

DOCS = Path(__file__).resolve().parents[4] / "docs"
KEPT = Projection.model_validate_json((DOCS / "examples" / "projection" / "projection.json").read_text())


def test_the_published_table_follows_from_the_prices() -> None:
    """From the prices that the example keeps: every prediction again, and every number of the documentation."""
    classes, costs = unpriced(KEPT.prices)
    found = published_cells(published_tests(), classes, costs, KEPT.disk_efficiency)
    assert [one.predicted_s for one in found] == pytest.approx([one.predicted_s for one in KEPT.published], rel=1e-6)
    page = (DOCS / "measurements" / "projection.md").read_text()
    for line in cells(KEPT.model_copy(update={"published": found})):
        assert re.search(r"\| " + r" +\| ".join(map(re.escape, line)) + r" +\|", page), line


def test_intervals_hold_most_published_numbers() -> None:
    """Nineteen of twenty in the intervals of their kinds."""
    errors = model_errors(KEPT.published)
    inside = [low <= one.ratio <= high for one in KEPT.published for low, high in [errors[one.kind].interval(0.0)]]
    assert sum(inside) >= 0.95 * len(inside)


def cell(ratio: float, name: str) -> PublishedCell:
    return PublishedCell(name=name, fraction=0.1, nodes=24, kind=Kind.SCAN, is_under_load=False, predicted_s=1.0,
                         measured_s=ratio)  # fmt: skip


def test_an_interval_reaches_to_where_published_numbers_lie() -> None:
    """All measured twice what was predicted: from the prediction up to a little over twice."""
    error = model_errors([cell(ratio, name) for ratio in (1.9, 2.0, 2.1) for name in "ab"])[Kind.SCAN]
    low, high = error.interval(0.0)
    assert low == 1.0
    assert 2.1 < high < 5


def test_too_few_cells_tell_nothing() -> None:
    """Two numbers have no spread worth the name."""
    assert model_errors([cell(1.0, "a"), cell(2.0, "b")]) == {}


def test_a_wider_fit_makes_a_wider_interval() -> None:
    """Errors are added as squares of logarithms."""
    error = ModelError(0.0, np.log(2.0), 5)
    assert error.interval(0.0) == pytest.approx((0.5, 2.0))
    assert error.interval(float(np.log(2.0)))[1] == pytest.approx(2 ** np.sqrt(2))
