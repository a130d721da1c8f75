"""What a target is asked once more after a trial."""

from __future__ import annotations

from tests.support.bench_trials import made_trial

from skyshard.basics.errors import UserError
from skyshard.bench.target import NullTarget
from skyshard.bench.trial.ask_again import explain_slowest


def test_the_slowest_statements_are_explained() -> None:
    """Each once, slowest first, with the target's own words; a refusal is kept as text."""

    class Explaining(NullTarget):
        def explain(self, sql: str, database: str) -> str:
            if "cone" in sql:
                raise UserError("no plan")
            return f"plan of {sql}"

    trial = made_trial(1)
    plans = explain_slowest(Explaining(), trial.samples, trial.statements, "d")
    assert next(iter(plans)).endswith("density'")
    assert plans["SELECT 'LV/cone'"] == "not explained: no plan"
    assert len(plans) == 4
