"""What an experiment says of itself: only what the intervals bear out, in fixed words."""

from __future__ import annotations

from typing import Any

import pytest

from skyshard.bench.experiment.conclusions import added_s, best_level, class_sentence, conclusion, widest_end
from skyshard.bench.experiment.experiment_result import CellMedian, CellResult, ClassResult, Effect
from skyshard.bench.experiment.factors import Value

ENGINES: dict[str, list[Value]] = {"engine": ["MyISAM", "Aria", "InnoDB"]}


def effect(level: Value, against: Value, ratio: float, *, is_shown: bool = True, **more: Any) -> Effect:
    """``level`` takes ``ratio`` times as long as ``against``; the interval is a tenth to both sides."""
    low, high = (ratio / 1.1, ratio * 1.1) if is_shown else (min(ratio, 0.9), max(ratio, 1.1))
    known = {"phase": "one", "class_name": "LV", "factor": "engine", "p": 0.01, "low": low, "high": high}
    return Effect.model_validate(
        {**known, "level": level, "against": against, "ratio": ratio, "is_shown": is_shown} | more
    )


def made_class(
    name: str = "LV", *, best: tuple[int, ...] = (), moved_by: tuple[str, ...] = (), freedom: int = 4
) -> ClassResult:
    return ClassResult(
        phase="one", class_name=name, spread=0.05, freedom=freedom, best=list(best), moved_by=list(moved_by),
        missed_below=None, trials_needed=None, sentence="",
    )  # fmt: skip


def cell(number: int, label: str) -> CellResult:
    return CellResult(
        number=number, label=label, levels={}, trials=3, failures=[], ingest_s=None, ingest_rows_per_s=None, builds=1,
        bytes=None, classes=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("effects", "best"),
    [
        ([effect("Aria", "MyISAM", 1.5), effect("InnoDB", "MyISAM", 2.0)], ("MyISAM", 1.5)),
        ([effect("Aria", "MyISAM", 0.5), effect("InnoDB", "Aria", 3.0)], ("Aria", 2.0)),
        ([effect("Aria", "MyISAM", 1.5), effect("InnoDB", "MyISAM", 1.2, is_shown=False)], None),
        ([effect("Aria", "MyISAM", 1.5), effect("InnoDB", "Aria", 0.5)], None),
        ([], None),
    ],
)
def test_a_level_is_best_where_it_is_shown_to_be_ahead_of_every_other(
    effects: list[Effect], best: tuple[Value, float] | None
) -> None:
    """Compared with each of them, and by how much with the next one; half a proof is none."""
    found = best_level(effects)
    assert (found and (found.level, found.ahead)) == best


@pytest.mark.parametrize(
    ("effects", "freedom", "sentence"),
    [
        ([effect("Aria", "MyISAM", 1.5)], 0, "One block shows no spread: nothing can be said."),
        ([effect("Aria", "MyISAM", 1.5), effect("InnoDB", "MyISAM", 2.0)], 4, "Moved by engine."),
        ([effect("a", "b", 1.5), effect("a", "b", 1.5, factor="nodes")], 4, "Moved by engine and nodes."),
        ([effect("a", "b", 1.0, is_shown=False, low=0.97, high=1.02)], 4, "every effect is within"),
        ([effect("a", "b", 1.0, is_shown=False, low=0.8, high=1.1)], 4, "effects up to 1.25 × would have been missed."),
        ([effect("a", "b", 1.0, is_shown=False, low=0.05, high=1.1)], 4, "so few trials would miss effects of 10 ×."),
    ],
)
def test_what_moves_a_class_or_could_have_been_missed(effects: list[Effect], freedom: int, sentence: str) -> None:
    """The farthest end of an interval says how much, on either side of 1."""
    assert sentence in class_sentence(effects, freedom)


def test_effects_that_are_shown_are_not_missed() -> None:
    """They count for nothing in what could have been; an effect without an interval neither."""
    assert widest_end([effect("a", "b", 9.0)]) == 1.0
    assert widest_end([effect("a", "b", 1.0, is_shown=False, low=None, high=None)]) == 1.0


@pytest.mark.parametrize(
    ("classes", "effects", "words"),
    [
        ([], [effect("a", "b", 2.0)], "No class was answered in two cells"),
        ([made_class(freedom=0)], [effect("a", "b", 2.0)], "Each cell was tried once"),
        ([made_class()], [effect("a", "b", 1.0, is_shown=False)], "no factor is shown to move any class"),
    ],
)
def test_where_nothing_is_shown_nothing_is_said(classes: list[ClassResult], effects: list[Effect], words: str) -> None:
    """One sentence says why."""
    assert words in conclusion(ENGINES, [], classes, effects)


