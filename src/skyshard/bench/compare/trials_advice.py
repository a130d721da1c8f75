"""What so few trials cannot show, and how many a side would, by the spread that is seen. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyshard.bench.compare.class_change import ClassChange, LatencyChange
from skyshard.bench.compare.permutation import ALPHA, MOST_TRIALS, smallest_p

LEAST_TRIALS = next(count for count in range(2, 10) if smallest_p(count, count) <= ALPHA)
"""Trials a side from which the test can tell anything."""


def can_tell(new_count: int, old_count: int) -> bool:
    """True where so many trials can give a p that is small enough.

    >>> can_tell(1, 1), can_tell(3, 3), can_tell(4, 4), can_tell(2, 5)
    (False, False, True, True)
    """
    return smallest_p(new_count, old_count) <= ALPHA


def advice(new_count: int, old_count: int, classes: Sequence[ClassChange], threshold: float) -> list[str]:
    """What so many trials cannot tell and how many would, as sentences."""
    few = _few(new_count, old_count)
    open_ones = [one for one in classes if one.change is LatencyChange.INCONCLUSIVE and one.spread is not None]
    return [*([few] if few else []), *([_power(open_ones, threshold)] if open_ones else [])]


def _few(new_count: int, old_count: int) -> str:
    if can_tell(new_count, old_count):
        return ""
    remedy = f"Run at least {LEAST_TRIALS} a side, those of both sides in turns."
    if min(new_count, old_count) == 1:
        return f"One trial of a side shows one state of the machine: its times decide nothing. {remedy}"
    least = smallest_p(new_count, old_count)
    return f"{new_count} against {old_count} trials cannot give a p below {least:.2g}, whatever they show. {remedy}"


def _power(classes: Sequence[ClassChange], threshold: float) -> str:
    """How many trials a side would find a change as large as the threshold."""
    spreads = {f"{one.class_name} ({one.phase})": one.spread or 0.0 for one in classes}
    widest = max(spreads, key=lambda name: spreads[name])
    typical = f"{100 * float(np.median(list(spreads.values()))):.2g} %"
    most = f", those of {widest} by {100 * spreads[widest]:.2g} %" if len(spreads) > 1 else ""
    needed = [one.trials_needed for one in classes if one.trials_needed is not None]
    beyond = len(classes) - len(needed)
    found = f"A change of {threshold:g} times would be found in four of five comparisons"
    how_many = []
    if needed:
        low, high = min(needed), max(needed)
        how_many.append(f"by about {low} trials a side" if low == high else f"by about {low} to {high} trials a side")
    if beyond:
        what = "class" if beyond == 1 else "classes"
        how_many.append(f"by more than {MOST_TRIALS} in {beyond} {what}")
    return f"Trials of one side differ by {typical}{most}. {found} {', '.join(how_many)}."
