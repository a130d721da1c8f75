"""Scans by columns in projections: their bytes are those of the columns, their prices their own."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.planted_costs import MACHINE, SKIES, PlantedSky, planted_trial, planted_trials, planted_workload

from skyshard.bench.model.by_columns import parted, with_columns
from skyshard.bench.model.class_time import template_works
from skyshard.bench.model.hardware import read_hardware
from skyshard.bench.model.observations import observe
from skyshard.bench.model.projection import Basis, Projection, Target, project
from skyshard.bench.pages.projection_page import COLUMN_HEADERS, column_rows, markdown
from skyshard.bench.record.trial_folder import Trial
from skyshard.scenarios.projection_run import published_tests, size_of
from skyshard.synth.recipe.release_profile import read_profile

TEMPLATE = "FTSObj/extent"
ROW_BYTES = 16.0
"""Of the two columns that the template reads, in each of the planted rows of 400 bytes."""


def by_columns(sky: PlantedSky, seed: int) -> Trial:
    """A planted trial in which one template was answered by columns, in a tenth of the time."""
    trial = planted_trial(sky, seed=seed)
    samples, is_mine = trial.samples, pc.equal(trial.samples["template"], TEMPLATE)
    read = pc.if_else(is_mine, int(ROW_BYTES * sky.objects), 0)
    took = pc.if_else(is_mine, pc.divide(samples["service_s"], 10.0), samples["service_s"])
    columns = {"column_bytes": read.cast(pa.int64()), "service_s": took}
    for name, values in columns.items():
        samples = samples.set_column(samples.schema.get_field_index(name), name, values)
    return Trial(trial.manifest, trial.summary, samples, trial.statements, trial.sky)


def projected(trials: list[tuple[str, Trial]]) -> Projection:
    size = size_of(read_profile("kpm"), 0.5)
    basis = Basis(observe([*planted_trials(cold=SKIES[2:]), *trials])[0], MACHINE, published_tests())
    return project(basis, Target(size, "kpm", 0.5, read_hardware("ldm-552-2018"), 25, planted_workload(), False))


@pytest.fixture(scope="module")
def found() -> Projection:
    return projected([(f"columns{n}", by_columns(sky, n)) for n, sky in enumerate(SKIES)])


def test_observations_are_parted_by_what_they_read() -> None:
    """Only the template that read images is one by columns; each row of it has the bytes of its columns."""
    rows, columns = parted(observe([("t", by_columns(SKIES[0], 1))])[0])
    assert {one.template for one in columns} == {TEMPLATE}
    assert TEMPLATE not in {one.template for one in rows}
    assert [(one.work.column_row_bytes, one.demand.bytes) for one in columns] == [(ROW_BYTES, ROW_BYTES * 10_000)]


def test_a_class_keeps_the_templates_that_columns_do_not_answer() -> None:
    """They are read as rows."""
    rows, columns = parted(observe([("t", by_columns(SKIES[0], 1)), ("r", planted_trial(SKIES[0]))])[0])
    works = with_columns(template_works(rows), columns)
    assert [*works] == ["FTSObj"]
    assert {one.template: one.work.column_row_bytes for one in works["FTSObj"]} == {
        "FTSObj/window": 0.0, TEMPLATE: ROW_BYTES,
    }  # fmt: skip


def test_a_projection_has_both(found: Projection) -> None:
    """By columns the class reads the mean of a template's columns and of the other one's whole rows, and takes less;
    what is said of rows is what trials of rows alone say."""
    (columns,) = found.by_columns
    rows = next(one for one in found.classes if one.class_name == "FTSObj")
    width = read_profile("kpm").tables["Object"].bytes_per_row
    assert columns.read_bytes / rows.read_bytes == pytest.approx((width + ROW_BYTES) / 2 / width)
    assert columns.predicted_s < rows.predicted_s
    alone = next(one for one in projected([]).classes if one.class_name == "FTSObj")
    assert rows.predicted_s == pytest.approx(alone.predicted_s, rel=1e-3)
    assert Projection.model_validate_json(found.model_dump_json()) == found


def test_the_page_shows_both(found: Projection) -> None:
    """With the share of the bytes; without trials by columns there is no such table."""
    (row,) = column_rows(found)
    assert len(row) == len(COLUMN_HEADERS)
    assert row[2].endswith("%")
    assert "The same by columns" in markdown(found)
    assert "The same by columns" not in markdown(projected([]))


def test_too_few_sizes_are_said() -> None:
    """Prices by columns need as many sizes as those of rows."""
    found = projected([("columns0", by_columns(SKIES[0], 0))])
    assert not found.by_columns
    assert any("By columns 1 size of catalogs was measured warm" in one for one in found.cautions)
