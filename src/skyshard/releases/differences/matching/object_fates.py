"""What became of objects: matched, lost, new, split, merged, by the pairs of near ones. Pure: arrays in, arrays out.

Rules, of objects that are not matched by key:

- each has a nearest one of the other side within the radius, or none; of equally near ones the one of the lowest key;
- an old one that is the nearest of several new ones (its new one by key counted) is split; these are its parts;
- a new one that is the nearest of several old ones (its old one by key counted) is merged of them;
- two that are each other's nearest, and neither split nor merged, are matched;
- every other old one is lost, every other new one is new, also where a neighbour belongs to another object.

A new one that is merged of several is no part of a split one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, RowIndexes
from skyshard.releases.differences.matching.near_pairs import NearPairs, nearest


class Fate(IntEnum):
    """Of a row; the words are those of the page and the JSON."""

    ALONE = 0
    """Lost, or new."""
    MATCHED = 1
    SPLIT = 2
    """Old: became several. New: a part of one that did."""
    MERGED = 3
    """Old: became one with others. New: what several became."""
    COPY = 4
    """A further row of a key whose other rows are matched."""


Fates = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Sides:
    """Rows of both sides in one zone: ranks decide ties, flags say which are matched by key, or further copies."""

    old_rank: RowIndexes
    new_rank: RowIndexes
    old_keyed: Flags
    new_keyed: Flags


@dataclass(frozen=True, slots=True)
class Judged:
    """The fate of each row; and by new row the old row that it is matched with, a part of, or -1."""

    old: Fates
    new: Fates
    partner: RowIndexes
    """Of new rows matched by position: the old row; else -1."""
    parent: RowIndexes
    """Of parts of a split row: the old row; else -1."""
    heir: RowIndexes
    """Of old rows that merged: the new row; else -1."""
    has_neighbour: tuple[Flags, Flags]
    """Old and new rows with any row of the other side within the radius."""
    split: Flags
    """Old rows that became several, those matched by key too."""
    merged: Flags
    """New rows that several became, those matched by key too."""


def judge(sides: Sides, pairs: NearPairs) -> Judged:
    """The fates of all rows. Pairs of rows that are both matched by key are not looked at, and may be left out."""
    old_rows, new_rows = len(sides.old_rank), len(sides.new_rank)
    near_new = nearest(old_rows, pairs.old, pairs.new, pairs.arcsec, sides.new_rank)
    near_old = nearest(new_rows, pairs.new, pairs.old, pairs.arcsec, sides.old_rank)
    parts = _followers(near_old, ~sides.new_keyed, sides.old_keyed)
    sources = _followers(near_new, ~sides.old_keyed, sides.new_keyed)
    split, merged = parts >= 2, sources >= 2
    is_free_old, is_free_new = ~sides.old_keyed, ~sides.new_keyed
    old, new = np.full(old_rows, Fate.ALONE, np.int8), np.full(new_rows, Fate.ALONE, np.int8)
    partner, parent, heir = (np.full(rows, -1, np.intp) for rows in (new_rows, new_rows, old_rows))

    into = is_free_old & _flag_of(merged, near_new)
    old[into], heir[into] = Fate.MERGED, near_new[into]
    old[is_free_old & split] = Fate.SPLIT
    heir[is_free_old & split] = -1
    out_of = is_free_new & _flag_of(split, near_old)
    new[out_of], parent[out_of] = Fate.SPLIT, near_old[out_of]
    new[is_free_new & merged] = Fate.MERGED
    parent[is_free_new & merged] = -1

    mutual = np.flatnonzero(is_free_new & (new == Fate.ALONE) & (near_old >= 0))
    mutual = mutual[(near_new[near_old[mutual]] == mutual) & (old[near_old[mutual]] == Fate.ALONE)]
    mutual = mutual[is_free_old[near_old[mutual]]]
    new[mutual], old[near_old[mutual]], partner[mutual] = Fate.MATCHED, Fate.MATCHED, near_old[mutual]
    old[sides.old_keyed], new[sides.new_keyed] = Fate.MATCHED, Fate.MATCHED
    return Judged(old, new, partner, parent, heir, (near_new >= 0, near_old >= 0), split, merged)


def _followers(near: RowIndexes, is_free: Flags, keyed: Flags) -> RowIndexes:
    """How many rows of the other side have each as their nearest; one that is matched by key has one more."""
    followed = near[is_free & (near >= 0)]
    return np.bincount(followed, minlength=len(keyed)) + keyed


def _flag_of(flags: Flags, places: RowIndexes) -> Flags:
    found = np.zeros(len(places), np.bool_)
    known = places >= 0
    found[known] = flags[places[known]]
    return found
