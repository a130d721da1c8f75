"""What trials say of their templates."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.support.planted_costs import PLANTED, SKIES, planted_trial

from skyshard.basics.errors import UserError
from skyshard.bench.model.observations import observe, phase_stretch
from skyshard.bench.record.telemetry import TELEMETRY_SCHEMA
from skyshard.bench.record.trial_folder import Trial


def with_counters(trial: Trial, per_second: float) -> Trial:
    """The trial with a server that used so many seconds of processor in each second."""
    last = float(np.max(trial.samples["last_row_s"].to_numpy()))
    rows = [{"t_s": t, "node": "node1", "cpu_s": per_second * t} for t in (0.0, last + 1)]
    return replace(trial, telemetry=pa.Table.from_pylist(rows, schema=TELEMETRY_SCHEMA))


def test_every_template_of_a_class_alone_is_observed() -> None:
    """Warm and cold are told apart by the manifest."""
    found, left_out = observe([("a", planted_trial(SKIES[0])), ("b", planted_trial(SKIES[0], is_cold=True))])
    assert {one.template for one in found} == set(PLANTED)
    assert [one.is_cold for one in found].count(True) == len(PLANTED)
    assert left_out == []


def test_classes_that_ran_together_are_left_out_by_name() -> None:
    """Their times say nothing of one query."""
    trial = planted_trial(SKIES[0])
    phases = trial.manifest.workload.phases
    both = phases[0].model_copy(update={"classes": [*phases[0].classes, *phases[1].classes]})
    workload = trial.manifest.workload.model_copy(update={"phases": [both]})
    found, left_out = observe(
        [("a", replace(trial, manifest=trial.manifest.model_copy(update={"workload": workload})))]
    )
    assert found == []
    assert left_out == ["phase 'LV' of a: more than one query at a time"]


def test_a_trial_that_does_not_know_its_rows_is_refused() -> None:
    """Trials of earlier releases have no widths."""
    trial = planted_trial(SKIES[0])
    catalog = {key: value for key, value in trial.manifest.catalog.items() if key != "row_bytes"}
    with pytest.raises(UserError, match="bytes a row"):
        observe([("a", replace(trial, manifest=trial.manifest.model_copy(update={"catalog": catalog})))])


def test_processor_time_leaves_out_what_others_took() -> None:
    """Queries that took four times their processor time over two cores count for a quarter."""
    trial = planted_trial(SKIES[2])
    rows = trial.samples.filter(pa.compute.equal(trial.samples["phase"], "FTSFSrc"))
    begun, ended = rows["sent_s"].to_pylist()[0], rows["last_row_s"].to_pylist()[-1]
    service = sum(rows["service_s"].to_pylist())
    counted = with_counters(trial, service * 2 / 4 / (ended - begun))
    assert phase_stretch(counted, "FTSFSrc", 2.0) == pytest.approx(4.0, rel=1e-6)
    elapsed, processor = (
        {one.template: one.time_s for one in observe([("a", counted)], by)[0]} for by in ("elapsed", "processor")
    )
    assert processor["FTSFSrc/count_flux"] == pytest.approx(elapsed["FTSFSrc/count_flux"] / 4, rel=1e-6)
