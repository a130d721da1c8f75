"""Rows say which file and row of the input they are, and `where-from` says it for people."""

from __future__ import annotations

import json
import os
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.support.same_answer import rows_in
from tests.support.stepping import Stopped, stop_at
from tests.support.tract_files import RUN, TractFiles, first_files, second_state
from typer.testing import CliRunner

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.ingest.sources import parquet_files
from skyshard.releases.origin.where_from import CountRows, where_from
from skyshard.testbed import Testbed


@pytest.fixture
def files(tmp_path: Path) -> TractFiles:
    return first_files(tmp_path)


def numbers(testbed: Testbed, database: str, table: str, key: str) -> dict[int, tuple[int, int]]:
    """Key → number of the file and of the row."""
    sql = f"SELECT {key}, ingestFile, ingestRow FROM {table}"
    return {row[0]: (row[1], row[2]) for row in rows_in(testbed.query(sql, database=database).table)}


@pytest.mark.parametrize("text", [False, True], ids=["parquet", "text"])
def test_rows_have_the_numbers_of_their_file_and_row(testbed: Testbed, tmp_path: Path, text: bool) -> None:
    """By table, files are numbered in the order of their paths; rows count from 1; overlap copies have the same."""
    files = first_files(tmp_path, text=text)
    testbed.ingest(files.mapping)
    assert numbers(testbed, files.database, "Object", "objectId") == {
        1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (1, 4), 11: (2, 1), 12: (2, 2)}  # fmt: skip
    assert numbers(testbed, files.database, "Visit", "visit") == {1: (5, 1), 2: (5, 2), 3: (6, 1)}
    known = testbed.registry.input_files.all(files.database)
    assert [(file.number, file.rows) for file in known] == [(1, 4), (2, 2), (3, 5), (4, 3), (5, 2), (6, 1)]
    assert {(file.run, file.weekly, file.ticket) for file in known} == {(RUN, "w_2026_24", "DM-54321")}


