"""The time of a statement: flat, then a cliff, over sizes and over queries at a time."""

from dataclasses import replace

import pytest

from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.node_time import Costs, Crowd, Place, Regime, time_on
from skyshard.bench.model.work import Demand

NODE = Hardware(
    version=1, name="n", cores=8, memory_gb=16, memory_for_data=0.5, memory_mb_per_s=1e6, disk_mb_per_s=500,
    disk_read_ms=10, disk_iops=500, network_mb_per_s=100,
)  # fmt: skip
COSTS = Costs(overhead_s=0.0, row_s=1e-7)
SCAN = Demand(chunks=1000, rows=1e9, bytes=1e11)
"""On 10 nodes: 10 GB and 10^8 rows each, 1.25 s of processor."""


def at(gigabytes: float, demand: Demand = SCAN, **more: float) -> Place:
    """Ten nodes, each with so many gigabytes of data."""
    return Place(NODE.model_copy(update=more), 10, gigabytes * 1e10)


def test_time_is_flat_while_memory_holds_the_data_and_then_the_disk_decides() -> None:
    """A scan of the same rows costs the processor alone up to 8 GB a node, and ten times that at 80."""
    times = {size: time_on(SCAN, COSTS, at(size)) for size in (1, 4, 8, 16, 80)}
    assert times[1].total_s == times[8].total_s == pytest.approx(1.25)
    assert times[8].regime is Regime.PROCESSOR
    assert times[16].total_s == pytest.approx(0.5 * 1e10 / 5e8)
    assert times[80].total_s == pytest.approx(0.9 * 1e10 / 5e8)
    assert times[80].regime is Regime.DISK


def test_shared_scans_are_flat_until_the_processors_are_full() -> None:
    """One query waits for the disk; fourteen still do; twenty-eight take twice as long as the processors need."""
    cold = at(1e6)
    times = {n: time_on(SCAN, COSTS, cold, Crowd(n)).total_s for n in (1, 14, 32, 64)}
    assert times[1] == times[14] == pytest.approx(20, rel=1e-3)
    assert times[64] == pytest.approx(2 * times[32], rel=1e-3)
    assert times[32] == pytest.approx(32 * 1.25)


def test_more_nodes_than_chunks_do_not_help() -> None:
    """One chunk is read by one core of one node."""
    one = Demand(chunks=1, rows=1e6, bytes=1e8)
    found = [time_on(one, COSTS, Place(NODE, nodes, 1.0)).total_s for nodes in (1, 100)]
    assert found[0] == found[1] == pytest.approx(0.1)


def test_a_look_up_waits_for_its_pages() -> None:
    """Eight pages of ten milliseconds, less what memory holds."""
    look_up = Demand(chunks=1, rows=0, bytes=0, key_reads=8)
    assert time_on(look_up, COSTS, at(1)).total_s == 0
    assert time_on(look_up, COSTS, at(16)).total_s == pytest.approx(0.04)


def test_a_join_falls_off_a_cliff_where_its_partners_chunks_outgrow_memory() -> None:
    """Eight lanes of 1 GB fit into 8 GB; of 2 GB, half of the matches are read one by one."""
    join = replace(SCAN, answer_rows=1e6, answer_bytes=0, partner_bytes=1e9)
    fits = time_on(join, COSTS, at(1)).total_s
    assert fits == pytest.approx(1.25)
    too_large = time_on(replace(join, partner_bytes=2e9), COSTS, at(1)).total_s
    assert too_large == pytest.approx(0.5 * 1e5 / 500)


def test_fan_in_is_what_the_network_or_the_czar_takes() -> None:
    """1 GB over 100 MB/s."""
    large = replace(SCAN, answer_bytes=1e9)
    found = time_on(large, COSTS, at(1))
    assert found.fan_in_s == pytest.approx(10)
    assert found.regime is Regime.FAN_IN
    assert time_on(large, replace(COSTS, answer_s=2e-8), at(1)).fan_in_s == pytest.approx(20)


def test_slower_cores_take_longer() -> None:
    """Half the speed, twice the processor time."""
    assert time_on(SCAN, COSTS, at(1, core_speed=0.5)).total_s == pytest.approx(2.5)
