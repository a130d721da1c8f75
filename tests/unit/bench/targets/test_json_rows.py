"""What Qserv's czar REST writes is read back as it was."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa

from skyshard.bench.check.compare_answers import compare_answers
from skyshard.bench.targets import json_rows
from skyshard.serve.qserv.json_rows import described, row_texts


def test_rows_of_json_are_read_with_their_types() -> None:
    """All but the text NULL, which is none there; a DECIMAL has all its digits."""
    table = pa.table(
        {
            "a": pa.array([1, None, -(2**63)], pa.int64()),
            "b": pa.array([1.25, None, 0.1], pa.float32()),
            "c": pa.array([0.1, None, -1e300], pa.float64()),
            "t": pa.array(["", None, 'ä "b" \\c'], pa.string()),
            "x": pa.array([b"\x00\xff", b"", None], pa.binary()),
            "z": pa.array([Decimal("12345678901234567890.125"), None, Decimal(0)], pa.decimal128(30, 3)),
        }
    )
    rows = json.loads(b"[" + b",".join(row_texts(table.combine_chunks().to_batches()[0], "hex")) + b"]")
    found = json_rows.to_table(described(table.schema), rows)
    assert compare_answers(found, table).is_equal
    assert found["c5"].to_pylist() == table["z"].to_pylist()
    assert json_rows.to_table(described(table.schema), []).num_rows == 0
