"""The sentences that an experiment writes about itself: only what the intervals bear out, in fixed words. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from skyshard.basics.readable import seconds
from skyshard.bench.experiment.cells import CELL, CZAR, level_text
from skyshard.bench.experiment.effects import MARGIN
from skyshard.bench.experiment.experiment_result import CellResult, ClassResult, Effect, class_text
from skyshard.bench.experiment.factors import Value

FIRST = ("engine", "layout", "nodes")
"""Factors that a reader asks for first."""
UNSEEN = 10.0
"""A ratio that any experiment should see."""


@dataclass(frozen=True, slots=True)
class Best:
    """The level of a factor that is shown to be faster than every other, for one class."""

    level: Value
    ahead: float
    """How many times as fast as the next level, at least."""


def ratio_text(value: float) -> str:
    """Two digits beyond the point below ten.

    >>> ratio_text(1.234), ratio_text(12.34)
    ('1.23', '12.3')
    """
    return f"{value:.2f}" if value < 10 else f"{value:.3g}"


def class_sentence(one: Sequence[Effect], freedom: int) -> str:
    """What moves a class; ``one`` are the effects of factors on it."""
    if not freedom:
        return "One block shows no spread: nothing can be said."
    shown = list(dict.fromkeys(effect.factor for effect in one if effect.is_shown))
    if shown:
        return f"Moved by {listed(shown)}."
    widest = widest_end(one)
    if widest <= MARGIN:
        return f"No factor moves it: every effect is within {ratio_text(MARGIN)} ×."
    if widest > UNSEEN:
        return f"No factor is shown to move it; so few trials would miss effects of {UNSEEN:g} ×."
    return f"No factor is shown to move it; effects up to {ratio_text(widest)} × would have been missed."


def widest_end(effects: Iterable[Effect]) -> float:
    """The farthest ratio from 1 that the intervals of effects which are not shown hold; 1 without any."""
    ends = [(effect.low, effect.high) for effect in effects if not effect.is_shown]
    return max((max(high, 1 / low) for low, high in ends if low and high), default=1.0)


def conclusion(
    factors: Mapping[str, Sequence[Value]],
    cells: Sequence[CellResult],
    classes: Sequence[ClassResult],
    effects: Sequence[Effect],
) -> str:
    """One paragraph: the best level of each factor for each class, what depends on what, the best cells, the rest."""
    if not classes:
        return "No class was answered in two cells: nothing can be said."
    if not any(one.freedom for one in classes):
        return "Each cell was tried once: one block shows no spread, and nothing can be said. Run three trials or more."
    if not any(one.is_shown for one in effects):
        return "On this machine no factor is shown to move any class."
    ordered = [name for name in FIRST if name in factors] + [name for name in factors if name not in FIRST]
    sentences = ["On this machine, judged by medians:"]
    for name in ordered:
        mine = [one for one in effects if one.factor == name and not one.is_pair]
        if mine:
            sentences.append(_factor_sentence(name, classes, mine))
    if CZAR in factors.get("target", ()):
        sentences += _door_sentences(factors["target"], cells, effects)
    sentences += _pair_sentences(effects)
    if CELL not in factors and len(factors) > 1:
        sentences.append(_cell_sentence(cells, classes))
    still = [one.name for one in classes if not one.moved_by]
    if still:
        sentences.append(f"No factor is shown to move {listed(still)}.")
    return " ".join(sentences)


def best_level(effects: Sequence[Effect]) -> Best | None:
    """The level shown to be faster than every other, from a factor's effects on one class.

    >>> made = dict(phase="a", class_name="LV", factor="engine", p=0.01)
    >>> slower = Effect(**made, level="Aria", against="MyISAM", ratio=1.5, low=1.3, high=1.7, is_shown=True)
    >>> best_level([slower])
    Best(level='MyISAM', ahead=1.5)
    >>> best_level([slower.model_copy(update={"is_shown": False})]) is None
    True
    """
    levels = list(dict.fromkeys(level for one in effects for level in (one.against, one.level)))
    for level in levels:
        mine = [one for one in effects if level in (one.level, one.against)]
        wins = [one for one in mine if one.is_shown and (one.ratio < 1) == (one.level == level)]
        if len(wins) == len(levels) - 1:
            return Best(level, min(max(one.ratio, 1 / one.ratio) for one in wins))
    return None


def _factor_sentence(name: str, classes: Sequence[ClassResult], effects: Sequence[Effect]) -> str:
    won: dict[Value, list[tuple[str, float]]] = {}
    mixed, still = [], []
    for one in classes:
        mine = [effect for effect in effects if effect.key == (one.phase, one.class_name)]
        best = best_level(mine)
        if best:
            won.setdefault(best.level, []).append((one.name, best.ahead))
        elif any(effect.is_shown for effect in mine):
            mixed.append(one.name)
        elif mine:
            still.append(one.name)
    parts = [f"{_is(level_text(name, level))} fastest for {_ahead(names)}" for level, names in won.items()]
    if mixed:
        parts.append(f"levels differ, but none is shown to be ahead of all others, for {listed(mixed)}")
    if still and not parts:
        return f"The factor {name} is not shown to move any class."
    if still:
        parts.append(f"no difference is shown for {listed(still)}")
    return f"Of {'levels of ' if name.startswith('set.') else ''}{name}, {'; '.join(parts)}."


def _is(level: str) -> str:
    """A level with its verb.

    >>> _is("2 nodes"), _is("1 node"), _is("Aria"), _is("scans as rows")
    ('2 nodes are', '1 node is', 'Aria is', 'scans as rows are')
    """
    is_plural = level.endswith(("nodes", "replicas", "threads", "columns")) or level.startswith("scans")
    return f"{level} {'are' if is_plural else 'is'}"


def _ahead(names: Sequence[tuple[str, float]]) -> str:
    """Classes, each with how far ahead the level is."""
    return listed([f"{name} ({ratio_text(ahead)} ×)" for name, ahead in names])


def _door_sentences(targets: Sequence[Value], cells: Sequence[CellResult], effects: Sequence[Effect]) -> list[str]:
    """What a front door adds, in time: the median over cells that differ in nothing else."""
    sentences = []
    for door in targets:
        shown = [
            one for one in effects
            if one.factor == "target" and not one.is_pair and one.is_shown and {one.level, one.against} == {door, CZAR}
        ]  # fmt: skip
        costs = [(class_text(*one.key), added_s(cells, door, one.key)) for one in shown]
        told = [f"{seconds(abs(cost))} {'less' if cost < 0 else 'more'} for {name}" for name, cost in costs if cost]
        if told:
            sentences.append(f"Through {door} a query takes {listed(told)} than of the {CZAR} within the process.")
    return sentences


def added_s(cells: Sequence[CellResult], door: Value, key: tuple[str, str]) -> float | None:
    """Seconds that a front door adds to a class; None where no two cells differ in the door alone."""
    medians: dict[tuple[tuple[str, Value], ...], dict[Value, float]] = {}
    for cell in cells:
        rest = tuple((name, level) for name, level in cell.levels.items() if name != "target")
        for one in cell.classes:
            if (one.phase, one.class_name) == key and "target" in cell.levels:
                medians.setdefault(rest, {})[cell.levels["target"]] = one.median_s
    added = [found[door] - found[CZAR] for found in medians.values() if {door, CZAR} <= found.keys()]
    return median(added) if added else None


def _pair_sentences(effects: Sequence[Effect]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in effects:
        if one.is_pair and one.is_shown:
            names = found.setdefault((one.factor, one.other), [])
            text = class_text(*one.key)
            names += [] if text in names else [text]
    return [f"What {one} does depends on {other} for {listed(names)}." for (one, other), names in found.items()]


def _cell_sentence(cells: Sequence[CellResult], classes: Sequence[ClassResult]) -> str:
    labels = {cell.number: cell.label for cell in cells}
    alone: dict[str, list[str]] = {}
    for one in classes:
        if len(one.best) == 1:
            alone.setdefault(labels[one.best[0]], []).append(one.name)
    if not alone:
        return "No single cell is shown to be ahead of all others for any class."
    parts = [f"{label} for {listed(names)}" for label, names in alone.items()]
    rest = "" if sum(map(len, alone.values())) == len(classes) else "; for the other classes no single cell is"
    return f"One cell is ahead of all others: {'; '.join(parts)}{rest}."


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"
