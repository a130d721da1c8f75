"""Scans by columns in a running cluster: the same answers as rows, images used only while they are valid."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.depth import how_many
from tests.support.same_answer import difference
from tests.support.small_catalog import write_small_catalog

from skyshard.basics.errors import UserError
from skyshard.basics.scan_way import ScanWay
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.czar.plan.query_plan import INTERACTIVE_CHUNKS
from skyshard.czar.result.answer import QueryResult
from skyshard.scenarios.open_target import open_target
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration
DATABASE = "scanned"
SCANS = (
    "SELECT COUNT(*), AVG(flux), MIN(ra), MAX(decl), STD(flux), SUM(flag) FROM Object WHERE ra > 12.5 AND flag < 2",
    "SELECT flag, COUNT(*), SUM(flux), COUNT(DISTINCT flag) FROM Object WHERE flux IS NOT NULL GROUP BY flag",
    "SELECT objectId, ra, flux FROM Object WHERE decl BETWEEN -6 AND 89 AND NOT flag = 1",
    "! SELECT objectId, flux * 2 FROM Object WHERE name IS NOT NULL ORDER BY flux DESC, objectId LIMIT 7 OFFSET 2",
    "SELECT DISTINCT flag + 1 FROM Object",
    "SELECT COUNT(*) FROM Object WHERE ra > 1000",
    "SELECT flag, COUNT(*), AVG(psfFlux - flux) FROM Object o JOIN Source s ON o.objectId = s.objectId "
    "WHERE psfFlux > 1 GROUP BY flag",
    "SELECT COUNT(*), MAX(psfFlux) FROM Source",
    "SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.0166 "
    "AND a.objectId < b.objectId",
    "SELECT a.objectId, b.flux, scisql_angSep(a.ra, a.decl, b.ra, b.decl), b.flag FROM Object a JOIN Object b "
    "ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) <= 0.01 WHERE a.objectId <> b.objectId",
)
PAIRS = SCANS[-2]


@pytest.fixture(scope="module")
def sky(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """A small catalog with images, in more chunks than are looked up."""
    testbed.ingest(
        write_small_catalog(tmp_path_factory.mktemp("sky"), objects=300, database=DATABASE), database=DATABASE
    )
    testbed.columns.build(DATABASE)
    yield testbed
    testbed.drop(DATABASE)


def answers(testbed: Testbed, statement: str) -> tuple[QueryResult, QueryResult]:
    """By columns and as rows."""
    sql = statement.removeprefix("! ")
    by_columns = testbed.query(sql, database=DATABASE, scan="columns")
    return by_columns, testbed.query(sql, database=DATABASE, scan="rows")


def chunks_by_columns(testbed: Testbed, sql: str) -> tuple[int, int]:
    """Chunks that were read by columns, and all."""
    found = testbed.czar.analyze(sql, DATABASE, scan="columns")
    return found.column_chunks, found.stats.chunks


def differences(testbed: Testbed) -> list[str]:
    wrong = []
    for statement in SCANS:
        got, want = answers(testbed, statement)
        found = difference(got, want, is_ordered=statement.startswith("! "))
        wrong += [f"{found}: {statement}"] if found else []
    return wrong


def test_few_rows_are_merged_in_one_round_trip(sky: Testbed) -> None:
    """Of a plan that is kept: whatever ways there are to bring them, and however many were expected."""
    ways: list[tuple[str, ScanWay]] = [(SCANS[0], "columns"), (SCANS[0], "rows"), (SCANS[1], "columns")]
    for sql, scan in [*ways, (SCANS[3][2:], "columns")]:
        sky.query(sql, database=DATABASE, scan=scan)
        before = _merging_trips(sky)
        sky.query(sql, database=DATABASE, scan=scan)
        assert _merging_trips(sky) - before == 2, f"with the one that asks for their number: {sql}"


def _merging_trips(testbed: Testbed) -> int:
    """Round trips so far of the session that the czar merges in."""
    count = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'QUESTIONS'"
    with testbed.czar._sessions.lease("test") as connection:
        return int(connection.value(count))


def segments(testbed: Testbed, table: str, kind: str = "rows") -> list[Path]:
    stored = testbed.registry.published.names().stored(DATABASE)
    return [
        path
        for node in testbed.nodes
        for path in SegmentFolder.of(testbed.cluster.data_dir(node), stored).files(table)
        if path.name.startswith(kind)
    ]


def test_columns_answer_as_rows_do(sky: Testbed) -> None:
    """Names, types and rows are the same, and all chunks were read by columns."""
    assert differences(sky) == []
    for statement in SCANS:
        by_columns, chunks = chunks_by_columns(sky, statement.removeprefix("! "))
        assert by_columns == (chunks if chunks > INTERACTIVE_CHUNKS else 0), statement


@pytest.mark.parametrize(
    ("sql", "scan", "words"),
    [
        ("SELECT AVG(flux) FROM Object", "columns", "chunks by columns: SELECT sum("),
        ("SELECT AVG(flux) FROM Object", "auto", "as rows: fewer than 100,000 rows are read"),
        ("SELECT AVG(flux) FROM Object", "rows", "as rows: it was asked so"),
        (PAIRS, "columns", "chunks by columns: pairs within 59.76 arcseconds are counted from positions"),
        (PAIRS, "auto", "as rows: pairs are found by the nodes: fewer than 50,000 rows are read"),
        (PAIRS, "rows", "as rows: pairs are found by the nodes: it was asked so"),
        (f"{PAIRS} AND a.flux < b.flux", "columns", "as rows: pairs are found by the nodes: a condition compares"),
        ("SELECT name FROM Object", "columns", "as rows: a column that is no number"),
        ("SELECT COUNT(*) FROM Object WHERE LOG10(ra) > 1", "columns", "as rows: the function LOG10"),
        ("SELECT flux FROM Object WHERE objectId = 400000000000017", "columns", "as rows: keys are looked up"),
    ],
)
def test_explain_says_how_and_why_not(sky: Testbed, sql: str, scan: ScanWay, words: str) -> None:
    """Of each way, and of each obstacle."""
    assert words in sky.explain(sql, database=DATABASE, scan=scan).as_text()


def test_a_missing_image_is_read_as_rows(sky: Testbed) -> None:
    """Chunks whose images are gone come as rows, the others by columns; the answers stay the same."""
    path, *_ = segments(sky, "Object")
    kept = path.read_bytes()
    path.unlink()
    try:
        by_columns, chunks = chunks_by_columns(sky, SCANS[0])
        assert 0 <= by_columns < chunks
        assert differences(sky) == []
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("kind", ["rows", "overlap"])
@pytest.mark.parametrize("statement", SCANS[-2:])
def test_pairs_of_a_missing_or_damaged_image_come_from_the_nodes(sky: Testbed, statement: str, kind: str) -> None:
    """An image that is gone, and one that is cut: the nodes give the positions of these units; pairs are the same."""
    path, *_ = segments(sky, "Object", kind)
    kept = path.read_bytes()
    want = sky.query(statement, database=DATABASE, scan="rows")
    assert want.rows > 0
    for left in (b"", kept[: len(kept) // 2], kept[:-100]):
        path.unlink()
        if left:
            path.write_bytes(left)
        try:
            by_columns, chunks = chunks_by_columns(sky, statement)
            assert by_columns < chunks
            assert difference(sky.query(statement, database=DATABASE, scan="columns"), want, is_ordered=False) == ""
        finally:
            path.write_bytes(kept)


def test_a_sum_beyond_double_is_the_servers(sky: Testbed) -> None:
    """Where a computed DOUBLE is too large, the server answers: with its error."""
    sql = "SELECT COUNT(*) FROM Object WHERE (ra + 1) * 1e300 * 1e300 > decl"
    ways: tuple[ScanWay, ...] = ("columns", "rows")
    for scan in ways:
        with pytest.raises(Exception, match="out of range"):
            sky.query(sql, database=DATABASE, scan=scan)


def test_both_ways_are_compared(sky: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With SKYSHARD_BOTH columns and rows answer; a difference would be an error."""
    monkeypatch.setenv("SKYSHARD_BOTH", "1")
    got = sky.query(SCANS[0], database=DATABASE, scan="columns").table
    monkeypatch.delenv("SKYSHARD_BOTH")
    assert isinstance(got, pa.Table)
    assert got.equals(sky.query(SCANS[0], database=DATABASE, scan="columns").table)


