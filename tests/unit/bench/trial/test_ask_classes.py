"""Classes asked once more by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.support.bench_trials import made_trial

from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import unwatched
from skyshard.bench.record.server_work import READINGS, Counters, TableRows
from skyshard.bench.target import NullTarget, TargetAnswer
from skyshard.bench.trial import ask_classes as module
from skyshard.bench.trial.ask_classes import ask_classes


class Engine(NullTarget):
    """Counts what it is asked; a probe of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.is_counting = False

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked += 1
        return super().run(sql, database)

    def counters(self) -> Mapping[str, Counters]:
        return {"node1": {READINGS: 0, "statements": self.asked}}

    def count_tables(self) -> None:
        self.is_counting = True

    def table_rows(self) -> Sequence[TableRows]:
        self.is_counting = False
        return [TableRows("node1", "sky.Object", None, 7)]


def test_every_class_has_its_window_and_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every query that was sent is counted, and nothing is left counting."""
    monkeypatch.setattr(module, "CLASS_S", 0.005)
    engine, trial = Engine(), made_trial(1)
    found = ask_classes(engine, engine, trial.samples, trial.statements, "sky", unwatched)
    assert found is not None
    classes = set(trial.samples["class"].to_pylist())
    assert set(found.work["class"].to_pylist()) == classes == set(found.table_rows["class"].to_pylist())
    assert found.work["statements"].to_pylist() == found.work["queries"].to_pylist()
    assert sum(found.work["queries"].to_pylist()) == engine.asked > 0
    assert not engine.is_counting


def test_a_class_that_takes_long_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other query is begun when the time is over."""
    monkeypatch.setattr(module, "CLASS_S", -1.0)
    engine, trial = Engine(), made_trial(1)
    ask_classes(engine, engine, trial.samples, trial.statements, "sky", unwatched)
    assert engine.asked == len(set(trial.samples["class"].to_pylist()))


@pytest.mark.parametrize("error", [ClusterError("gone"), KeyboardInterrupt()])
def test_an_engine_that_fails_leaves_the_trial_without(error: BaseException) -> None:
    """What was measured stands, after Ctrl-C too."""

    class Failing(Engine):
        def run(self, sql: str, database: str) -> TargetAnswer:
            raise error

    engine, trial = Failing(), made_trial(1)
    assert ask_classes(engine, engine, trial.samples, trial.statements, "sky", unwatched) is None


def test_a_target_without_counters_is_not_asked() -> None:
    """There would be nothing to tell."""
    trial = made_trial(1)
    assert ask_classes(NullTarget(), object(), trial.samples, trial.statements, "sky", unwatched) is None
