"""Statements of chunks and their merge, run by another engine, give what the statement gives over all rows at once."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from tests.support.four_chunks import CHUNKS, Source
from tests.support.planned import plan_of

from skyshard.chunking.chunker import Chunker
from skyshard.chunking.sphere import ang_sep
from skyshard.czar.plan.chunk_statements import MOST_ROWS, limit_of, over_items
from skyshard.czar.plan.query_plan import Kind
from skyshard.czar.sql.dialect import parse_expression, render

CHUNKER = Chunker(18, 6, 0.1)
Answer = list[tuple[object, ...]]


class FourChunks:
    """Rows of Object and Source in their chunk tables, and under their plain names all together; in SQLite."""

    def __init__(self, seed: int = 4) -> None:
        self.engine = sqlite3.connect(":memory:")
        for name in ("sin", "cos", "asin", "degrees", "sqrt"):
            self.engine.create_function(name, 1, getattr(math, name), deterministic=True)
        self.engine.create_function("pow", 2, math.pow, deterministic=True)
        self.engine.create_function("least", 2, min, deterministic=True)
        self.engine.create_function("if", 3, lambda is_so, yes, no: yes if is_so else no, deterministic=True)
        self.engine.create_function("scisql_angSep", 4, lambda *at: float(ang_sep(*at)), deterministic=True)
        self.engine.execute("ATTACH ':memory:' AS sky")
        self._place(*_positions(np.random.default_rng(seed)))

    def _place(self, ra: np.ndarray, decl: np.ndarray) -> None:
        chunks, sub_chunks = CHUNKER.locate(ra, decl)
        copies = CHUNKER.overlap_copies(ra, decl)
        rows = [
            (number, *at, None if number % 7 == 0 else (number * 37 % 60) / 4, number % 3, chunk, sub_chunk)
            for number, (*at, chunk, sub_chunk) in enumerate(
                zip(*(one.tolist() for one in (ra, decl, chunks, sub_chunks)), strict=True)
            )
        ]
        copied = [
            (*rows[row][:5], chunk, sub)
            for row, chunk, sub in zip(*(one.tolist() for one in copies), strict=True)
            if chunk in CHUNKS
        ]
        object_columns = "objectId, ra REAL, decl REAL, mag REAL, kind, chunkId, subChunkId"
        sources = [
            (10 * row[0] + epoch, row[0], row[1], row[2], epoch / 8, row[5], row[6])
            for row in rows
            for epoch in range(row[0] % 4)
        ]
        source_columns = "sourceId, objectId, raObject REAL, declObject REAL, t REAL, chunkId, subChunkId"
        self._fill("Object", object_columns, rows)
        self._fill("Source", source_columns, sources)
        for chunk in CHUNKS:
            self._fill(f"Object_{chunk}", object_columns, [row for row in rows if row[5] == chunk])
            self._fill(f"ObjectFullOverlap_{chunk}", object_columns, [row for row in copied if row[5] == chunk])
            self._fill(f"Source_{chunk}", source_columns, [row for row in sources if row[5] == chunk])

    def _fill(self, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
        self.engine.execute(f"CREATE TABLE sky.{table} ({columns})")
        self.engine.executemany(f"INSERT INTO sky.{table} VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def whole(self, sql: str) -> Answer:
        """The statement as it was asked, over all rows."""
        return self.engine.execute(sql).fetchall()

    def by_chunks(self, sql: str) -> Answer:
        """The statement as it is planned: one statement a chunk, then the merge of their rows."""
        plan = plan_of(sql, Source())
        assert plan.kind in (Kind.LOCAL, Kind.AGGREGATE, Kind.NEAR_NEIGHBOUR)
        (pull,) = plan.pulls
        text, found, names = pull.template.written(), [], [""]
        assert pull.chunks is not None
        for chunk in pull.chunks:
            cursor = self.engine.execute(text.of_chunk(chunk))
            names = [column[0] for column in cursor.description]
            found += cursor.fetchall()
        merge = plan.merge_over(["p0"])
        if not merge:
            return found if pull.limit is None else found[: pull.limit]
        self.engine.execute("DROP TABLE IF EXISTS p0")
        self.engine.execute(f"CREATE TABLE p0 ({', '.join(names)})")
        self.engine.executemany(f"INSERT INTO p0 VALUES ({', '.join('?' * len(names))})", found)
        return self.engine.execute(merge.replace("AS SIGNED", "AS INTEGER")).fetchall()


def _positions(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some in the middle of each chunk; pairs on both sides of the edges that chunks have in common."""
    boxes = [CHUNKER.chunk_box(chunk) for chunk in CHUNKS]
    ra = np.concatenate([chance.uniform(box.ra_min, box.ra_max, 40) for box in boxes])
    decl = np.concatenate([chance.uniform(box.dec_min, box.dec_max, 40) for box in boxes])
    edge_ra, edge_decl = boxes[0].ra_max, boxes[1].dec_max
    along = chance.uniform(boxes[0].dec_min + 0.2, edge_decl - 0.2, 12)
    beside = chance.uniform(boxes[2].ra_min + 0.2, boxes[1].ra_max - 0.2, 12)
    step = chance.uniform(0.001, 0.04, 12)
    ra = np.concatenate([ra, edge_ra - step, edge_ra + step, beside, beside])
    decl = np.concatenate([decl, along, along, edge_decl - step, edge_decl + step])
    return ra, decl


