"""What each class cost each server, per query."""

from __future__ import annotations

import pyarrow as pa

from skyshard.bench.record.class_work import class_work, whole_phases
from skyshard.bench.record.server_work import WORK_SCHEMA


def window(phase: str, name: str, attribution: str, node: str = "node1", **more: float) -> dict[str, object]:
    return {
        "phase": phase, "class": name, "attribution": attribution, "node": node, "queries": 4, "elapsed_s": 1.0,
        "statements": 4, **more,
    }  # fmt: skip


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=WORK_SCHEMA)


def test_counters_are_given_for_each_query() -> None:
    """Bytes from the page cache are those of read calls that did not come from the disk."""
    counted: dict[str, object] = {
        "cpu_s": 2.0,
        "read_bytes": 400,
        "read_call_bytes": 4000,
        "key_read_requests": 8,
        "key_reads": 2,
    }
    (one,) = class_work(table(window("p", "LV", "alone") | counted))
    assert (one.cpu_s, one.disk_bytes, one.cached_bytes) == (0.5, 100, 900)
    assert one.cache_misses == {"key cache": 0.5}
    assert one.rows_by_index is None


def test_the_window_that_says_most_is_taken() -> None:
    """A phase of its own, else asked again, else the whole phase."""
    found = class_work(
        table(
            window("mixed", "", "mixed"), window("mixed", "A", "again"), window("mixed", "B", "again"),
            window("alone", "A", "alone"), window("alone", "A", "again"), window("other", "", "mixed"),
        )
    )  # fmt: skip
    assert [(one.phase, one.class_name, one.attribution.value) for one in found] == [
        ("mixed", "A", "again"), ("mixed", "B", "again"), ("alone", "A", "alone"), ("other", "", "mixed"),
    ]  # fmt: skip


def test_servers_that_were_sent_nothing_are_left_out() -> None:
    """The oracle does nothing while the cluster is asked."""
    idle = window("p", "A", "alone", node="mono", cpu_s=0.1) | {"statements": 0}
    found = table(window("p", "A", "alone"), idle)
    assert [one.node for one in class_work(found)] == ["node1"]
    assert [one.node for one in whole_phases(found)] == ["node1"]


def test_an_old_trial_has_none() -> None:
    """Trials of earlier releases have no such table."""
    assert class_work(None) == whole_phases(None) == []
