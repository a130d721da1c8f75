"""The tables that a server's tables are parts of."""

from __future__ import annotations

import pytest

from skyshard.scenarios.cluster_probe import table_label


@pytest.mark.parametrize(
    ("table", "label"),
    [
        ("Object_12", "sky.Object"), ("Object_12_p4", "sky.Object"), ("Object_12_g9", "sky.Object"),
        ("ObjectFullOverlap_12_p4", "sky.Object (overlap)"), ("LeapSeconds", "sky.LeapSeconds"),
    ],
)  # fmt: skip
def test_chunks_and_parts_of_a_table_are_one(table: str, label: str) -> None:
    """Overlap tables are told apart: their rows are copies."""
    assert table_label("sky", table) == label


def test_scratch_tables_are_one() -> None:
    """Their names say a process and a number."""
    assert table_label("skyshard_scratch", "q_1_2_3_p0") == "scratch tables"
