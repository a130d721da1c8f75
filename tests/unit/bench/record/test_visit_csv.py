"""Visits as ``log2csv`` writes them."""

from __future__ import annotations

import pytest
from tests.support.visit_trials import MadeVisits, made_samples

from skyshard.bench.record.visit_csv import COLUMNS, visits_as_csv
from skyshard.bench.record.visit_samples import VISIT_SAMPLES

MADE = MadeVisits(visits=4, noise=0.0, before=0.0, window=2)


def test_a_line_a_visit_with_means_over_tiles() -> None:
    """Times and rows of a visit are means over its tiles; sums of reads stand beside them."""
    found = visits_as_csv(made_samples(MADE), "visits")
    assert tuple(found.column_names) == COLUMNS
    rows = found.to_pylist()
    assert [row["visit"] for row in rows] == ["0", "1", "2", "3"]
    last = {name: float(value) for name, value in rows[3].items() if value != "NULL"}
    assert last["src_select_real"] == pytest.approx(0.5 * 0.05)
    assert last["select_real"] == pytest.approx(0.05)
    assert last["store_real"] == pytest.approx(0.03)
    assert last["obj_last_insert_real"] == pytest.approx(0.3 * 0.03)
    assert last["visit_real"] == pytest.approx(0.081)
    assert last["visit_proc_real"] == pytest.approx(0.081)
    assert (last["obj_selected"], last["src_selected"], last["fsrc_selected"]) == (40, 60, 90)


def test_what_is_not_known_is_null() -> None:
    """A delete that was never sent, rows of whole tables, and reads that a visit left out are NULL."""
    samples = made_samples(MADE)
    found = visits_as_csv(samples.filter([kind != "select" for kind in samples["kind"].to_pylist()]), "visits")
    row = found.to_pylist()[0]
    assert {row[name] for name in ("obj_last_delete_real", "obj_count", "obj_in_fov", "src_select_real")} == {"NULL"}
    assert row["select_real"] == "NULL"


def test_visits_that_did_not_end_whole_are_no_lines() -> None:
    """A lost visit is left out; no samples have no lines."""
    lost = made_samples(MadeVisits(visits=4, lost=((2, 0),)))
    assert visits_as_csv(lost, "visits")["visit"].to_pylist() == ["0", "1", "3"]
    assert visits_as_csv(VISIT_SAMPLES.empty_table(), "visits").num_rows == 0
