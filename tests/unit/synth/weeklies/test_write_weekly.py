"""Trees of weeklies: what the truth says is what the files hold, read with Arrow and counted here."""

from __future__ import annotations

import hashlib
import statistics
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from skyshard.basics.errors import UserError
from skyshard.synth.weeklies.weekly_order import TreeKind, WeeklyOrder
from skyshard.synth.weeklies.weekly_truth import DatasetTypeTruth, WeeklyTruth, read_truth
from skyshard.synth.weeklies.write_weekly import truth_path, write_weekly

OBJECTS = "objectTable_tract"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[WeeklyTruth]]:
    """Two weeklies of 60 objects."""
    out = tmp_path_factory.mktemp("weeklies")
    orders = [WeeklyOrder("hsc-gen3", number, 60, columns="few", doubled=3, bad_positions=4) for number in (1, 2)]
    return out, [write_weekly(order, out) for order in orders]


def _read(out: Path, truth: DatasetTypeTruth) -> pa.Table:
    """The files that count."""
    return pa.concat_tables(pq.read_table(out / one.path) for one in truth.files if not one.is_superseded)


def _rows_by(table: pa.Table, *names: str) -> dict[str, int]:
    counted = table.group_by(list(names)).aggregate([([], "count_all")]).to_pylist()
    return {"/".join(str(row[name]) for name in names): row["count_all"] for row in counted}


def test_rows_are_as_the_truth_says(trees: tuple[Path, list[WeeklyTruth]]) -> None:
    """By dataset type, file, tract, patch, visit and detector."""
    out, truths = trees
    for what in truths[1].dataset_types.values():
        table = _read(out, what)
        assert table.num_rows == what.rows == sum(what.rows_of_dataset.values())
        assert all(pq.read_metadata(out / one.path).num_rows == one.rows for one in what.files)
        names = set(table.column_names)
        if {"tract", "patch"} <= names:
            assert _rows_by(table, "tract") == {str(key): rows for key, rows in what.rows_of_tract.items()}
            assert _rows_by(table, "tract", "patch") == what.rows_of_patch
        if {"visit", "detector"} <= names:
            assert _rows_by(table, "visit", "detector") == what.rows_of_detector


def test_columns_hold_what_the_truth_says(trees: tuple[Path, list[WeeklyTruth]]) -> None:
    """NULL, NaN, infinities, set flags and extremes of every column of every dataset type."""
    out, truths = trees
    for what in truths[1].dataset_types.values():
        table = _read(out, what)
        assert table.column_names == list(what.columns)
        for name, truth in what.columns.items():
            values = table[name]
            assert (truth.type, truth.nulls) == (str(values.type), values.null_count)
            if pa.types.is_boolean(values.type):
                assert truth.trues == (pc.sum(values).as_py() or 0)
            elif pa.types.is_floating(values.type):
                finite = values.filter(pc.fill_null(pc.is_finite(values), False))
                nans = pc.sum(pc.is_nan(values)).as_py() or 0
                assert truth.nans == nans
                assert truth.infinities == len(values) - values.null_count - nans - len(finite)
                assert (truth.min, truth.max) == (pc.min(finite).as_py(), pc.max(finite).as_py())


def test_what_became_of_objects_is_as_the_truth_says(trees: tuple[Path, list[WeeklyTruth]]) -> None:
    """Ids that are gone, new, split, merged and in both are those of the files of two weeklies."""
    out, truths = trees
    before, after = (set(_read(out, one.dataset_types[OBJECTS])["objectId"].to_pylist()) for one in truths)
    changes = truths[1].dataset_types[OBJECTS].changes
    assert changes is not None
    split, merged = changes.split, changes.merged
    gone = {*changes.lost, *(one for fate in (*split, *merged) for one in fate.old)}
    come = {*changes.new, *(one for fate in (*split, *merged) for one in fate.new)}
    assert all([changes.lost, changes.new, split, merged])
    assert (before - after, after - before, len(before & after)) == (gone, come, changes.matched)


