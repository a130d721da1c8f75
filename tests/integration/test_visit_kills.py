"""Processes that are killed while visits are stored: no tile is lost, doubled, or seen in part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.killing_upkeep import UpkeepKind, UpkeepRange
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


KINDS = [pytest.param(kind, marks=pytest.mark.deep) if kind is VisitKind.NODE else kind for kind in VisitKind]
"""Nodes are killed below, too, while more is done than to store visits."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_process_loses_and_doubles_no_tile(place: VisitRange, kind: VisitKind) -> None:
    """The writer, a node, the czar's server; `benchmarks/kill.py --of visits` strikes as often as one likes."""
    strike = place.strike(kind)
    assert strike.wrong == []
    assert strike.acknowledged >= 1


@pytest.fixture(scope="module")
def kept(short_folder: Path) -> Iterator[UpkeepRange]:
    made = UpkeepRange(short_folder / "kept", seed=7)
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("kind", [UpkeepKind.KEEPER, UpkeepKind.NODE])
def test_a_killed_process_loses_nothing_while_all_is_done_at_once(kept: UpkeepRange, kind: UpkeepKind) -> None:
    """Stores, publication, purge, daytime changes and the drop of a month; `--of upkeep` strikes more often."""
    strike = kept.strike(kind)
    assert strike.wrong == []
    assert strike.acknowledged >= 1
