"""What became of objects."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyshard.releases.differences.matching.near_pairs import NearPairs
from skyshard.releases.differences.matching.object_fates import Fate, Judged, Sides, judge

ALONE, MATCHED, SPLIT, MERGED = Fate.ALONE, Fate.MATCHED, Fate.SPLIT, Fate.MERGED


def judged(
    pairs: list[tuple[int, int, float]], old: int, new: int, keyed: tuple[list[int], list[int]] = ([], [])
) -> Judged:
    """Fates by pairs of (old row, new row, separation); ``keyed`` are the rows that are matched by key."""
    flags = [np.isin(np.arange(rows), which) for rows, which in zip((old, new), keyed, strict=True)]
    columns = list(zip(*pairs, strict=True)) or [(), (), ()]
    near = NearPairs(np.array(columns[0], np.intp), np.array(columns[1], np.intp), np.array(columns[2], float))
    return judge(Sides(np.arange(old), np.arange(new), *flags), near)


def test_each_others_nearest_are_matched_and_the_rest_lost_or_new() -> None:
    """Old 0 and new 1 are near each other; old 1 and new 0 are alone."""
    found = judged([(0, 1, 0.2)], 2, 2)
    assert found.old.tolist() == [MATCHED, ALONE]
    assert found.new.tolist() == [ALONE, MATCHED]
    assert found.partner.tolist() == [-1, 0]


def test_an_old_row_that_is_nearest_to_two_new_ones_is_split() -> None:
    """Neither of its parts is matched: which of them it is, nobody can tell."""
    found = judged([(0, 0, 0.3), (0, 1, 0.3)], 1, 2)
    assert (found.old.tolist(), found.new.tolist(), found.parent.tolist()) == ([SPLIT], [SPLIT, SPLIT], [0, 0])


def test_a_new_row_that_is_nearest_to_two_old_ones_is_merged() -> None:
    """Both of its sources are gone."""
    found = judged([(0, 0, 0.3), (1, 0, 0.1)], 2, 1)
    assert (found.old.tolist(), found.new.tolist(), found.heir.tolist()) == ([MERGED, MERGED], [MERGED], [0, 0])


def test_a_row_that_is_matched_by_key_may_be_split_besides() -> None:
    """Old 0 is new 0 by key; new 1 beside it is a part of it, and old 0 stays matched."""
    found = judged([(0, 1, 0.4)], 1, 2, ([0], [0]))
    assert (found.old.tolist(), found.new.tolist()) == ([MATCHED], [MATCHED, SPLIT])
    assert found.split.tolist() == [True]
    assert found.parent.tolist() == [-1, 0]


def test_a_row_whose_key_changed_is_matched_by_position() -> None:
    """Old 1 and new 1 have keys of one side only, and lie at one place."""
    found = judged([(1, 1, 0.0)], 2, 2, ([0], [0]))
    assert found.partner.tolist() == [-1, 1]


def test_a_neighbour_that_is_another_object_makes_no_match() -> None:
    """In a chain old 0 - new 0 - old 1 - new 1 of growing steps, who is not the nearest of its nearest may be lost."""
    found = judged([(0, 0, 0.1), (1, 0, 0.2), (1, 1, 0.3)], 2, 2)
    assert found.new.tolist() == [MERGED, ALONE]
    assert found.old.tolist() == [MERGED, MERGED]
    assert found.has_neighbour[1].tolist() == [True, True]


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.1, 0.2, 0.3])), unique_by=lambda p: p[:2]
    )
)
def test_every_row_has_one_fate_and_matches_are_one_to_one(pairs: list[tuple[int, int, float]]) -> None:
    """As many old rows are matched as new ones, each with its own; parts name split rows, sources merged ones."""
    found = judged(pairs, 5, 5)
    partners = found.partner[found.partner >= 0]
    assert len(set(partners.tolist())) == len(partners) == (found.old == MATCHED).sum() == (found.new == MATCHED).sum()
    assert (found.old[partners] == MATCHED).all()
    assert (found.old[found.parent[found.new == SPLIT]] == SPLIT).all()
    assert (found.new[found.heir[found.old == MERGED]] == MERGED).all()
    near = {(old, new) for old, new, _ in pairs}
    assert all((int(found.partner[new]), new) in near for new in np.flatnonzero(found.partner >= 0).tolist())