@pytest.fixture(scope="module")
def sky() -> Iterator[FourChunks]:
    made = FourChunks()
    yield made
    made.engine.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT objectId, mag FROM Object WHERE mag > 3",
        "SELECT DISTINCT kind FROM Object",
        "SELECT DISTINCT kind, mag FROM Object WHERE mag < 5",
        "SELECT COUNT(*), COUNT(mag), MIN(ra), MAX(decl) FROM Object WHERE mag >= 0 OR kind = 1",
        "SELECT kind, COUNT(*), SUM(mag), AVG(mag) FROM Object GROUP BY kind",
        "SELECT kind + 1, MAX(mag) - MIN(mag) FROM Object GROUP BY kind + 1 HAVING kind + 1 > 1 AND COUNT(*) > 3",
        "SELECT COUNT(DISTINCT mag), COUNT(DISTINCT kind), SUM(mag) FROM Object",
        "SELECT kind, COUNT(DISTINCT mag) FROM Object WHERE mag > 2 GROUP BY kind",
        "SELECT mag m, COUNT(*) n FROM Object GROUP BY m HAVING n > 2",
        "SELECT COUNT(*) FROM Object WHERE mag > 99",
        "SELECT MAX(mag) FROM Object WHERE mag > 99",
        "SELECT kind, COUNT(*) FROM Object WHERE mag > 99 GROUP BY kind",
        "SELECT o.kind, s.t FROM Object o JOIN Source s ON o.objectId = s.objectId WHERE o.mag > 2",
        "SELECT o.objectId, s.t FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId AND s.t > 0.2",
        "SELECT kind, COUNT(t), MAX(t) FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId GROUP BY kind",
        "SELECT mag FROM Object o WHERE EXISTS (SELECT 1 FROM Source s WHERE s.objectId = o.objectId AND t > 0.2)",
    ],
)
def test_chunks_together_give_the_whole_answer(sky: FourChunks, sql: str) -> None:
    """Rows of one step, aggregates of two: each row is in one chunk, each group in several."""
    assert sorted(sky.by_chunks(sql), key=repr) == sorted(sky.whole(sql), key=repr)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT objectId FROM Object ORDER BY ra LIMIT 7",
        "SELECT objectId, ra FROM Object WHERE mag > 2 ORDER BY ra DESC LIMIT 5 OFFSET 9",
        "SELECT kind FROM Object ORDER BY decl, ra",
        "SELECT kind, SUM(mag) FROM Object GROUP BY kind ORDER BY SUM(mag) DESC",
        "SELECT mag, COUNT(*) FROM Object GROUP BY mag ORDER BY 2 DESC, mag LIMIT 4 OFFSET 1",
        "SELECT DISTINCT mag FROM Object ORDER BY mag LIMIT 6 OFFSET 2",
        "SELECT objectId FROM Object ORDER BY ra LIMIT 3 OFFSET 999",
        "SELECT objectId FROM Object ORDER BY ra LIMIT 0",
    ],
)
def test_order_and_limit_are_of_all_chunks_together(sky: FourChunks, sql: str) -> None:
    """The first rows of each chunk are enough for the first of all, also behind an OFFSET."""
    assert sky.by_chunks(sql) == sky.whole(sql)


@pytest.mark.parametrize(
    "radius_deg", [pytest.param(0.02, marks=pytest.mark.deep), pytest.param(0.05, marks=pytest.mark.deep), 0.099]
)
def test_pairs_across_the_edges_of_chunks_are_found_once(sky: FourChunks, radius_deg: float) -> None:
    """Neighbours come from overlap rows, and each pair from the chunk of its first alone."""
    sql = (
        "SELECT a.objectId, b.objectId, b.mag FROM Object a, Object b WHERE a.objectId <> b.objectId AND "
        f"scisql_angSep(a.ra, a.decl, b.ra, b.decl) < {radius_deg}"
    )
    wanted = sorted(sky.whole(sql), key=repr)
    assert sorted(sky.by_chunks(sql), key=repr) == wanted
    chunk_of = {row[0]: row[1] for row in sky.whole("SELECT objectId, chunkId FROM Object")}
    assert any(chunk_of[one] != chunk_of[other] for one, other, _ in wanted)


@pytest.mark.parametrize("order", ["", "ORDER BY NULL ", "ORDER BY 1 + 1 "])
def test_a_limit_without_order_takes_so_many_rows_of_the_answer(sky: FourChunks, order: str) -> None:
    """Any of them will do, also of those that are ordered by a constant."""
    found = sky.by_chunks(f"SELECT objectId FROM Object WHERE mag > 2 {order}LIMIT 9")
    assert len(found) == 9
    assert set(found) <= set(sky.whole("SELECT objectId FROM Object WHERE mag > 2"))


def test_a_having_names_the_items_that_it_holds() -> None:
    """Of items without an aggregate; an aggregate stays, and what is in it."""
    items = [parse_expression(text) for text in ("kind + 1", "MAX(mag)", "mag")]
    having = parse_expression("kind + 1 > 2 AND MAX(mag) < 9 AND MIN(kind + 1) > mag")
    assert render(over_items(having, items)) == "c0 > 2 AND MAX(mag) < 9 AND MIN(kind + 1) > c2"


@pytest.mark.parametrize(("count", "written"), [(0, "0"), (5, "5"), (2**64 + 7, "18446744073709551615")])
def test_a_limit_is_at_most_the_servers(count: int, written: str) -> None:
    """LIMIT + OFFSET may be beyond what MariaDB takes."""
    assert MOST_ROWS == 18446744073709551615
    assert render(limit_of(count)).strip() == f"LIMIT {written}"
