"""Definitions that are kept, by what they are kept."""

from __future__ import annotations

from skyshard.serve.mysql.definitions import ColumnType, Definition
from skyshard.serve.mysql.kept_definitions import KEPT, MOST_COLUMNS, KeptDefinitions, ResultHead
from skyshard.serve.mysql.packets import eof

HEAD = ResultHead.of([Definition(b"a", ColumnType.LONG, 11)])


def test_what_is_kept_is_of_one_generation() -> None:
    """Of another one nothing is found, and what is kept of it takes the place of all."""
    kept = KeptDefinitions()
    kept.keep(3, "a", HEAD)
    assert kept.find(3, "a") is HEAD
    assert (kept.find(4, "a"), kept.find(2, "a"), kept.find(3, "b")) == (None, None, None)
    kept.keep(4, "b", HEAD)
    assert kept.has(4, "b")
    assert not kept.has(3, "a")
    assert not kept.has(4, "a")


def test_the_last_used_are_kept() -> None:
    """As many as are allowed; wide results are not."""
    kept = KeptDefinitions()
    kept.keep(1, "used", HEAD)
    for number in range(KEPT):
        assert kept.find(1, "used")
        kept.keep(1, number, HEAD)
    assert kept.has(1, "used")
    assert not kept.has(1, 0)
    kept.keep(1, "wide", ResultHead.of([Definition(b"a", ColumnType.LONG, 11)] * (MOST_COLUMNS + 1)))
    assert not kept.has(1, "wide")


def test_a_head_is_a_count_definitions_and_their_end() -> None:
    """As the protocol has it."""
    assert HEAD.payloads == (b"\x01", HEAD.definitions[0].payload(), eof())
