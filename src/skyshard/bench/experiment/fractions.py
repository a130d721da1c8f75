"""Fractional designs: a balanced part of all combinations, and what it cannot tell apart. No I/O.

Factors of two levels get a regular fraction, the smallest of the resolution that is asked for (Box, Hunter and Hunter
1978, Statistics for Experimenters, chapter 12). Others get a D-optimal subset for the factors' own effects, found by
exchange from a fixed start. What a pair of factors does to a factor's effect is read off the alias matrix.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import lcm, prod

import numpy as np
from numpy.typing import NDArray

from skyshard.bench.experiment.coding import Matrix, coded_columns, pair_columns
from skyshard.bench.experiment.experiment_file import ReadExperiment
from skyshard.bench.experiment.factors import Value

MOST_REGULAR = 1 << 16
"""Combinations of two levels of which a fraction is taken: sixteen factors, which 32 runs tell apart."""
MOST_COMBINATIONS = 1024
"""Of others, which are weighed one by one."""
MOST_TRIED = 20_000
"""Choices of generators that are looked at."""
MOST_SWEEPS = 50
DEFAULT_RESOLUTION = 4
ROMAN = ("0", "I", "II", "III", "IV", "V")


@dataclass(frozen=True, slots=True)
class Fraction:
    """Places of the chosen combinations among all, in the order of ``itertools.product``; and what is confounded."""

    places: list[int]
    sentences: list[str]


def fraction_of(read: ReadExperiment, factors: Mapping[str, Sequence[Value]]) -> Fraction:
    """A fraction of the full design.

    Raises:
        UserError: the factors have no fraction that tells their effects apart.
    """
    counts = [len(levels) for levels in factors.values()]
    asked = read.file.resolution
    most = MOST_REGULAR if set(counts) == {2} else MOST_COMBINATIONS
    if prod(counts) > most:
        what = f"a fraction is taken of {most:,} combinations at most, and these have more"
        raise read.fault(["factors"], what, "drop levels or factors, or name the cells")
    if len(counts) < 3:
        what = f"{len(counts)} factor{'s have' if len(counts) > 1 else ' has'} no fraction that tells them apart"
        raise read.fault(["design"], what, "drop 'design', all combinations are few")
    if set(counts) == {2}:
        found = regular_fraction(len(counts), asked or DEFAULT_RESOLUTION)
        if found is None and asked is None:
            found = regular_fraction(len(counts), 3)
        if found is None:
            what = f"{len(counts)} factors of two levels have no fraction of resolution {asked}"
            raise read.fault(["resolution"], what, "ask for a lower resolution, or drop 'design'")
        places, resolution = found
        first = f"{len(places)} of {prod(counts)} combinations, resolution {ROMAN[min(resolution, 5)]}"
    elif asked:
        what = "a resolution is of factors with two levels each"
        raise read.fault(["resolution"], what, "drop it: other factors get a D-optimal part")
    else:
        places = optimal_subset(counts)
        first = f"{len(places)} of {prod(counts)} combinations, D-optimal for the factors' own effects"
    return Fraction(places, [f"{first}.", *_confounding(list(factors), counts, places)])


def regular_fraction(count: int, resolution: int) -> tuple[list[int], int] | None:
    """Places of the smallest two-level fraction of at least this resolution, and its resolution; None without one.

    >>> regular_fraction(3, 3)
    ([0, 3, 5, 6], 3)
    >>> [len(regular_fraction(n, 4)[0]) for n in (4, 5, 6)], regular_fraction(3, 4)
    ([8, 16, 16], None)
    """
    for base in range(max(1, (count - 1).bit_length()), count):
        sizes = range(resolution - 1, base + 1)
        words = [word for size in sizes for word in itertools.combinations(range(base), size)]
        choices = itertools.islice(itertools.combinations(reversed(words), count - base), MOST_TRIED)
        best = max(((_resolution(base, chosen), chosen) for chosen in choices), default=(0, ()), key=lambda one: one[0])
        if best[0] >= resolution:
            return _places(count, base, best[1]), best[0]
    return None


def _resolution(base: int, generators: Sequence[Sequence[int]]) -> int:
    """The shortest word of the defining relation of generators: factor ``base + n`` is the product of word n."""
    defining = [sum(1 << place for place in word) | 1 << (base + n) for n, word in enumerate(generators)]
    products = reduce(lambda known, word: np.append(known, known ^ word), defining, np.zeros(1, int))
    return int(np.bitwise_count(products[1:]).min())


def _places(count: int, base: int, generators: Sequence[Sequence[int]]) -> list[int]:
    """Places of the runs in the full design, whose last factor changes fastest; the first levels are one of them."""
    found = []
    for run in itertools.product((0, 1), repeat=base):
        bits = [*run, *(sum(run[place] for place in word) % 2 for word in generators)]
        found.append(sum(bit << (count - 1 - place) for place, bit in enumerate(bits)))
    return sorted(found)


def optimal_subset(counts: Sequence[int]) -> list[int]:
    """Places of a subset of all combinations with which the factors' own effects are told best.

    >>> len(optimal_subset([3, 3, 3])), len(optimal_subset([2, 2, 3]))
    (9, 6)
    """
    everything = coded_columns(counts, list(itertools.product(*(range(n) for n in counts))))
    wanted = everything.shape[1] + 1
    step = lcm(*(counts[0] if len(set(counts)) == 1 else one for one in counts))
    number = min(len(everything), -(-wanted // step) * step)
    if number == len(everything):
        return list(range(number))
    random = np.random.default_rng([*counts])
    tries = [_exchanged(everything, random.choice(len(everything), number, replace=False)) for _ in range(10)]
    return max(tries, key=lambda one: _information(everything[one]))


def _exchanged(everything: Matrix, start: NDArray[np.int64]) -> list[int]:
    """Fedorov's exchange: rows are replaced by better ones until none is."""
    chosen = [int(place) for place in start]
    for _ in range(MOST_SWEEPS):
        before = _information(everything[chosen])
        for place in range(len(chosen)):
            others = np.setdiff1d(np.arange(len(everything)), chosen)
            tried = _with_one_more(everything[np.delete(chosen, place)], everything[others])
            best = int(tried.argmax())
            if tried[best] > _information(everything[chosen]) + 1e-9:
                chosen[place] = int(others[best])
        if _information(everything[chosen]) <= before + 1e-9:
            break
    return sorted(chosen)


