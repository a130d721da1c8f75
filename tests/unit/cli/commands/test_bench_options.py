"""Options that several bench commands have."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.bench.workload.workload import Workload, find_workload, read_workload
from skyshard.cli.commands.bench_options import adjusted, adjusted_file, numbers


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [("1", int, [1]), ("2,4, 8,", int, [2, 4, 8]), ("1e-6, .5", float, [1e-6, 0.5]), ("", float, [])],
)
def test_numbers_are_parted_by_commas(text: str, kind: type[int], found: list[int]) -> None:
    """Blanks, and a comma at the end, do not matter."""
    assert numbers(text, kind) == found


@pytest.mark.parametrize(
    ("text", "kind"), [("1;2", int), ("1.5", int), ("one", float), ("1e-6,nan", float), ("inf", float), ("inf", int)]
)
def test_what_is_no_number_is_named(text: str, kind: type[int]) -> None:
    """The error has the text, and an example of what is right."""
    with pytest.raises(UserError, match=f"'{text}' is not a list of numbers") as caught:
        numbers(text, kind)
    assert caught.value.remedy == "write them with commas: 1e-6,2e-6"


def class_loads(workload: Workload) -> list[tuple[str, float | None]]:
    return [(load.class_name, load.duration_s) for phase in workload.phases for load in phase.classes]


def test_a_workload_is_changed_by_what_is_given_alone() -> None:
    """Without options it is as its file says; each option changes its own part."""
    file = find_workload("kpm-50")
    workload = read_workload(file)
    assert adjusted(workload, "", 0.0, check=None) == workload
    loads = class_loads(workload)
    lost, kept = loads[0][0], [one for one in loads if one[0] != loads[0][0]]
    changed = adjusted(workload, f" {lost},", 3.0, check=not workload.check_answers)
    assert class_loads(changed) == [(name, None if duration_s is None else 3.0) for name, duration_s in kept]
    assert {duration_s for _, duration_s in kept} - {None, 3.0}
    assert changed.check_answers is not workload.check_answers


def test_a_shipped_workload_is_adjusted_by_its_name() -> None:
    """The path of its file comes with it, as templates stand beside it."""
    file, workload = adjusted_file("quick", "", 0.0, check=False)
    assert file == find_workload("quick")
    assert workload == read_workload(file).model_copy(update={"check_answers": False})