def test_values_are_equal_where_the_truth_says(trees: tuple[Path, list[WeeklyTruth]]) -> None:
    """Equal values and missing ones of each column, over rows of equal id."""
    out, truths = trees
    changes = truths[1].dataset_types[OBJECTS].changes
    assert changes is not None
    tables = [_read(out, one.dataset_types[OBJECTS]) for one in truths]
    common = set(tables[0]["objectId"].to_pylist()).intersection(tables[1]["objectId"].to_pylist())
    before, after = (_rows_of(table, common) for table in tables)
    assert len(common) == changes.matched
    changed = 0
    for name, truth in changes.columns.items():
        was, now = _stored(before[truth.before]), _stored(after[name])
        is_equal = pc.fill_null(pc.equal(was, now), False)
        both_missing = pc.and_(pc.is_null(was), pc.is_null(now))
        assert pc.sum(pc.or_(is_equal, both_missing)).as_py() == truth.equal, name
        assert (was.null_count, now.null_count) == (truth.missing_before, truth.missing_after)
        if truth.median_difference is not None:
            difference = pc.subtract(now.cast(pa.float64()), was.cast(pa.float64())).drop_null().to_pylist()
            median = statistics.median(difference)
            assert truth.median_difference == median
            assert truth.mad_difference == statistics.median(abs(one - median) for one in difference)
        changed += truth.equal < truth.rows
    assert changed > 20


def _rows_of(table: pa.Table, keys: set[int]) -> pa.Table:
    """The first row of each key, in their order."""
    places = {key: place for place, key in reversed(list(enumerate(table["objectId"].to_pylist())))}
    return table.take([places[key] for key in sorted(keys)])


