"""Processes that are killed while visits are stored: no tile is lost, doubled, or seen in part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.killing_visits import VisitKind, VisitRange

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def place(short_folder: Path) -> Iterator[VisitRange]:
    made = VisitRange(short_folder / "struck", seed=7)
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("kind", list(VisitKind))
def test_a_killed_process_loses_and_doubles_no_tile(place: VisitRange, kind: VisitKind) -> None:
    """The writer, a node, the czar's server; `benchmarks/kill.py --of visits` strikes as often as one likes."""
    strike = place.strike(kind)
    assert strike.wrong == []
    assert strike.acknowledged >= 1
