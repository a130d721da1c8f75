"""``skyshard diff``: two weeklies against the generator's truth, small releases against what was counted by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.killing import forget
from tests.support.two_releases import EDGES, OTHER_STRIPING, Row, write_release
from typer.testing import CliRunner

from skyshard.basics.errors import UserError
from skyshard.cli.app import app
from skyshard.releases.differences import compare_rows, compare_table
from skyshard.releases.differences.columns import exact_median
from skyshard.releases.differences.difference import DatabaseDifference, Objects, TableDifference
from skyshard.synth import WeeklyOrder, write_weekly
from skyshard.synth.weeklies.weekly_truth import Changes, ColumnChange, WeeklyTruth
from skyshard.testbed import Testbed

pytestmark = pytest.mark.timeout(900)
TABLES = {
    "Object": "objectTable_tract", "Source": "sourceTable_visit", "ForcedSource": "forcedSourceTable",
    "Visit": "visitTable", "VisitDetector": "ccdVisitTable",
}  # fmt: skip
ARCSEC = 1 / 3600


@pytest.fixture
def release(testbed: Testbed, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Ingests rows as a small release under a name; the databases go with the test."""
    made: list[str] = []

    def ingest(name: str, rows: Sequence[Row], **more: Any) -> str:
        testbed.ingest(write_release(tmp_path / name, name, rows, **more))
        made.append(name)
        return name

    yield ingest
    for name in made:
        forget(testbed, name)


@pytest.fixture(scope="module", params=["lasting", "new"])
def weeklies(
    request: pytest.FixtureRequest, testbed: Testbed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[DatabaseDifference, WeeklyTruth]]:
    """Two weeklies of 300 objects, and what the generator knows; keys last in one pair, and are counted anew in one."""
    out = tmp_path_factory.mktemp("trees")
    names = []
    for number in (1, 2):
        truth = write_weekly(WeeklyOrder("hsc-gen3", number, 300, columns="few", keys=request.param), out)
        name = f"diff_{request.param}_{number}"
        mapping = {"version": 1, "extends": "hsc-gen3", "database": name, "input": str(out / truth.tree)}
        (out / f"{name}.yaml").write_text(yaml.safe_dump(mapping))
        testbed.ingest(out / f"{name}.yaml")
        names.append(name)
    renamed = {"Object": {new: old for old, new in _changes(truth, "Object").renamed_columns.items()}}
    yield testbed.diff(names[1], names[0], renamed=renamed), truth
    for name in names:
        forget(testbed, name)


def _changes(truth: WeeklyTruth, table: str) -> Changes:
    found = truth.dataset_types[TABLES[table]].changes
    assert found is not None
    return found


def _table(found: DatabaseDifference, name: str) -> TableDifference:
    return next(table for table in found.tables if table.table == name)


def _objects(found: DatabaseDifference, name: str = "Object") -> Objects:
    objects = _table(found, name).objects
    assert objects is not None
    return objects


def test_objects_are_lost_new_split_and_merged_as_the_generator_knows(
    weeklies: tuple[DatabaseDifference, WeeklyTruth],
) -> None:
    """By number and by key, whether keys last or are counted anew; rows of sources and visits, too."""
    found, truth = weeklies
    for name in ("Object", "Source", "Visit", "VisitDetector"):
        objects, known = _objects(found, name), _changes(truth, name)
        assert (objects.matched, objects.lost, objects.new) == (known.matched, len(known.lost), len(known.new))
    objects, known = _objects(found), _changes(truth, "Object")
    assert (objects.lost_keys, objects.new_keys) == (sorted(known.lost), sorted(known.new))
    assert [(s.old, s.new) for s in objects.splits] == sorted((s.old[0], sorted(s.new)) for s in known.split)
    assert [(m.new, m.old) for m in objects.merges] == sorted((m.new[0], sorted(m.old)) for m in known.merged)
    assert known.split
    assert known.merged


def test_columns_changed_as_the_generator_knows(weeklies: tuple[DatabaseDifference, WeeklyTruth]) -> None:
    """Shares, NULLs, medians, MADs and largest differences of all columns; added, removed, renamed, retyped ones."""
    found, truth = weeklies
    table, known = _table(found, "Object"), _changes(truth, "Object")
    assert (table.columns_added, table.columns_removed) == (known.added_columns, known.removed_columns)
    assert {c.old_name: c.name for c in table.columns if c.name != c.old_name} == known.renamed_columns
    assert {c.name for c in table.columns if c.type_new != c.type_old} == set(known.retyped_columns)
    for name in ("Object", "Source", "VisitDetector"):
        changes = _changes(truth, name).columns
        for column in _table(found, name).columns:
            if column.name in changes:
                assert _numbers(column, column.is_number) == _known(changes[column.name], column.is_number), column.name


