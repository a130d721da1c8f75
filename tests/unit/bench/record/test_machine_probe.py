"""The machine is timed by a fixed piece of work, briefly, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.bench.record.machine_probe import BUDGET_S, MachineProbe, MachineReading


@pytest.mark.timeout(20)
def test_a_reading_times_processor_memory_and_disk(tmp_path: Path) -> None:
    """Three positive times in order of the calls, and no file stays."""
    probe = MachineProbe(tmp_path)
    probe.read("before")
    probe.read("after")
    assert [one.when for one in probe.readings] == ["before", "after"]
    for one in probe.readings:
        assert one.cpu_s > 0
        assert one.memory_s > 0
        assert one.disk_s is not None
        assert one.disk_s > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(20)
def test_a_trial_of_many_phases_is_not_held_up(tmp_path: Path) -> None:
    """When the budget is spent, readings between phases are left out; that at the end is made."""
    probe = MachineProbe(tmp_path, spent_s=[BUDGET_S + 0.1])
    probe.read("between")
    assert probe.readings == []
    probe.read("after")
    assert [one.when for one in probe.readings] == ["after"]


@pytest.mark.timeout(20)
def test_a_disk_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    """The other two times are still there."""
    probe = MachineProbe(tmp_path / "absent")
    probe.read("before")
    assert probe.readings[0].disk_s is None
    assert MachineReading.model_validate_json(probe.readings[0].model_dump_json()) == probe.readings[0]
