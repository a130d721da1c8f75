"""What servers did in the trials of an experiment."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
from tests.support.bench_trials import made_trial

from skyshard.bench.experiment.server_numbers import servers_of, servers_of_cells
from skyshard.bench.record.server_work import WORK_SCHEMA


def work(cpu_s: float, key_reads: int) -> pa.Table:
    row = {
        "phase": "p", "class": "LV", "attribution": "alone", "node": "node1", "queries": 10, "elapsed_s": 1.0,
        "statements": 10, "cpu_s": cpu_s, "key_read_requests": 99, "key_reads": key_reads,
    }  # fmt: skip
    return pa.Table.from_pylist([row], schema=WORK_SCHEMA)


def test_a_cell_has_the_medians_of_its_trials() -> None:
    """For each class and server; what no trial tells is not told."""
    trials = [servers_of(replace(made_trial(1), work=work(*one))) for one in ((1.0, 10), (9.0, 20), (2.0, 30))]
    (found,) = servers_of_cells([(4, servers) for servers in trials])
    assert (found.cell, found.phase, found.class_name, found.node) == (4, "p", "LV", "node1")
    assert (found.cpu_s, found.cache_misses, found.disk_bytes) == (0.2, {"key cache": 2.0}, None)


def test_trials_without_counters_have_none() -> None:
    """Those of earlier releases."""
    assert servers_of(made_trial(1)) == []
    assert servers_of_cells([(1, [])]) == []