@pytest.mark.parametrize("spec", ["czar:rows", "czar:columns"])
def test_targets_of_the_bench_say_how_they_scan(sky: Testbed, spec: str) -> None:
    """By their names; their answers are the same, and each has a trial folder of its own."""
    sql, target = "SELECT COUNT(*) FROM Object WHERE flux IS NOT NULL", open_target(spec, sky.cluster.folder)
    try:
        answer = target.run(sql, DATABASE)
        assert target.name == spec.replace(":", "-")
    finally:
        target.close()
    assert answer.table.column(0).to_pylist() == sky.query(sql, database=DATABASE).table.column(0).to_pylist()


def test_the_history_says_how_much_was_read_of_columns(sky: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of statements answered at once, and of submitted ones; as rows it is nothing."""
    sql = "SELECT COUNT(*), MAX(flux) /* {} */ FROM Object WHERE ra > 0"
    read = {}
    ways: tuple[ScanWay, ...] = ("columns", "rows")
    for way in ways:
        with sky.czar.open(sql.format(way), DATABASE, scan=way) as answer:
            answer.table()
        read[way] = answer.running.column_bytes
        assert answer.stats().column_bytes == read[way]
    assert read["columns"] > 0 == read["rows"]
    deadline = time.monotonic() + 30
    while len(noted := sky.registry.history.find(9, text="MAX(flux) /* ", database=DATABASE)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {("columns" in row["statement"], row["column_bytes"]) for row in noted} == {
        (True, read["columns"]),
        (False, 0),
    }
    number = sky.submitted.submit(sql.format("later"), DATABASE)
    monkeypatch.setattr(sky.czar, "scan", "columns")  # so few rows are read as rows by themselves
    sky.submitted.run(number, sky.czar)
    assert sky.submitted.status(number).column_bytes == read["columns"]


FIELDS = ("o.objectId", "o.ra", "o.decl", "o.flux", "o.flag")
SPREAD = ("o.ra", "o.flux", "o.flag")
"""Of which a spread can be told: that of keys, a millionth of a millionth of them, has few digits in any order."""
JOINED = (*FIELDS, "s.sourceId", "s.psfFlux")


def drawn_statement(draw: random.Random) -> str:
    """A statement over objects, or over these and their sources."""
    is_join = draw.random() < 0.3
    fields = JOINED if is_join else FIELDS
    source = "Object o" + " JOIN Source s ON o.objectId = s.objectId" * is_join

    def value() -> str:
        one, other = draw.choice(fields), draw.choice(fields)
        return draw.choice((one, one, one, f"ABS({one})", f"({one} - {other})", f"COALESCE(o.flux, {one})", f"-{one}"))

    def term() -> str:
        limit = draw.choice(("0", "1", "12.5", "30", "2e2", "NULL"))
        sign = draw.choice(("<", ">=", "<>", "<=>"))
        return draw.choice((f"{value()} {sign} {limit}", f"{value()} IS NOT NULL", f"o.flag IN (0, {limit})",
                            f"NOT {value()} BETWEEN -5 AND {limit}"))  # fmt: skip

    terms = [draw.choice((term(), f"({term()} OR {term()})")) for _ in range(draw.randint(0, 2))]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    aggregates = [f"{draw.choice(('SUM', 'AVG', 'MIN', 'MAX', 'COUNT'))}({value()})" for _ in range(2)]
    aggregates[0] = draw.choice((aggregates[0], f"STD({draw.choice(SPREAD)})"))
    kind = draw.randint(0, 3)
    if kind == 0:
        order = f" ORDER BY {', '.join(fields)} LIMIT {draw.randint(1, 30)}" * draw.randint(0, 1)
        return f"SELECT {', '.join(fields)}, {value()} FROM {source}{where}{order}"
    if kind == 1:
        return f"SELECT {', '.join(aggregates)}, COUNT(*) FROM {source}{where}"
    group = draw.choice(("o.flag", "o.flag + 1", "o.objectId % 7", "o.flux"))
    if kind == 2:
        return f"SELECT {group}, {', '.join(aggregates)} FROM {source}{where} GROUP BY {group}"
    return f"SELECT DISTINCT {group}, o.flag FROM {source}{where}"


def test_drawn_statements_have_one_answer(sky: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is answered by columns and as rows, and the two are compared (``SKYSHARD_STATEMENTS`` of them); where both
    raise an error, that is the same."""
    monkeypatch.setenv("SKYSHARD_BOTH", "1")
    draw, by_columns = random.Random(int(os.environ.get("SKYSHARD_SEED", "1"))), 0
    count = how_many("SKYSHARD_STATEMENTS", 40)
    for _ in range(count):
        sql = drawn_statement(draw)
        try:
            with sky.czar.open(sql, DATABASE, scan="columns") as answer:
                answer.table()
            by_columns += answer.running.column_chunks > 0
        except UserError as error:
            with pytest.raises(type(error)):
                sky.query(sql, database=DATABASE, scan="rows")
    assert by_columns > count / 2
