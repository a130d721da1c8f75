"""Which pairs numbers decide, and which only the server: the bound between a separation computed here and MariaDB's.

Here two positions are unit vectors, and their chord c stands for the separation s: c = 2 sin(s / 2). MariaDB computes
``DEGREES(2 * ASIN(LEAST(1, SQRT(h))))`` with h of ``region_sql.haversine``. Both are off the true separation by
rounding only. With u = 2^-53, |ra| <= 720 and |dec| <= 90 degrees, s <= 10 degrees, and sin, cos, asin, pow good to 4
ulp:

- Here: right ascensions in radians are off by 2u * 4 pi = 2.8e-15, declinations by 3.5e-16, each component by another
  1e-15; so a vector by less than 5e-15 and the chord of two by less than 1e-14, of which it keeps all but 3u.
- MariaDB: half a difference of right ascensions, up to 4 pi, is off by 3u * 4 pi = 4.2e-15 (which matters where it is
  near pi: 0 and 360 degrees), that of declinations by 3u of itself. A cosine is off by e = 5e-16, h therefore by
  e * (cos d1 + cos d2) * sin^2. If both cosines are below 2s this is at most 4se, else sin^2 <= s^2 / (2 cos^2) and it
  is at most se / 2; so SQRT(h), which is about s / 2, is off by at most 4.1e + 4.2e-15 + 4u, ASIN and the factor 2
  make that less than 1.4e-14.

Together less than 2.6e-14 radians. ``BOUND_RAD`` is four times that: 0.02 microarcseconds. Pairs nearer to a radius
than this are *doubtful*. Two positions of the same numbers have the separation 0 in MariaDB, exactly: their differences
are 0. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skyshard.basics.array_types import Flags, Floats
from skyshard.chunking.sphere import RAD_PER_DEG

BOUND_RAD = 1e-13
MOST_RA_DEG, MOST_DEC_DEG, MOST_RADIUS_DEG = 720.0, 90.0, 10.0
"""Where the bound holds."""


@dataclass(frozen=True, slots=True)
class SeparationLimit:
    """``separation < radius``, or another comparison of the two: ``word`` is one of <, <=, >, >=."""

    word: str
    radius_deg: float

    @property
    def is_upper(self) -> bool:
        return self.word[0] == "<"

    @property
    def surely_below2(self) -> float:
        """Squared chords up to which a separation is below the radius for certain; negative where none is."""
        chord = self._chord - BOUND_RAD
        return chord * chord if chord > 0 else -1.0

    @property
    def surely_above2(self) -> float:
        """Squared chords from which on a separation is above the radius for certain."""
        return (self._chord + BOUND_RAD) ** 2

    @property
    def _chord(self) -> float:
        return float(2 * np.sin(self.radius_deg * RAD_PER_DEG / 2))

    @property
    def holds_for_same(self) -> bool:
        """Whether it holds for two positions of the same numbers."""
        radius = self.radius_deg
        return {"<": radius > 0, "<=": radius >= 0, ">": radius < 0, ">=": radius <= 0}[self.word]


def reach_rad(limits: Sequence[SeparationLimit]) -> float:
    """The longest chord that a pair may have, for which not all is decided against it."""
    return min(float(np.sqrt(limit.surely_above2)) for limit in limits if limit.is_upper)


def decide(chord2: Floats, limits: Sequence[SeparationLimit]) -> tuple[Flags, Flags]:
    """Of squared chords: for which pairs all limits hold for certain, and which are doubtful (no limit fails).

    >>> decide(np.array([0.0, 3.04e-10, 1.0]), [SeparationLimit("<", 1e-3)])
    (array([ True,  True, False]), array([False, False, False]))
    """
    holds, fails = np.ones(len(chord2), np.bool_), np.zeros(len(chord2), np.bool_)
    for limit in limits:
        below, above = chord2 < limit.surely_below2, chord2 > limit.surely_above2
        holds &= below if limit.is_upper else above
        fails |= above if limit.is_upper else below
    return holds, ~(holds | fails)
