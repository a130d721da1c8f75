"""Tables of samples."""

from dataclasses import replace
from typing import Any

import pyarrow as pa

from skyshard.bench.record.samples import SAMPLE_SCHEMA, Sample, sample_table


def sample(due: float, sent: float, done: float, **rest: Any) -> Sample:
    usual = Sample("one", "LV", "LV/a", "q", 0, False, due, sent, None, done, driver_lag_s=0.0, rows=2, bytes=10)
    return replace(usual, **rest)


def test_samples_are_kept_in_order_of_sending_under_the_fixed_schema() -> None:
    """The file's columns are the published ones, rows by time of sending; durations come after them."""
    table = sample_table([sample(2, 2, 3), sample(0, 1, 5)], ["q"])
    assert table.select(SAMPLE_SCHEMA.names).schema.equals(SAMPLE_SCHEMA, check_metadata=True)
    assert table.column_names == [*SAMPLE_SCHEMA.names, "latency_s", "service_s"]
    assert table["latency_s"].to_pylist() == [5, 1]
    assert table["service_s"].to_pylist() == [4, 1]
    assert table["sent_s"].to_pylist() == [1, 2]
    assert table["statement"].type == pa.int32()
