"""What is counted while a weekly is ingested is the generator's truth: interrupted, replaced, compacted."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.stepping import Fuse, Stopped, steps_of, stop
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.releases.quality.database_quality import DatabaseQuality, TableQualityReport
from skyshard.synth.weeklies.weekly_order import WeeklyOrder
from skyshard.synth.weeklies.weekly_truth import DatasetTypeTruth, WeeklyTruth
from skyshard.synth.weeklies.write_weekly import write_weekly
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
ORDER = WeeklyOrder("hsc-gen3", 1, 120, columns="few")
TYPES = {
    "Object": "objectTable_tract", "Source": "sourceTable_visit", "ForcedSource": "forcedSourceTable_tract",
    "Visit": "visitTable", "VisitDetector": "ccdVisitTable",
}  # fmt: skip


@pytest.fixture(scope="module")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WeeklyTruth]:
    """A weekly's tree."""
    out = tmp_path_factory.mktemp("weekly")
    return out, write_weekly(ORDER, out)


def mapping_of(out: Path, truth: WeeklyTruth, **more: Any) -> tuple[Path, str]:
    """A mapping of the tree, and a database of its own."""
    database = f"x{uuid.uuid4().hex[:10]}"
    content = {"version": 1, "extends": "hsc-gen3", "database": database, "input": str(out / truth.tree), **more}
    path = out / f"{database}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path, database


def assert_true(table: TableQualityReport, truth: DatasetTypeTruth) -> None:
    """All counts of one table."""
    assert (table.rows, {one.name for one in table.columns}) == (truth.rows, set(truth.columns))
    for one in table.columns:
        known = truth.columns[one.name]
        assert (one.nulls, one.nans, one.infinities) == (known.nulls, known.nans, known.infinities), one.name
        assert one.trues == known.trues, one.name
        if known.min is not None:
            assert (one.min, one.max) == (known.min, known.max), one.name
    assert table.places.get("tract", {}) == {str(key): rows for key, rows in truth.rows_of_tract.items()}
    assert table.places.get("tract/patch", {}) == truth.rows_of_patch
    names = "visit/detector" if "visit" in truth.columns else "visitId/detector"
    assert table.places.get(names, {}) == truth.rows_of_detector
    if truth.primary is not None:
        assert table.primary is not None
        assert (table.primary.rows, table.primary.near) == (truth.primary, truth.near_primary)


def test_counts_are_the_truth_whenever_the_ingest_was_stopped(
    testbed: Testbed, weekly: tuple[Path, WeeklyTruth]
) -> None:
    """Stopped at four instants from beginning to end, then run again: nothing is lost, nothing counted twice.

    A run that goes on has fewer steps than a whole one: it may be over before the later instants.
    """
    out, truth = weekly
    path, database = mapping_of(out, truth)
    steps = steps_of(testbed, path, database)
    first = testbed.quality(database)
    for table in first.tables:
        assert_true(table, truth.dataset_types[TYPES[table.table]])
    assert [table.table for table in first.tables] == sorted(TYPES)
    again, other = mapping_of(out, truth)
    for instant in (steps // 8, steps // 2):
        with pytest.raises(Stopped):
            stop(testbed, again, other, Fuse(instant))
    for instant in (steps * 3 // 4, steps * 7 // 8):
        with suppress(Stopped):
            stop(testbed, again, other, Fuse(instant))
    testbed.ingest(again)
    assert [one.model_copy(update={"transactions": []}) for one in testbed.quality(other).tables] == [
        one.model_copy(update={"transactions": []}) for one in first.tables
    ]


def test_the_counts_of_a_replaced_file_go_away(testbed: Testbed, tmp_path: Path) -> None:
    """A tract is done again: counts are those of the new file and of all others; compaction changes nothing."""
    truth = write_weekly(ORDER, tmp_path)
    path, database = mapping_of(tmp_path, truth, provenance=True)
    testbed.ingest(path, tables=["Object"])
    second = write_weekly(replace(ORDER, redo=True), tmp_path)
    testbed.ingest(path, tables=["Object"], replace=[str(second.redone_tract)])
    (table,) = testbed.quality(database).tables
    assert (table.rows, table.replaced) == (second.dataset_types["objectTable_tract"].rows, 1)
    known = second.dataset_types["objectTable_tract"]
    for one in table.columns:
        if one.name in known.columns:
            counts = known.columns[one.name]
            assert (one.nulls, one.nans, one.infinities, one.trues) == (
                counts.nulls, counts.nans, counts.infinities, counts.trues,
            ), one.name  # fmt: skip
    testbed.compact(database, grace_s=0.0)
    assert testbed.quality(database).tables == [table]


def test_expected_counts_decide_the_exit_code(
    testbed: Testbed, private_cluster: PrivateCluster, weekly: tuple[Path, WeeklyTruth], tmp_path: Path
) -> None:
    """0 where all rows came, 1 with each difference named, 2 for a file that is none, and for an unknown database."""
    out, truth = weekly
    path, database = mapping_of(out, truth)
    testbed.ingest(path, tables=["Object"])
    what = truth.dataset_types["objectTable_tract"]
    datasets = [{"tract": tract, "rows": rows} for tract, rows in what.rows_of_tract.items()]
    counts = {"version": 1, "tables": {"Object": {"rows": what.rows, "datasets": datasets}}}

    def run(content: Any, *words: str, name: str = database) -> tuple[int, str]:
        file = tmp_path / "counts.yaml"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        where = ["--cluster", str(private_cluster.folder)]
        found = CliRunner().invoke(app, ["quality", name, "--expect", str(file), *words, *where])
        return 2 if isinstance(found.exception, UserError) else found.exit_code, found.stdout

    page = tmp_path / "page.html"
    assert run(counts, "--out", str(page))[0] == 0
    assert "as many as expected" in page.read_text(encoding="utf-8")
    datasets[0]["rows"] += 5
    code, text = run(counts)
    tract, rows = next(iter(what.rows_of_tract.items()))
    assert code == 1
    assert f"Object, tract {tract}: {rows:,} rows, expected {rows + 5:,}" in text
    code, text = run(counts, "--json")
    assert code == 1
    assert DatabaseQuality.model_validate_json(text).differences is not None
    assert run({"tables": {"Object": {"row": 3}}})[0] == 2
    assert run(counts, name="nothing_there")[0] == 2
