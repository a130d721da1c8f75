"""The report's tables of where the time goes."""

from __future__ import annotations

import pyarrow as pa

from skyshard.bench.pages.work_table import HEADERS, table_shares, work_rows
from skyshard.bench.record.class_work import class_work
from skyshard.bench.record.server_work import TABLE_ROWS_SCHEMA, WORK_SCHEMA


def test_a_line_says_class_server_and_whose_the_counters_are() -> None:
    """All classes of a mixed phase have one line with the phase's name."""
    row = {
        "phase": "run", "class": "", "attribution": "mixed", "node": "node1", "queries": 10, "elapsed_s": 1.0,
        "statements": 12, "cpu_s": 0.5, "handler_read_rnd_next": 1000, "key_read_requests": 50, "key_reads": 0,
    }  # fmt: skip
    (line,) = work_rows(class_work(pa.Table.from_pylist([row], schema=WORK_SCHEMA)), has_phases=False)
    assert len(line) == len(HEADERS)
    assert line[:5] == ["all classes, run", "node1", "mixed phase", "10", "50 ms"]
    assert line[8] == "100"
    assert line[-1] == "keys 0"


def test_rows_of_a_table_are_added_up_over_servers() -> None:
    """For each query, most first."""
    rows = [
        {"phase": "p", "class": "A", "node": node, "table": table, "index": None, "queries": 4, "rows_read": count}
        for node in ("node1", "node2")
        for table, count in (("sky.Object", 20), ("sky.Source", 200))
    ]
    shares = table_shares(pa.Table.from_pylist(rows, schema=TABLE_ROWS_SCHEMA))
    assert [(one.table, one.rows) for one in shares] == [("sky.Source", 100.0), ("sky.Object", 10.0)]
