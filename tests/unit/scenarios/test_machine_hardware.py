"""This machine as a hardware file."""

from pathlib import Path

import pytest

from skyshard.scenarios.machine_hardware import memory_mb_per_s, this_machine


def test_nodes_share_the_machine(tmp_path: Path) -> None:
    """Each of four nodes has a quarter of the cores and of the memory, and positive rates."""
    few = {"file_bytes": 1 << 20, "memory_bytes": 1 << 20}
    one, four = (this_machine(tmp_path, nodes=nodes, seconds=0.05, **few) for nodes in (1, 4))
    assert four.cores == pytest.approx(one.cores / 4)
    assert four.memory_gb == pytest.approx(one.memory_gb / 4, rel=0.01)
    assert min(four.disk_mb_per_s, four.disk_iops, four.disk_read_ms, four.memory_mb_per_s) > 0


def test_memory_is_copied_at_a_rate() -> None:
    """More than a tape drive."""
    assert memory_mb_per_s(1 << 20) > 100


pytestmark = pytest.mark.timeout(30)  # each measurement takes its seconds where the disk is busy