def _with_one_more(rows: Matrix, others: Matrix) -> Matrix:
    """The information of rows with each other one added; rounded, so that equal ones are equal on all machines.

    >>> _with_one_more(np.eye(2), np.array([[1.0, 0.0], [1.0, 1.0]])).round(3).tolist()
    [0.693, 1.099]
    """
    known = _information(rows)
    if known < -0.5:  # singular but for rounding: the determinant of whole numbers is one
        return np.array([_information(np.vstack([rows, one])) for one in others])
    grown = np.einsum("ri,ij,rj->r", others, np.linalg.inv(rows.T @ rows), others, optimize=True)
    found: Matrix = np.round(known + np.log1p(grown), 9)
    return found


def _information(rows: Matrix) -> float:
    sign, value = np.linalg.slogdet(rows.T @ rows)
    return float(value) if sign > 0 else -np.inf


def _confounding(names: Sequence[str], counts: Sequence[int], places: Sequence[int]) -> list[str]:
    """For each factor: the pairs whose effects are taken for its own."""
    runs = np.transpose(np.unravel_index(places, counts)).tolist()
    mains = coded_columns(counts, runs)
    owners = [name for name, count in zip(names, counts, strict=True) for _ in range(count - 1)]
    found: dict[str, list[str]] = {}
    for (one, other), columns in pair_columns(counts, runs).items():
        alias = np.linalg.pinv(mains) @ columns
        for row in np.flatnonzero(np.abs(alias[1:]).max(axis=1) > 0.05):
            pair = f"{names[one]} with {names[other]}"
            listed = found.setdefault(owners[row], [])
            listed += [pair] if pair not in listed else []
    if not found:
        return ["The factors' own effects are clear of those of pairs; pairs are not all told from each other."]
    return [
        *(f"{name} cannot be told from what {', '.join(pairs)} do together." for name, pairs in found.items()),
        "Effects of pairs are not told.",
    ]
