"""The sky of all weeklies: every object that any of them sees, and the rows that patches make of it. No I/O.

Row i below ``len(pool)`` is object i as its own patch sees it; the rows after these are seen by a neighbouring patch or
tract, too. Objects stand on a jittered grid, so that none is near another but those that are meant to be: pairs that
will be merged, and the children of split ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skyshard.basics.array_types import Flags, Floats, Integers, RowIndexes
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.sky.tracts import tract_and_patch
from skyshard.synth.weeklies.weekly_order import LAST_WEEKLY, WeeklyOrder

BORDER_DEG = 17 / 3600
"""How far a patch sees beyond its edge."""
CHILD_DEG = 0.3 / 3600
"""A child of a split object, or a member of a pair, from the middle of both."""
_HEIGHT_DEG, _WIDTH_DEG = 0.6, 0.9
_OBJECTS_OF_FIELD = 20_000
_COPY_DEG = 0.01 / 3600
_SKY_SHARE = 0.01
_NEVER_SHARE, _TWICE_SHARE = 0.03, 0.04


@dataclass(frozen=True, slots=True)
class Births:
    """Places that are kept for each weekly's new objects, and how many objects meet which fate in a weekly."""

    first: int
    lost: int
    new: int
    split: int
    merged: int

    @property
    def of_weekly(self) -> int:
        return self.new + 2 * self.split + self.merged

    def places(self, weekly: int) -> tuple[Integers, Integers, Integers]:
        """Objects that are new in a weekly; children of split ones, two after each other; what pairs merge into."""
        start = self.first + (weekly - 2) * self.of_weekly
        every = np.arange(start, start + self.of_weekly)
        return every[: self.new], every[self.new : self.new + 2 * self.split], every[self.new + 2 * self.split :]


@dataclass(frozen=True, slots=True)
class SkyPool:
    """Objects and rows. Arrays are by row; ``ra`` and ``dec`` of objects that are born are set by their fate."""

    births: Births
    pairs: int
    """Objects ``[0, pairs)`` have their companions at ``[first - pairs, first)``."""
    of: RowIndexes
    """The object of each row."""
    ra: Floats
    dec: Floats
    tract: Integers
    patch: Integers
    is_patch_inner: Flags
    is_tract_inner: Flags
    is_sky: Flags
    """Measured where nothing is."""
    is_primary: Flags
    is_single: Flags
    """By object: of one row, and no member of a pair."""

    def __len__(self) -> int:
        """Objects."""
        return len(self.is_single)

    @property
    def rows(self) -> int:
        return len(self.of)


def make_pool(order: WeeklyOrder) -> SkyPool:
    """The sky of an order; its weekly does not matter."""
    births, pairs = _births(order.objects), _pair_count(order.objects)
    count = order.objects + births.of_weekly * LAST_WEEKLY
    ra, dec = _grid(order, count)
    first = order.objects
    ra[first - pairs : first] = ra[:pairs]
    dec[first - pairs : first] = dec[:pairs] + 2 * CHILD_DEG
    in_pair = np.zeros(count, np.bool_)
    in_pair[:pairs] = in_pair[first - pairs : first] = True
    may_copy = (np.arange(count) < first) & ~in_pair
    of, tract, patch, is_own = _rows(ra, dec, may_copy)
    luck = stream(order.seed, "sky", WHOLE_SKY, "luck").random(len(of))
    jitter = stream(order.seed, "sky", WHOLE_SKY, "copies").uniform(-_COPY_DEG, _COPY_DEG, (2, len(of)))
    jitter[:, is_own] = 0.0
    is_tract_inner = tract == tract[of]
    is_twice = (luck < _TWICE_SHARE) & ~is_own & is_tract_inner
    is_patch_inner = is_own | ~is_tract_inner | is_twice
    has_copy = np.bincount(of, minlength=count) > 1
    is_sky = (may_copy & ~has_copy & (luck[:count] < _SKY_SHARE))[of]
    is_never = is_own & has_copy[of] & (luck > 1 - _NEVER_SHARE)
    return SkyPool(
        births, pairs, of, (ra[of] + jitter[0]) % 360.0, dec[of] + jitter[1], tract, patch, is_patch_inner,
        is_tract_inner, is_sky, is_patch_inner & is_tract_inner & ~is_sky & ~is_never, may_copy & ~has_copy,
    )  # fmt: skip


def _births(objects: int) -> Births:
    some, few = max(1, objects // 200), max(1, objects // 400)
    return Births(objects, lost=some, new=some, split=few, merged=few)


def _pair_count(objects: int) -> int:
    return min(LAST_WEEKLY * max(1, objects // 400), objects // 5)


def _grid(order: WeeklyOrder, count: int) -> tuple[Floats, Floats]:
    """Positions on a jittered grid about the centre, in an order drawn by lot."""
    scale = math.sqrt(max(1.0, count / _OBJECTS_OF_FIELD))
    high = math.ceil(math.sqrt(count * _HEIGHT_DEG / _WIDTH_DEG))
    wide = math.ceil(count / high)
    random = stream(order.seed, "sky", WHOLE_SKY, "positions")
    cell = random.permutation(high * wide)[:count]
    up = (cell // wide + random.uniform(0.25, 0.75, count)) / high - 0.5
    across = (cell % wide + random.uniform(0.25, 0.75, count)) / wide - 0.5
    dec = order.centre[1] + up * _HEIGHT_DEG * scale
    ra = order.centre[0] + across * _WIDTH_DEG * scale / np.cos(np.radians(dec))
    return ra % 360.0, dec


def _rows(ra: Floats, dec: Floats, may_copy: Flags) -> tuple[RowIndexes, Integers, Integers, Flags]:
    """Object, tract and patch of each row, and whether the row is of the object's own patch."""
    tract, patch = tract_and_patch(ra, dec)
    every = np.arange(len(ra))
    parts = [(every, tract, patch)]
    for east, north in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        near = tract_and_patch(
            (ra + east * BORDER_DEG / np.cos(np.radians(dec))) % 360.0, np.clip(dec + north * BORDER_DEG, -90, 90)
        )
        is_other = may_copy & ((near[0] != tract) | (near[1] != patch))
        parts.append((every[is_other], near[0][is_other], near[1][is_other]))
    of, tracts, patches = (np.concatenate(one) for one in zip(*parts, strict=True))
    return of, tracts, patches, np.arange(len(of)) < len(ra)
