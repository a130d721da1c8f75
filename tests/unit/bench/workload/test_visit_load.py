"""Keys of a phase of visits."""

from pathlib import Path
from typing import Any

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.workload import find_workload, read_workload

FILE = """\
version: 1
name: mine
description: Mine.
database: apdb
seed: 1
phases:
  - name: visits
    visits:
      count: {count}
      fields: {fields}
      tiles: {tiles}
      per_visit: {per_visit}
      history: {{months: 12, visits_per_month: 13}}
      {more}
"""
GOOD: dict[str, Any] = {
    "count": 10, "fields": "[[0, 10], [20, 10]]", "tiles": 3, "per_visit": "{variable: 5, noise: 5}",
    "more": "overlap: 2",
}  # fmt: skip


@pytest.mark.parametrize("name", ["apdb", "apdb-quick"])
def test_shipped_workloads_are_of_visits(name: str) -> None:
    """They reach beyond the window, so that the plateau can be seen."""
    workload = read_workload(find_workload(name))
    assert workload.is_of_visits
    load = workload.phases[0].visits
    assert load is not None
    assert load.count >= 1.5 * load.history.window_visits
    assert load.sky(workload.seed, load.count).tile_count == load.tiles**2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "key 'phases.0.visits.count'"),
        ({"fields": "[[0, 10], [1, 10]]"}, "fields 0 and 1 touch; move them"),
        ({"fields": "[[0, 95]]"}, "key 'phases.0.visits.fields.0.1': Input should be less than or equal to 90"),
        ({"fields": "[[360, 5]]"}, "key 'phases.0.visits.fields.0.0': Input should be less than 360"),
        ({"fields": "[]"}, "it is empty; name at least one"),
        ({"fields": 0}, "key 'phases.0.visits.fields.number': Input should be greater than or equal to 1"),
        ({"tiles": 65}, "key 'phases.0.visits.tiles'"),
        ({"per_visit": "{variable: 0}"}, "a visit finds nothing"),
        ({"per_visit": "{variable: 5, detected: 0}"}, "detected"),
        ({"more": "overlaps: 2"}, "there is no such key"),
        ({"more": "interval_s: 0"}, "interval_s"),
        ({"more": "padding_arcsec: 3600"}, None),
        ({"more": "padding_arcsec: 3600", "tiles": 9}, "wider than a tile"),
        ({"more": "order: shuffled"}, "order"),
        ({"more": "read_duty_cycle: 1.5"}, "read_duty_cycle"),
    ],
)
def test_wrong_keys_are_named(tmp_path: Path, changes: dict[str, Any], message: str | None) -> None:
    """One line: file, line, key, what is wrong, remedy."""
    (tmp_path / "mine.yaml").write_text(FILE.format(**(GOOD | changes)))
    if message is None:
        assert read_workload(tmp_path / "mine.yaml").is_of_visits
        return
    with pytest.raises(UserError) as caught:
        read_workload(tmp_path / "mine.yaml")
    assert message in str(caught.value)
    assert "line " in str(caught.value)


def test_phases_of_queries_and_of_visits_are_not_mixed(tmp_path: Path) -> None:
    """They have different targets."""
    more = "overlap: 1\n  - name: queries\n    classes: [{class: LV, templates: [cone], count: 1}]"
    (tmp_path / "mine.yaml").write_text(FILE.format(**(GOOD | {"more": more})))
    with pytest.raises(UserError, match="are mixed; use two workloads"):
        read_workload(tmp_path / "mine.yaml")


def test_histories_are_read_in_the_first_visits_of_a_period(tmp_path: Path) -> None:
    """A duty cycle of 0.2 in a period of 10: the first two visits read."""
    (tmp_path / "mine.yaml").write_text(
        FILE.format(
            **(GOOD | {"more": "{read_duty_cycle: 0.2, read_period: 10}".strip("{}").replace(", ", "\n      ")})
        )
    )
    load = read_workload(tmp_path / "mine.yaml").phases[0].visits
    assert load is not None
    assert [visit for visit in range(1, 21) if load.reads_history(visit)] == [1, 2, 11, 12]


def test_a_recipe_beside_the_workload_is_found_and_absence_leaves_no_trace(tmp_path: Path) -> None:
    """The file is read wherever the command runs; visits without one keep the digest that they had."""
    (tmp_path / "mine.yaml").write_text(FILE.format(**(GOOD | {"more": "recipe: own.yaml"})))
    (tmp_path / "own.yaml").write_text("version: 1\n")
    load = read_workload(tmp_path / "mine.yaml").phases[0].visits
    assert load is not None
    assert load.recipe == str(tmp_path / "own.yaml")
    (tmp_path / "mine.yaml").write_text(FILE.format(**GOOD))
    load = read_workload(tmp_path / "mine.yaml").phases[0].visits
    assert load is not None
    assert "recipe" not in load.model_dump()