def _numbers(column: Any, is_number: bool) -> tuple[Any, ...]:
    counts = (column.rows, column.equal, column.nulls_old, column.nulls_new)
    largest = abs(column.largest[0].difference) if column.largest else None
    return (*counts, column.compared, column.median, column.mad, largest) if is_number else counts


def _known(column: ColumnChange, is_number: bool) -> tuple[Any, ...]:
    counts = (column.rows, column.equal, column.missing_before, column.missing_after)
    largest = None if column.largest_difference is None else abs(column.largest_difference)
    more = (column.compared, column.median_difference, column.mad_difference, largest)
    return (*counts, *more) if is_number else counts


def test_rows_of_tracts_are_counted(weeklies: tuple[DatabaseDifference, WeeklyTruth]) -> None:
    """Tracts whose number of rows changed, with both numbers."""
    found, truth = weeklies
    grouping = next(one for one in _table(found, "Object").groupings if one.columns == ["tract"])
    now, before = truth.dataset_types[TABLES["Object"]].rows_of_tract, _changes(truth, "Object").rows_of_tract
    changed = {str(tract): (before.get(tract, 0), now.get(tract, 0)) for tract in {*now, *before}}
    assert {one.group: (one.old, one.new) for one in grouping.most_changed} == {
        tract: rows for tract, rows in changed.items() if rows[0] != rows[1]
    }


