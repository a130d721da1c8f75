"""Which objects are there in a weekly, and what became of them since the one before. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skyshard.basics.array_types import Flags, Integers
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.sky.tracts import tract_and_patch
from skyshard.synth.weeklies.sky_pool import CHILD_DEG, SkyPool


@dataclass(frozen=True, slots=True)
class Step:
    """What happened between two weeklies, as numbers of objects."""

    lost: Integers
    new: Integers
    split: Integers
    """(n, 3): the old one, its two children."""
    merged: Integers
    """(n, 3): the two old ones, what they became."""


NO_STEP = Step(*(np.zeros(shape, np.int64) for shape in (0, 0, (0, 3), (0, 3))))


def live(pool: SkyPool, seed: int, weekly: int) -> tuple[list[Flags], Step]:
    """Who is there in each weekly up to this one, and the last step; sets the positions of those who are born.

    ``alive[n - 1]`` is by object and of weekly n.
    """
    alive = np.arange(len(pool)) < pool.births.first
    history, step = [alive], NO_STEP
    merged_pairs = 0
    for number in range(2, weekly + 1):
        alive, step = _next(pool, seed, number, alive, merged_pairs)
        merged_pairs += len(step.merged)
        history.append(alive)
    return history, step


def _next(pool: SkyPool, seed: int, weekly: int, alive: Flags, merged_pairs: int) -> tuple[Flags, Step]:
    births = pool.births
    candidates = np.flatnonzero(alive & pool.is_single)
    drawn = stream(seed, "fates", WHOLE_SKY, str(weekly)).permutation(candidates)
    room = len(candidates) // 4
    lost = drawn[: min(births.lost, room)]
    parents = drawn[len(lost) : len(lost) + min(births.split, room)]
    new, children, becoming = births.places(weekly)
    split = np.column_stack([parents, children[: 2 * len(parents)].reshape(-1, 2)])
    pairs = np.arange(merged_pairs, min(merged_pairs + births.merged, pool.pairs))
    merged = np.column_stack([pairs, births.first - pool.pairs + pairs, becoming[: len(pairs)]])
    for column, sign in ((1, 1.0), (2, -1.0)):
        _put(pool, split[:, column], split[:, 0], sign * CHILD_DEG)
    _put(pool, merged[:, 2], merged[:, 0], CHILD_DEG)
    after = alive.copy()
    after[lost] = after[split[:, 0]] = after[merged[:, :2].ravel()] = False
    after[new] = after[split[:, 1:].ravel()] = after[merged[:, 2]] = True
    return after, Step(lost, new, split, merged)


def _put(pool: SkyPool, born: Integers, at: Integers, north_deg: float) -> None:
    """Set the place of objects that are born near others."""
    pool.ra[born] = pool.ra[at]
    pool.dec[born] = pool.dec[at] + north_deg
    pool.tract[born], pool.patch[born] = tract_and_patch(pool.ra[born], pool.dec[born])
