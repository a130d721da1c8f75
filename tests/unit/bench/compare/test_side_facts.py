"""What each side was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.bench_trials import made_trial

from skyshard.bench.compare.side_facts import side_facts
from skyshard.bench.record.server_variables import ChangedVariable, ServerVariables
from skyshard.bench.record.trial_folder import Trial

pytestmark = pytest.mark.timeout(20)


def labelled(trial: Trial, label: str, **variables: str) -> Trial:
    changed = {"label": label, "target_facts": {"engine": "MariaDB", "variables": variables}}
    return replace(trial, manifest=trial.manifest.model_copy(update=changed))


def test_a_side_is_called_as_all_its_trials_are() -> None:
    """One label of all; none where they differ; the command's own comes first."""
    same = [("a", labelled(made_trial(1), "x")), ("b", labelled(made_trial(2), "x"))]
    assert side_facts(same).label == "x"
    assert side_facts([*same, ("c", made_trial(3))]).label == ""
    assert side_facts(same, "mine").label == "mine"


def test_facts_and_settings_have_each_value_once() -> None:
    """Revision and date of all trials, settings by their dotted name; what is unknown is left out."""
    trials = [("a", labelled(made_trial(1), "", key_buffer_size="8M")),
              ("b", labelled(made_trial(2, revision="bbb", day=3), "", key_buffer_size="16M"))]  # fmt: skip
    found = side_facts(trials)
    assert found.facts["revision"] == ["aaa", "bbb"]
    assert found.facts["run on"] == ["2026-07-01", "2026-07-04"]
    assert found.facts["data digest"] == ["d1"]
    assert "fraction" not in found.facts
    assert found.settings == {"engine": ["MariaDB"], "variables.key_buffer_size": ["8M", "16M"]}
    assert [note.name for note in found.trials] == ["a", "b"]


def test_settings_are_those_of_all_servers_where_a_trial_kept_them() -> None:
    """The czar's own few stand for nothing then."""
    made = labelled(made_trial(1), "", key_buffer_size="8M")
    node = ServerVariables(version="10.11.19", variables={"flush": ChangedVariable(value="ON", default="OFF")})
    trial = replace(made, manifest=made.manifest.model_copy(update={"servers": {"node1": node}}))
    assert side_facts([("a", trial)]).settings == {
        "engine": ["MariaDB"],
        "version": ["10.11.19"],
        "nodes flush": ["ON; built in: OFF"],
    }
