"""How much of many rounds waits for slow readers."""

from __future__ import annotations

from skyshard.czar.run.backlog import FEW_BYTES, HOLD_BYTES, MOST_BYTES, Backlog, WaitingBytes

UNIT_BYTES = 8 << 20
ROUNDS = 64


def filled(one: Backlog) -> int:
    """Units that came until it paused."""
    units = 0
    while not one.is_full:
        one.add(UNIT_BYTES)
        units += 1
    return units


def test_what_waits_for_many_slow_readers_is_bounded() -> None:
    """By far less than as many times what may wait for one: they were 16 GB."""
    of_all = WaitingBytes()
    rounds = [Backlog(of_all) for _ in range(ROUNDS)]
    units = [filled(one) for one in rounds]
    assert units[0] * UNIT_BYTES == HOLD_BYTES + UNIT_BYTES
    assert of_all.add(0) == sum(units) * UNIT_BYTES <= MOST_BYTES + HOLD_BYTES + ROUNDS * (FEW_BYTES + UNIT_BYTES)


def test_each_round_goes_on_when_its_own_reader_has_taken_its_rows() -> None:
    """Whatever waits for the others."""
    of_all = WaitingBytes()
    rounds = [Backlog(of_all) for _ in range(ROUNDS)]
    units = [filled(one) for one in rounds]
    last, count = rounds[-1], units[-1]
    taken = [last.add(-UNIT_BYTES) for _ in range(count)]
    assert (last.is_full, sum(taken)) == (False, 1)


def test_a_round_that_ends_leaves_room() -> None:
    """Also one that was given up with rows that nobody took."""
    of_all = WaitingBytes()
    for _ in range(ROUNDS):
        one = Backlog(of_all)
        assert filled(one) * UNIT_BYTES == HOLD_BYTES + UNIT_BYTES
        one.close()
    assert of_all.add(0) == 0