def test_a_factor_names_its_best_level_for_each_class_and_what_is_open() -> None:
    """Ahead by the next level; mixed levels and classes without a difference are named apart."""
    effects = [effect("Aria", "MyISAM", 1.5), effect("InnoDB", "MyISAM", 2.0)]
    effects += [effect("Aria", "MyISAM", 1.5, class_name="FTSObj"), effect("InnoDB", "Aria", 0.5, class_name="FTSObj")]
    effects += [effect("Aria", "MyISAM", 1.0, is_shown=False, class_name="HV")]
    classes = [made_class("LV", moved_by=("engine",)), made_class("FTSObj", moved_by=("engine",)), made_class("HV")]
    found = conclusion(ENGINES, [], classes, effects)
    names = [one.name for one in classes]
    assert f"Of engine, MyISAM is fastest for {names[0]} (1.50 ×); " in found
    assert f"none is shown to be ahead of all others, for {names[1]}; no difference is shown for {names[2]}." in found
    assert found.endswith(f"No factor is shown to move {names[2]}.")


def test_factors_that_readers_ask_for_come_first() -> None:
    """Engine, layout, nodes; then the others as they stand in the file."""
    factors: dict[str, list[Value]] = {"set.x": ["1", "2"], "nodes": [1, 2], "engine": ["a", "b"]}
    effects = [effect(levels[1], levels[0], 2.0, factor=name) for name, levels in factors.items()]
    found = conclusion(factors, [cell(1, "first")], [made_class(moved_by=tuple(factors))], effects)
    places = [found.index(words) for words in ("Of engine, ", "Of nodes, ", "Of levels of set.x, ")]
    assert places == sorted(places)
    assert "1 node is fastest" in found


def test_what_depends_on_another_factor_is_told_once_a_class() -> None:
    """However many levels show it."""
    pairs = [effect(level, "a", 2.0, other="nodes", other_level=2, other_against=1) for level in ("b", "c")]
    found = conclusion(ENGINES, [], [made_class(moved_by=("engine",))], [effect("b", "a", 2.0), *pairs])
    assert found.count("What engine does depends on nodes for") == 1


@pytest.mark.parametrize(
    ("bests", "words"),
    [
        ([(1,), (1,)], "One cell is ahead of all others: first for "),
        ([(1,), (1, 2)], "; for the other classes no single cell is."),
        ([(1, 2), (1, 2)], "No single cell is shown to be ahead of all others for any class."),
    ],
)
def test_a_cell_is_ahead_where_it_is_alone(bests: list[tuple[int, ...]], words: str) -> None:
    """Of several factors only: with one, its levels are the cells."""
    factors: dict[str, list[Value]] = {"engine": ["a", "b"], "nodes": [1, 2]}
    classes = [
        made_class(name, best=best, moved_by=("engine",)) for name, best in zip(("LV", "HV"), bests, strict=True)
    ]
    cells, effects = [cell(1, "first"), cell(2, "second")], [effect("b", "a", 2.0)]
    assert words in conclusion(factors, cells, classes, effects)
    assert words not in conclusion(ENGINES, cells, classes, effects)


def test_what_a_front_door_costs_is_said_in_time() -> None:
    """The median over cells that differ in nothing else; only where the effect is shown."""
    medians = {(nodes, target): 0.001 * nodes + (0.002 if target == "tap" else 0.0) for nodes in (1, 2) for target in
               ("czar", "tap")}  # fmt: skip
    cells = [
        cell(number, "").model_copy(
            update={
                "levels": {"target": target, "nodes": nodes},
                "classes": [CellMedian(phase="one", class_name="LV", median_s=median_s, trials=3, errors=0, wrong=0,
                                       is_best=False)],
            }
        )
        for number, ((nodes, target), median_s) in enumerate(medians.items(), 1)
    ]  # fmt: skip
    assert added_s(cells, "tap", ("one", "LV")) == pytest.approx(0.002)
    assert added_s(cells, "mysql", ("one", "LV")) is None
    factors: dict[str, list[Value]] = {"target": ["czar", "tap"], "nodes": [1, 2]}
    shown = effect("tap", "czar", 2.3, factor="target")
    said = conclusion(factors, cells, [made_class(moved_by=("target",))], [shown])
    assert "Through tap a query takes 2 ms more for LV (one) than of the czar within the process." in said
    unseen = shown.model_copy(update={"is_shown": False})
    said = conclusion(factors, cells, [made_class()], [unseen, effect(1, 2, 2.0, factor="nodes")])
    assert "Through tap" not in said
