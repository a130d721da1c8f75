"""What a slice's rows hold, as partition tasks count it, against the truth of the generator and values by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from tests.support.weekly_mapping import write_mapping

from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.partition.partition_task import partition_slice
from skyshard.ingest.partition.routing import PartitionSpec
from skyshard.ingest.quality.kept_quality import SliceQuality, TableQuality, TransactionQuality
from skyshard.ingest.quality.slice_counts import SliceCounts
from skyshard.ingest.source import InputBatch
from skyshard.ingest.sources.mapping_source import open_mapping
from skyshard.node.messages import Loader
from skyshard.releases.quality.add_up import added_up
from skyshard.releases.quality.database_quality import DatabaseQuality
from skyshard.rowimage.sqltype import parse_type
from skyshard.synth.weeklies.weekly_order import WeeklyOrder
from skyshard.synth.weeklies.weekly_truth import WeeklyTruth
from skyshard.synth.weeklies.write_weekly import write_weekly

Counted = dict[str, list[SliceReport]]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[WeeklyTruth, Counted]:
    """The truth about a weekly, and what partition tasks counted of its files, by dataset type."""
    out = tmp_path_factory.mktemp("weekly")
    truth = write_weekly(WeeklyOrder("hsc-gen3", 1, 300, columns="few"), out)
    names = ["objectTable_tract", "sourceTable_visit", "ccdVisitTable"]
    source = open_mapping(write_mapping(out / "mapping.yaml", out, truth, names))
    found = {}
    for name in names:
        table = source.tables[truth.dataset_types[name].table]
        staging = tmp_path_factory.mktemp("staging")
        spec = PartitionSpec(
            table.table, table.layout, source.layout.striping, table.reader, Loader.IMAGE, str(staging),
            counts_quality=True,
        )  # fmt: skip
        found[name] = [partition_slice(spec, piece) for piece in table.slices]
        assert [partition_slice(spec, piece) for piece in table.slices] == found[name]  # from the bundles
    return truth, found


def _total(reports: list[SliceReport], what: str, column: str) -> int:
    return sum(report.quality[what].get(column, 0) for report in reports)


@pytest.mark.parametrize("name", ["objectTable_tract", "sourceTable_visit", "ccdVisitTable"])
def test_counts_are_the_truth(counted: tuple[WeeklyTruth, Counted], name: str) -> None:
    """NULL, NaN, infinities, flags and extremes of every column; rows by tract and patch, or visit and detector."""
    truth, found = counted
    what, reports = truth.dataset_types[name], found[name]
    assert sum(report.quality["rows"] for report in reports) == what.rows
    for column, expected in what.columns.items():
        counts = tuple(_total(reports, word, column) for word in ("nulls", "nans", "infinities"))
        assert counts == (expected.nulls, expected.nans, expected.infinities), column
        if expected.trues is not None:
            assert _total(reports, "trues", column) == expected.trues
        ranges = [report.quality["ranges"][column] for report in reports if column in report.quality["ranges"]]
        if expected.min is not None:
            assert (min(low for low, _ in ranges), max(high for _, high in ranges)) == (expected.min, expected.max)
    places: dict[str, int] = {}
    for report in reports:
        for counts_of_place in report.quality["places"].values():
            for key, count in counts_of_place.items():
                places[key] = places.get(key, 0) + count
    assert places == (what.rows_of_patch or what.rows_of_detector)


def _counts(columns: list[tuple[str, str, pa.Array]], **more: Any) -> SliceCounts:
    table = Table("T", tuple(Column(name, parse_type(kind), True) for name, kind, _ in columns))
    counts = SliceCounts.of(table, TableLayout(role=Role.REGULAR))
    batch = pa.RecordBatch.from_arrays([array for *_, array in columns], names=table.column_names)
    counts.add(InputBatch(batch, 1, **more))
    return counts


def test_extremes_leave_out_what_lies_below_nulls() -> None:
    """A NULL's place holds any number: 99 is not the greatest; nor is what an infinity left."""
    under = pa.array([99, 5, -3], pa.int32(), mask=[True, False, False])
    numbers = [float("inf"), 2.0, float("nan")]
    lost = pa.array(numbers, mask=[True, False, True])
    made = _counts([("n", "int", under), ("f", "double", lost)], given_floats={"f": pa.array(numbers)})
    assert made.ranges == {"n": (-3, 5), "f": (2.0, 2.0)}
    assert made.to_json()["nulls"] == {"n": 1}
    assert (made.nans["f"], made.infinities["f"]) == (1, 1)