def _stored(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """NaN and infinities as NULL."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))


def test_columns_change_as_the_truth_says(trees: tuple[Path, list[WeeklyTruth]]) -> None:
    """A renamed column, a retyped, a new and a removed one tell the two schemas apart."""
    out, truths = trees
    before, after = (_read(out, one.dataset_types[OBJECTS]).schema for one in truths)
    changes = truths[1].dataset_types[OBJECTS].changes
    assert changes is not None
    old, new = set(before.names) - set(after.names), set(after.names) - set(before.names)
    assert old == {*changes.removed_columns, *changes.renamed_columns}
    assert new == {*changes.added_columns, *changes.renamed_columns.values()}
    retyped = {
        name: (str(before.field(name).type), str(after.field(name).type)) for name in set(before.names) - old
        if before.field(name).type != after.field(name).type
    }  # fmt: skip
    assert retyped == changes.retyped_columns != {}


def test_ids_come_twice_and_positions_miss_as_asked(trees: tuple[Path, list[WeeklyTruth]]) -> None:
    """Three rows stand in two files; two rows have NaN for a position, two NULL."""
    out, truths = trees
    what = truths[0].dataset_types[OBJECTS]
    table = _read(out, what)
    counts = table.group_by("objectId").aggregate([([], "count_all")])
    twice = counts.filter(pc.greater(counts["count_all"], 1))["objectId"].to_pylist()
    assert len(twice) == 3
    assert sorted(twice) == what.doubled_keys
    ra = table["coord_ra"]
    assert (ra.null_count, pc.sum(pc.is_nan(ra)).as_py(), len(what.bad_positions)) == (2, 2, 4)


def test_the_same_order_gives_the_same_bytes(trees: tuple[Path, list[WeeklyTruth]], tmp_path: Path) -> None:
    """A weekly does not depend on which others were made."""
    out, truths = trees
    again = write_weekly(WeeklyOrder("hsc-gen3", 2, 60, columns="few", doubled=3, bad_positions=4), tmp_path)
    assert again == truths[1]
    paths = [one.path for what in again.dataset_types.values() for one in what.files]
    digests = [[hashlib.sha256((root / path).read_bytes()).digest() for path in paths] for root in (out, tmp_path)]
    assert digests[0] == digests[1]


def test_a_tract_that_is_done_again_replaces_its_file(tmp_path: Path) -> None:
    """The file of one tract differs, in rows and values; all others are untouched; the truth tells of the new rows."""
    order = WeeklyOrder("hsc-gen3", 1, 40, columns="few")
    first = write_weekly(order, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parq")}
    redo = WeeklyOrder("hsc-gen3", 1, 40, columns="few", redo=True)
    second = write_weekly(redo, tmp_path)
    changed = [path for path, content in before.items() if path.read_bytes() != content]
    assert {path.parent.name for path in changed} == {str(second.redone_tract)}
    assert set(tmp_path.rglob("*.parq")) == set(before)
    rows = _read(tmp_path, second.dataset_types[OBJECTS]).num_rows
    assert rows == second.dataset_types[OBJECTS].rows == first.dataset_types[OBJECTS].rows - 1
    assert read_truth(truth_path(tmp_path, redo)) == second


def test_a_damaged_file_cannot_be_read(tmp_path: Path) -> None:
    """One file of sources is cut off; the truth names it."""
    truth = write_weekly(WeeklyOrder("hsc-gen2", 1, 20, columns="few", damage=True), tmp_path)
    damaged = [one for what in truth.dataset_types.values() for one in what.files if one.is_damaged]
    assert len(damaged) == 1
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(tmp_path / damaged[0].path)


@pytest.mark.parametrize(("kind", "path"), [
    ("hsc-gen2", "rerun/RC/w_2026_20/DM-54017/deepCoadd-results/merged/9196/objectTable-9196.parq"),
    ("dp2", (
        "LSSTCam/runs/DRP/DP2/w_2026_20/DM-54017/20260521T041500Z/object_forced_source/9197/2/"
        "object_forced_source_9197_2_lsst_cells_v2_LSSTCam_runs_DRP_DP2_w_2026_20_DM-54017_20260521T041500Z.parq"
    )),
    ("hsc-gen3", (
        "HSC/runs/RC2/w_2026_20/DM-54017/20260518T141500Z/sourceTable_visit/20140328/g/HSC-G/1228/"
        "sourceTable_visit_HSC_g_HSC-G_1228_HSC_runs_RC2_w_2026_20_DM-54017_20260518T141500Z.parq"
    )),
])  # fmt: skip
def test_files_lie_where_a_butler_puts_them(kind: TreeKind, path: str, tmp_path: Path) -> None:
    """One path of each layout, written out by hand."""
    write_weekly(WeeklyOrder(kind, 1, 50, columns="few"), tmp_path)
    assert (tmp_path / path).is_file()


def test_what_a_schema_has_not_is_not_told(tmp_path: Path) -> None:
    """DP2's objects have no flags of patches: the truth says nothing of primary rows."""
    what = write_weekly(WeeklyOrder("dp2", 1, 20, columns="few"), tmp_path).dataset_types["object"]
    assert "detect_isPrimary" not in what.columns
    assert (what.primary, what.patch_inner, what.near_primary) == (None, None, None)


def test_a_weekly_that_is_there_is_refused(tmp_path: Path) -> None:
    """Nothing is written over, and nothing is done again that is not there."""
    with pytest.raises(UserError, match="is not there"):
        write_weekly(WeeklyOrder("hsc-gen2", 1, 10, columns="few", redo=True), tmp_path)
    write_weekly(WeeklyOrder("hsc-gen2", 1, 10, columns="few"), tmp_path)
    with pytest.raises(UserError, match="is there already"):
        write_weekly(WeeklyOrder("hsc-gen2", 1, 10, columns="few"), tmp_path)


def test_ids_that_are_counted_anew_mean_other_objects(tmp_path: Path) -> None:
    """The truth lists which id is which; some id stands for one object before and for another one after."""
    orders = [WeeklyOrder("hsc-gen2", number, 60, columns="few", keys="new") for number in (1, 2)]
    changes = [write_weekly(order, tmp_path) for order in orders][1].dataset_types["objectTable"].changes
    assert changes is not None
    assert changes.matched_keys is not None
    before, after = changes.matched_keys
    assert len(set(before)) == len(set(after)) == changes.matched
    assert any(old in set(after) for old, new in zip(before, after, strict=True) if old != new)