def test_row_groups_of_a_large_file(testbed: Testbed, files: TractFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is read in several slices has one number, one digest, and rows numbered through; what its rows are
    asked for by `where` does not change their numbers. Given again it is known, all of it."""
    monkeypatch.setattr(parquet_files.parquet_slices, "__defaults__", (200,))
    rows = [(100 + i, 10.0 + 0.001 * i, 5.0, float(i)) for i in range(900)]
    files.write("Object", 1, rows, group_rows=100)
    text = files.mapping.read_text().replace("role: director", "role: director\n    where: objectId <> 500")
    files.mapping.write_text(text)
    assert len(testbed.plan(files.mapping).tables[0].source.slices) > 5
    testbed.ingest(files.mapping)
    found = numbers(testbed, files.database, "Object", "objectId")
    assert {key: found[key] for key in range(100, 1000) if key != 500} == {
        100 + i: (1, i + 1) for i in range(900) if i != 400}  # fmt: skip
    first = testbed.registry.input_files.all(files.database)[0]
    assert (first.rows, first.bytes) == (899, files.path("Object", 1).stat().st_size)
    assert testbed.ingest(files.mapping).transaction == 0
    plain = TractFiles(files.folder / "copy", f"{files.database}c")
    plain.write("Object", 1, rows, group_rows=100)
    monkeypatch.undo()
    testbed.ingest(plain.mapping)
    assert testbed.registry.input_files.all(plain.database)[0].digest == first.digest


def test_row_groups_of_a_large_file_without_provenance(
    testbed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is read in several slices is one, with all its rows."""
    monkeypatch.setattr(parquet_files.parquet_slices, "__defaults__", (200,))
    files = TractFiles(tmp_path, f"x{uuid.uuid4().hex[:10]}", provenance=False, tables=("Visit",))
    files.write("Visit", 1, [(number, "g") for number in range(90)], group_rows=10)
    files.write("Visit", 2, [(100, "g")])
    testbed.ingest(files.mapping)
    assert testbed.ingest(files.mapping).transaction == 0
    assert [(Path(file.path), file.rows) for file in testbed.input_files(files.database)] == [
        (files.path("Visit", 1), 90), (files.path("Visit", 2), 1)]  # fmt: skip


def test_a_resumed_ingest_makes_the_same_rows(testbed: Testbed, files: TractFiles) -> None:
    """Numbers are recorded before rows are made: a run that goes on gives the same, and there is nothing new then."""
    testbed.ingest(files.mapping, database=f"{files.database}u")
    for stage in ("partition Object", "load", "publish"):
        with pytest.raises(Stopped):
            testbed.ingest(files.mapping, watcher=stop_at(stage))
    testbed.ingest(files.mapping)
    for table, key in (("Object", "objectId"), ("Source", "sourceId"), ("Visit", "visit")):
        assert numbers(testbed, files.database, table, key) == numbers(testbed, f"{files.database}u", table, key)
    assert testbed.ingest(files.mapping).transaction == 0
    assert len(testbed.registry.input_files.all(files.database)) == 6


def test_what_the_mapping_says_goes_before_paths(testbed: Testbed, tmp_path: Path) -> None:
    """Run, weekly and ticket of the mapping; the dataset stays the path's."""
    said = {"run": "mine", "weekly": "w_2025_01", "ticket": "DM-1"}
    files = TractFiles(tmp_path, f"x{uuid.uuid4().hex[:10]}", provenance=said, tables=("Visit",))
    files.write("Visit", 7, [(1, "g")])
    testbed.ingest(files.mapping)
    (file,) = testbed.registry.input_files.all(files.database)
    assert (file.run, file.weekly, file.ticket, file.tract) == ("mine", "w_2025_01", "DM-1", "7")
    assert file.dataset == "visitTable_tract tract 7 skymap hsc_rings_v1"


def test_files_are_known_from_any_folder(testbed: Testbed, files: TractFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of a mapping, given in two folders, means the same files."""
    monkeypatch.chdir(files.folder)
    testbed.ingest(files.mapping.name)
    path = files.write("Visit", 1, [(1, "y")])
    monkeypatch.chdir(files.folder.parent)
    mapping = f"{files.folder.name}/{files.mapping.name}"
    with pytest.raises(UserError, match=r"has changed since it was ingested .* --replace"):
        testbed.ingest(mapping)
    testbed.ingest(mapping, replace=[os.path.relpath(path)])
    assert {file.path for file in testbed.input_files(files.database) if file.replaced_by} == {str(path)}


def origins(testbed: Testbed, files: TractFiles, table: str, key: str) -> list[Any]:
    """Path, row and transaction of each row."""
    found = testbed.where_from(files.database, table, key)
    return [(one.file.path if one.file else one.candidates, one.row, one.transactions) for one in found.rows]


def test_where_rows_are_from(testbed: Testbed, files: TractFiles) -> None:
    """Of a director, with its copies in overlap tables counted once; of dependents by their own key and by that of
    their director; of a regular table; after a file was replaced, and after a compaction."""
    first = testbed.ingest(files.mapping).transaction
    one, two = str(files.path("Source", 1)), str(files.path("Source", 2))
    assert origins(testbed, files, "Object", "11") == [(str(files.path("Object", 2)), 1, (first,))]
    assert origins(testbed, files, "Source", "103") == [(one, 3, (first,))]
    assert origins(testbed, files, "Source", "3") == [(one, 3, (first,)), (one, 5, (first,))]
    assert origins(testbed, files, "Source", "sourceId=203, objectId=99") == [(two, 3, (first,))]
    assert origins(testbed, files, "Visit", "3") == [(str(files.path("Visit", 2)), 1, (first,))]
    assert origins(testbed, files, "Source", "77") == []
    second_state(files)
    second = testbed.ingest(files.mapping, replace=["1"]).transaction
    testbed.compact(files.database, grace_s=0.0)
    assert origins(testbed, files, "Source", "105") == [(one, 3, (second,))]
    assert origins(testbed, files, "Source", "106") == []
    assert origins(testbed, files, "Source", "203") == [(two, 3, (first,))]
    for key, words in (("x", "is no value of column"), ("1,2", "no key of 2 columns"), ("nix=1", "no column 'nix'")):
        with pytest.raises(UserError, match=words):
            testbed.where_from(files.database, "Source", key)
    with pytest.raises(UserError, match="no table 'Nix'"):
        testbed.where_from(files.database, "Nix", "1")


def test_where_rows_may_be_from_without_provenance(
    private_cluster: PrivateCluster, testbed: Testbed, tmp_path: Path
) -> None:
    """The files of the transaction that the row's part is of; those of all that a compaction has merged."""
    files = first_files(tmp_path, provenance=False)
    first = testbed.ingest(files.mapping, replicas=2).transaction
    files.write("Object", 3, [(31, 10.05, 5.05, 1.0)])
    second = testbed.ingest(files.mapping).transaction
    one, two, three = (str(files.path("Object", tract)) for tract in (1, 2, 3))
    assert origins(testbed, files, "Object", "31") == [((three,), None, (second,))]
    assert origins(testbed, files, "Object", "1") == [((one, two), None, (first,))]
    assert origins(testbed, files, "Object", "12") == [((two,), None, (first,))]
    code, text = run(private_cluster, "where-from", files.database, "Object", "12")
    assert (code, text.splitlines()[1], text.splitlines()[3:]) == (0, f"{UNSAID}; they may be from:", [f"    {two}"])
    assert run(private_cluster, "where-from", files.database, "Object", "77") == (
        1, f"{files.database}.Object, objectId 77: 0 rows\n{UNSAID}\n"
    )  # fmt: skip
    for node in testbed.nodes:
        found = where_from(
            testbed.registry, partial(asked, testbed), without(node, testbed), files.database, "Object", "1"
        )
        assert [row.candidates for row in found.rows] == [(one, two)], f"{node} does not answer"
    testbed.compact(files.database, grace_s=0.0)
    assert origins(testbed, files, "Object", "31") == [((one, two, three), None, (first, second))]
    assert origins(testbed, files, "Visit", "1") == [
        ((str(files.path("Visit", 1)), str(files.path("Visit", 2))), None, (first,))
    ]


def asked(testbed: Testbed, database: str, sql: str) -> pa.Table:
    return testbed.query(sql, database=database).table


def without(down: str, testbed: Testbed) -> CountRows:
    """Counts rows on all nodes but one, which does not answer."""

    def count(node: str, database: str, sql: str, /) -> int:
        if node == down:
            raise ClusterError(f"node '{node}' does not answer", remedy="start it")
        with connect(testbed.cluster.endpoint(node), Account.READER, database) as connection:
            return int(connection.value(sql))

    return count


def test_a_table_with_such_a_column_is_refused(testbed: Testbed, files: TractFiles) -> None:
    """Provenance does not take the place of a column that the input has."""
    text = files.mapping.read_text().replace("name: flux", "name: IngestRow")
    files.mapping.write_text(text.replace("role: director", "role: director\n    columns: {IngestRow: {from: flux}}"))
    with pytest.raises(UserError, match="column 'ingestRow' is one that provenance adds"):
        testbed.plan(files.mapping)


UNSAID = "rows of this table do not say where they are from (no provenance)"


def run(cluster: PrivateCluster, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, [*words, "--cluster", str(cluster.folder)])
    return found.exit_code, found.output


def test_the_commands(private_cluster: PrivateCluster, testbed: Testbed, files: TractFiles) -> None:
    """plan names what was rewritten and what replacing takes; ingest replaces; files and where-from list."""
    mapping = str(files.mapping)
    testbed.ingest(files.mapping)
    assert "rewritten" not in run(private_cluster, "plan", mapping, "--no-survey")[1]
    second_state(files)
    code, text = run(private_cluster, "plan", mapping, "--no-survey")
    assert code == 0
    assert text.count("rewritten since transaction") == 3
    code, text = run(private_cluster, "plan", mapping, "--no-survey", "--replace", "1", "--json")
    cost = json.loads(text)["replacement"]
    assert (code, cost["files"], cost["rows"], cost["index_keys"]) == (0, 3, 11, 6)
    code, text = run(private_cluster, "ingest", mapping, "--replace", "1", "--runtime", "inline")
    assert code == 0
    assert "Source: the rows of 1 file(s) are replaced" in text
    assert run(private_cluster, "plan", mapping, "--no-survey")[1].count("rewritten") == 0
    code, text = run(private_cluster, "where-from", files.database, "Object", "5", "--json")
    (row,) = json.loads(text)["rows"]
    assert (code, row["file"]["path"], row["row"]) == (0, str(files.path("Object", 1)), 4)
    assert run(private_cluster, "where-from", files.database, "Object", "2")[0] == 1
    paths = {str(files.path(table, tract)) for table in ("Object", "Source", "Visit") for tract in (1, 2)}
    assert max(map(len, paths)) > 160
    text = run(private_cluster, "where-from", files.database, "Object", "5")[1]
    assert text.splitlines()[1:3] == [
        f"  {files.path('Object', 1)}", f"    row 4, transaction {row['transactions'][0]}, chunk {row['chunks'][0]}"
    ]  # fmt: skip
    assert {line.split()[-1] for line in run(private_cluster, "files", files.database)[1].splitlines()[1:]} == paths
    assert len(json.loads(run(private_cluster, "files", files.database, "--json")[1])) == 6
    assert len(json.loads(run(private_cluster, "files", files.database, "--all", "--json")[1])) == 9