def test_extremes_leave_out_what_is_below_a_nan_that_became_null() -> None:
    """In a whole column any number lies there, and so it does in a float one once rows were taken out."""
    given = pa.array([7.0, float("nan"), 5.0])
    whole = pa.array([7, -(2**31), 5], pa.int32(), mask=[False, True, False])
    assert _counts([("n", "int", whole)], given_floats={"n": given}).ranges == {"n": (5, 7)}
    number = pa.array([7.0, 0.0, 5.0], mask=[False, True, False])
    made = _counts([("f", "double", number)], given_floats={"f": given}, left_out=Counter({"duplicates": 1}))
    assert made.ranges == {"f": (5.0, 7.0)}


def test_ids_of_64_bits_keep_all_digits() -> None:
    """2**53 + 1 and 2**64 - 1 are no doubles; they are kept, read back and added up as they are."""
    ids = pa.array([2**53 + 1, 2**63 - 1], pa.int64())
    unsigned = pa.array([2**63 + 1, 2**64 - 1], pa.uint64())
    counts = _counts([("id", "bigint", ids), ("u", "bigint unsigned", unsigned)]).to_json()
    read = SliceQuality.model_validate_json(SliceQuality(path="a", digest="b", **counts).model_dump_json())
    assert read.ranges == {"id": (2**53 + 1, 2**63 - 1), "u": (2**63 + 1, 2**64 - 1)}
    kept = TransactionQuality(
        version=1, tables={"T": TableQuality(columns={"id": "bigint", "u": "bigint unsigned"}, slices=[read])}
    )
    found = DatabaseQuality.model_validate_json(added_up("d", {1: kept}, {(1, "T", "a")}).model_dump_json())
    assert [(one.min, one.max) for one in found.tables[0].columns] == [*read.ranges.values()]
    assert all(isinstance(one.max, int) for one in found.tables[0].columns)


def test_a_column_without_values_has_no_range() -> None:
    """All NULL, all NaN, and no row at all."""
    nan = float("nan")
    made = _counts([
        ("n", "int", pa.nulls(2, pa.int32())), ("f", "double", pa.nulls(2, pa.float64())),
    ], given_floats={"f": pa.array([nan, nan])})  # fmt: skip
    assert made.ranges == {}
    assert _counts([("n", "int", pa.array([], pa.int32()))]).to_json()["rows"] == 0


def test_places_may_be_null_or_large() -> None:
    """A NULL place is counted as such, the visit of 13 digits as it is; slices of a batch are read at their offset."""
    visits = pa.array([9, 2025071500123, None, 2025071500123], pa.int64()).slice(1)
    detectors = pa.array([9, 188, 3, None], pa.int16()).slice(1)
    made = _counts([("visit", "bigint", visits), ("detector", "smallint", detectors)])
    assert made.places == {"visit/detector": {"2025071500123/188": 1, "NULL/3": 1, "2025071500123/NULL": 1}}


def test_no_number_is_shown_as_null() -> None:
    """2**20 - 1, which stands for a NULL detector within, is a visit like any other."""
    visits = pa.array([1048575, 5, None], pa.int64())
    assert _counts([("visit", "bigint", visits)]).places == {"visit": {"1048575": 1, "5": 1, "NULL": 1}}
    made = _counts([("visit", "bigint", visits), ("detector", "smallint", pa.array([1, None, 2], pa.int16()))])
    assert made.places == {"visit/detector": {"1048575/1": 1, "5/NULL": 1, "NULL/2": 1}}