def test_bounds_of_memory_change_no_number(
    weeklies: tuple[DatabaseDifference, WeeklyTruth], testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys in partitions of 50, zones of 40 rows, 30 rows compared together, medians digit by digit: the same bytes."""
    found, _ = weeklies
    monkeypatch.setattr(compare_table, "PARTITION_ROWS", 50)
    monkeypatch.setattr(compare_table, "ZONE_ROWS", 40)
    monkeypatch.setattr(compare_rows, "FEWEST_ROWS", 30)
    monkeypatch.setattr(compare_rows, "VALUES_AT_ONCE", 1)
    monkeypatch.setattr(exact_median, "IN_MEMORY", 8)
    renamed = {"Object": {c.name: c.old_name for c in _table(found, "Object").columns if c.name != c.old_name}}
    tables = ["Object", "VisitDetector"]
    again = testbed.diff(found.new.database, found.old.database, renamed=renamed, tables=tables)
    assert [one.model_dump_json() for one in again.tables] == [_table(found, name).model_dump_json() for name in tables]


@pytest.mark.parametrize("engine", ["MyISAM", "InnoDB"])
def test_equal_rows_are_equal_whatever_their_striping_and_engine(
    testbed: Testbed, release: Callable[..., str], engine: str
) -> None:
    """With itself, and under other stripes, matched by key and by position; keys of text in another character set;
    twice the same bytes."""
    more = {"striping": OTHER_STRIPING, "engine": engine, "bands": "varchar(2) character set utf8mb4"}
    one, other = release("diff_a", EDGES), release("diff_b", EDGES[::-1], **more)
    for new, old, match in ((one, one, "auto"), (other, one, "key"), (one, other, "position")):
        found = testbed.diff(new, old, match=match)  # type: ignore[arg-type]
        assert _objects(found).matched == len(EDGES)
        assert all(column.equal == len(EDGES) for column in _table(found, "Object").columns)
        assert _objects(found, "Band").matched == 2
        assert found.model_dump_json() == testbed.diff(new, old, match=match).model_dump_json()  # type: ignore[arg-type]
    assert testbed.diff(one, one).is_equal


def test_databases_are_named_by_alias(testbed: Testbed, release: Callable[..., str]) -> None:
    """The difference says the name that was asked for."""
    release("diff_aliased", EDGES)
    testbed.alias("diff_latest", "diff_aliased")
    found = testbed.diff("diff_latest", "diff_aliased")
    testbed.remove_alias("diff_latest")
    assert found.is_equal
    assert (found.new.database, found.old.database) == ("diff_latest", "diff_aliased")


def test_rows_that_moved_are_found_across_edges(testbed: Testbed, release: Callable[..., str]) -> None:
    """Each row moves 0.3 arcseconds south or, across 0, west, and all keys are counted anew: all are matched."""
    moved = [(10 * key, ra, dec - 0.3 * ARCSEC, flux, name) for key, ra, dec, flux, name in EDGES[1:3] + EDGES[4:]]
    moved += [(10, 359.99995, 0.0, 1.0, "a"), (40, 20.0, -90.0, 4.0, "d")]
    found = testbed.diff(release("diff_moved", moved), release("diff_old", EDGES, striping=OTHER_STRIPING))
    objects = _objects(found)
    assert (objects.matched, objects.matched_by_position, objects.lost, objects.new) == (6, 6, 0, 0)
    flux = next(column for column in _table(found, "Object").columns if column.name == "flux")
    assert (flux.equal, flux.nulls_old, flux.nulls_new) == (6, 1, 1)


def test_doubled_keys_are_counted_and_their_copies_matched(testbed: Testbed, release: Callable[..., str]) -> None:
    """Key 5 comes three times before and twice now: two are matched, one copy is gone, nothing is lost."""
    copies = [(5, 45.0, 2.0, float(n), "x") for n in range(3)]
    rows = [row for row in EDGES if row[0] != 5]
    old = release("diff_copies", rows + copies, unique_key=False)
    found = testbed.diff(release("diff_fewer", rows + copies[:2], unique_key=False), old)
    objects = _objects(found)
    assert (objects.matched, objects.lost, objects.copies_lost, objects.copies_new) == (7, 0, 1, 0)
    assert (objects.duplicates_old, objects.duplicates_new) == (2, 1)


def test_a_release_without_rows_has_lost_them_all(testbed: Testbed, release: Callable[..., str]) -> None:
    """And the other way round all are new; two empty ones are equal."""
    full, empty = release("diff_full", EDGES), release("diff_empty", [])
    assert (_objects(testbed.diff(empty, full)).lost, _objects(testbed.diff(full, empty)).new) == (6, 6)
    assert testbed.diff(empty, empty).is_equal


def test_thresholds_decide_about_the_exit_code(testbed: Testbed, release: Callable[..., str], tmp_path: Path) -> None:
    """One lost row of six, fluxes of two of five rows doubled: each threshold that is not kept is named, and exit 1."""
    changed = [(k, ra, dec, flux * 2 if flux and k >= 5 else flux, name) for k, ra, dec, flux, name in EDGES[1:]]
    words = [release("diff_new", changed), release("diff_before", EDGES), "--cluster", str(testbed.cluster.folder)]
    limits = tmp_path / "limits.yaml"
    run = CliRunner()
    columns = {"flux": {"equal_share": 0.7}, "n*": {"equal_share": 1.0}}
    limits.write_text(yaml.safe_dump({"version": 1, "tables": {"Object": {"lost_share": 0.1, "columns": columns}}}))
    out = ["--thresholds", str(limits), "--out", str(tmp_path / "page")]
    found = run.invoke(app, ["diff", *words, *out])
    assert found.exit_code == 1, found.output
    assert "Object: lost_share is 0.166667, more than 0.1" in found.stdout
    assert "Object.flux: equal_share is 0.6, less than 0.7" in found.stdout
    kept = json.loads((tmp_path / "page" / "diff.json").read_text())
    assert [one["what"] for one in kept["violations"]] == ["lost_share", "equal_share"]
    assert "lost_share is 0.166667" in (tmp_path / "page" / "diff.html").read_text()
    limits.write_text(yaml.safe_dump({"version": 1, "tables": {"Object": {"lost_share": 0.2}}}))
    assert run.invoke(app, ["diff", *words, *out]).exit_code == 0


def test_what_cannot_be_compared_is_refused_in_one_line(testbed: Testbed, release: Callable[..., str]) -> None:
    """An unknown database or table, a radius of nothing, a renaming of nothing; and nothing is left on disk."""
    name, staging = release("diff_one", EDGES), testbed.cluster.folder / "staging"
    before = set(staging.iterdir())
    for asked in (
        {"new": "nope"},
        {"tables": ["Nope"]},
        {"radius_arcsec": 0.0},
        {"radius_arcsec": 3600.0},
        {"renamed": {"Object": {"nope": "flux"}}},
        {"renamed": {"Nope": {"a": "b"}}},
    ):
        with pytest.raises(UserError) as error:
            testbed.diff(**({"new": name, "old": name} | asked))
        assert "\n" not in str(error.value)
    assert set(staging.iterdir()) == before
