"""What doors add to the czar: pairs of one run only, a line through statements, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.bench_trials import made_trial

from skyshard.basics.errors import UserError
from skyshard.bench.compare.door_costs import door_costs
from skyshard.bench.pages.doors_page import write_doors
from skyshard.bench.record.trial_folder import Trial


def through_door(trial: Trial, per_query_s: float, per_row_s: float) -> Trial:
    """The same trial with answers that took so much longer."""
    added = pc.add(pc.multiply(trial.samples["rows"].cast(pa.float64()), per_row_s), per_query_s)
    service = pc.add(trial.samples["service_s"], added)
    place = trial.samples.column_names.index("service_s")
    return replace(trial, samples=trial.samples.set_column(place, "service_s", service))


def of_many_rows(trial: Trial) -> Trial:
    """The same trial whose statements answer 1, 11, 21 ... rows."""
    rows = pa.array([1 + 10 * number for number in trial.samples["statement"].to_pylist()])
    place = trial.samples.column_names.index("rows")
    return replace(trial, samples=trial.samples.set_column(place, "rows", rows))


def test_the_cost_of_a_query_and_of_a_row_is_found() -> None:
    """A door that adds 5 ms and 2 ms a row, in runs of which the second is on a machine half as fast."""
    runs = {}
    for number, slower in enumerate((1.0, 2.0)):
        czar = of_many_rows(made_trial(number + 1))
        place = czar.samples.column_names.index("service_s")
        slow = czar.samples.set_column(place, "service_s", pc.multiply(czar.samples["service_s"], slower))
        czar = replace(czar, samples=slow)
        runs[f"run{number}"] = {"czar": czar, "mysql": through_door(czar, 0.005, 0.002)}
    found = door_costs(runs)
    (door,) = found.doors
    assert door.runs == 2
    assert door.per_query_s == pytest.approx(0.005, rel=1e-6)
    assert door.per_row_s == pytest.approx(0.002, rel=1e-6)
    assert {one.template for one in found.queries} == {
        str(one) for one in pc.unique(czar.samples["template"]).to_pylist()
    }
    assert all(one.ratio > 1 and one.lowest <= one.ratio <= one.highest for one in found.queries)


def test_a_run_without_the_czar_is_refused() -> None:
    """And one with nothing beside it."""
    trial = made_trial(1)
    for run in ({"mysql": trial, "tap": trial}, {"czar": trial}):
        with pytest.raises(UserError, match="--target czar"):
            door_costs({"run": run})


def test_the_page_has_every_query_and_door(tmp_path: Path) -> None:
    """HTML, Markdown and JSON, with a note that one run tells little."""
    czar = of_many_rows(made_trial(1))
    costs = door_costs({"one": {"czar": czar, "tap": through_door(czar, 0.01, 0.0)}})
    page = write_doors(costs, tmp_path).read_text()
    text = (tmp_path / "doors.md").read_text()
    for word in ("tap", *{one.template for one in costs.queries}):
        assert word in page
        assert word in text
    assert "One run cannot tell" in text
    assert type(costs).model_validate_json((tmp_path / "doors.json").read_text()) == costs
