"""Plans without any server: kinds, chunks, chunk and merge statements, refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.explain import Explanation
from skyshard.czar.plan.gather_plan import GATHER_LIMIT_BYTES
from skyshard.czar.plan.query_plan import QueryPlan

CASES = Path(__file__).resolve().parents[3] / "cases"


def plan(sql: str, limit_bytes: int = GATHER_LIMIT_BYTES) -> QueryPlan:
    return plan_of(sql, Source(), limit_bytes=limit_bytes)


def pairs(name: str) -> list[tuple[str, str]]:
    """Cases of the form ``left => right``."""
    lines = (CASES / name).read_text().splitlines()
    cases = [line.split(" => ", 1) for line in lines if line.strip() and not line.startswith("--")]
    return [(left.strip(), right.strip()) for left, right in cases]


@pytest.mark.parametrize(("sql", "wanted"), pairs("plans.sql"))
def test_plan(sql: str, wanted: str) -> None:
    """Kind, number of chunks, chunk statement and merge are those of the case file."""
    kind, chunks, statement, merge = [*(part.strip() for part in wanted.split(" | ")), "", ""][:4]
    made = plan(sql)
    assert (str(made.kind), made.chunks) == (kind, int(chunks))
    if statement:
        pull = made.pulls[0]
        assert pull.template.written().of_chunk((pull.chunks or (0,))[0]) == statement
    if merge.rstrip("|").strip():
        assert made.merge_over(["p0", "p1"]) == merge


@pytest.mark.parametrize(("code", "sql"), pairs("refused.sql"))
def test_refusal(code: str, sql: str) -> None:
    """What is not answered is refused with its code, its place and a remedy; a mistake is a plain user error."""
    with pytest.raises(UserError) as error:
        plan(sql)
    if code == "user":
        assert not isinstance(error.value, Refusal)
    else:
        assert isinstance(error.value, Refusal)
        assert error.value.code == code
        assert error.value.remedy
        assert "(line 1, column " in str(error.value)
    assert "\n" not in str(error.value)


def test_near_neighbour_reads_own_and_overlap_rows() -> None:
    """The neighbour is the union of own and overlap rows, tied by sub-chunk, with only the columns needed."""
    sql = "SELECT a.ra FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1 AND b.mag > 2"
    text = plan(sql).pulls[0].template.written().of_chunk(324)
    reach = re.search(r"`subChunkId`, (IF\(ABS\(`b`\.`decl`\).*?, 180e0\) AS skyshard_reach) FROM", text)
    assert reach is not None
    columns = f"SELECT `b`.`ra`, `b`.`decl`, `b`.`mag`, `b`.`subChunkId`, {reach.group(1)} FROM"
    assert (
        f"({columns} `sky`.`Object_324` AS `b` WHERE `b`.`mag` > 2 "
        f"UNION ALL {columns} `sky`.`ObjectFullOverlap_324` AS `b` WHERE `b`.`mag` > 2) AS `b`"
    ) in text
    assert "`b`.`subChunkId` = `a`.`subChunkId`" in text


def test_chunk_without_rows_of_a_table_reads_the_dummy() -> None:
    """A chunk that a table has no rows in is read from its empty dummy chunk."""
    made = plan("SELECT o.ra, s.t FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId")
    slot = next(slot for slot in made.pulls[0].template.slots.values() if slot.alias == "s")
    assert slot.of_chunk(99) == "`sky`.`Source_1234567890` AS `s`"


def test_gather_refuses_too_much() -> None:
    """A statement that would bring more than the limit is refused with a remedy."""
    with pytest.raises(Refusal) as refusal:
        plan("SELECT MEDIAN(mag) OVER (), ra FROM Object", limit_bytes=1000)
    assert refusal.value.code == "too-large"
    assert "'Object' (line 1, column 37)" in str(refusal.value)


def test_ref_match_tables_are_refused() -> None:
    """A ref-match table keeps rows twice; until they are told apart it is not answered."""
    with pytest.raises(Refusal) as refusal:
        plan("SELECT COUNT(*) FROM RefMatch WHERE a = 1")
    assert refusal.value.code == "ref-match"


def test_gather_expects_fewer_rows_where_terms_filter() -> None:
    """The size of what is gathered is judged by what the table's own terms are expected to let through."""
    sql = "SELECT MEDIAN(mag) OVER (), ra FROM Object"
    limit = 3_000
    with pytest.raises(Refusal, match=r"\(400 rows\)"):
        plan(sql, limit_bytes=limit)
    assert plan(f"{sql} WHERE kind = 3", limit_bytes=limit).kind == "gather"


@pytest.mark.parametrize(
    ("where", "chunks"),
    [
        ("ra BETWEEN 0 AND 360", 4),
        ("ra BETWEEN 1 AND 2", 1),
        ("ra BETWEEN 53.1 - 52.1 AND 1 + 1", 1),
        ("ra BETWEEN -359 AND -358", 1),
        ("ra BETWEEN 361 AND 362", 1),
        ("ra BETWEEN -10 AND 1", 1),
        ("ra < 1", 4),
        ("decl < 1", 2),
        ("ra BETWEEN 1 AND 2 OR ra BETWEEN 12 AND 13 AND decl > 12", 2),
        ("ra BETWEEN 1 AND 2 OR mag > 3", 4),
        ("NOT (ra < 25 OR ra > 26)", 1),
        ("NOT (NOT (decl > 12))", 2),
        ("NOT decl <= 12", 2),
        ("NOT decl BETWEEN 12 AND 20", 4),
        ("qserv_areaspec_box(1, 1, 2, 2) OR qserv_areaspec_box(25, 11, 26, 12) = 1", 2),
        ("NOT qserv_areaspec_box(1, 1, 2, 2)", 4),
        ("scisql_s2PtInBox(ra, decl, 1, 1, 2, 2) <> 0", 1),
        ("scisql_s2PtInBox(ra, decl, 1, 1, 2, 2) > 0 IS TRUE", 1),
        ("scisql_s2PtInBox(ra, decl, 1, 1, 2, 2) < 1", 4),
        ("scisql_s2PtInBox(ra, decl, 1, 1, 2, 2) XOR mag > 1", 4),
        ("objectId = 5 OR ra BETWEEN 25 AND 26 AND decl > 0", 2),
        ("(objectId = 5 OR mag > 1) AND decl < 1", 2),
        ("decl > 91", 0),
        ("ra > 10 AND ra < 5", 0),
        ("scisql_s2PtInCircle(ra, decl, 0, 0, 400.0e-3) = 0", 4),
        ("scisql_s2PtInCircle(decl, ra, 0, 0, 0.1) = 1", 4),
        ("ra + 0 BETWEEN 10 AND 5", 4),
        ("objectId BETWEEN 1 AND 7", 1),
        ("objectId BETWEEN 7 AND 1", 0),
        ("objectId > 5", 1),
        ("objectId >= 5", 2),
        ("objectId < 5.5", 1),
        ("NOT objectId = 5", 4),
        ("objectId IN (5, 15)", 2),
        ("objectId IN (5, mag)", 4),
        ("objectId NOT IN (5)", 4),
        ("objectId = 5 AND objectId = 15", 0),
        ("objectId = 5 OR objectId = 15", 2),
        ("objectId = 5 OR mag > 3", 4),
        ("(objectId = 5)", 1),
        ("objectId = '5'", 4),
        ("objectId = 5e0", 1),
        ("objectId = 9.1e18", 4),
        ("objectId = 5 + 0", 1),
        ("objectId = 5e0 + 0", 4),
        ("qserv_areaspec_box(0, 0, 1, 1) = 0", 4),
        ("qserv_areaspec_box(0, 0, 1, 1) OR kind = 1", 4),
        ("qserv_areaspec_box(0, 5, 1, 1)", 0),
        ("qserv_areaspec_box(0, 5, -3, 1)", 0),
    ],
)
def test_chunks_are_left_out_only_when_proven(where: str, chunks: int) -> None:
    """Chunks fall away by proof alone: partition columns, director key, exact comparisons."""
    assert plan(f"SELECT ra FROM Object WHERE {where}").chunks == chunks


@pytest.mark.parametrize(
    ("sql", "limit", "has_merge"),
    [
        ("SELECT ra FROM Object WHERE mag > 2 LIMIT {below}", True, False),
        ("SELECT ra FROM Object WHERE mag > 2 LIMIT {rows}", False, False),
        ("SELECT ra FROM Object ORDER BY ra LIMIT {below}", True, True),
        ("SELECT ra FROM Object ORDER BY ra LIMIT {rows}", False, True),
        ("SELECT ra FROM Object LIMIT {rows} OFFSET 1", True, True),
        ("SELECT o.ra FROM Object o, Source s WHERE o.objectId = s.objectId LIMIT {rows}", True, False),
    ],
)
def test_a_limit_that_no_answer_reaches_is_none(sql: str, limit: bool, has_merge: bool) -> None:
    """As services write behind every statement; one without ORDER BY and OFFSET needs no merge, only an end."""
    rows = Source().catalog("sky").tables["Object"].rows
    made = plan(sql.format(rows=rows, below=rows - 1))
    assert ("LIMIT" in made.pulls[0].template.written().of_chunk((made.pulls[0].chunks or (0,))[0])) is limit
    assert bool(made.merge) is has_merge


def test_names_expand_stars() -> None:
    """A star gives the names of the table, chunk numbers last; names may repeat."""
    made = plan("SELECT kind, * FROM Object")
    assert made.names == ("kind", "objectId", "ra", "decl", "mag", "kind", "chunkId", "subChunkId")


def test_explanation_tells_chunks_and_costs() -> None:
    """What is read and why, what is moved, and how long it may take; as text and as a dictionary."""
    told = Explanation.of(plan("SELECT MEDIAN(mag) OVER () FROM Object WHERE objectId = 5"))
    assert told.as_dict()["why"] == ["Object: objectId in (5): 1 of 4 chunks"]
    assert told.as_dict()["bytes_moved"] == told.rows_read * (8 + 4 + 1)
    assert told.as_dict()["bytes_read"] == 100 * (8 * 3 + 4 + 4 + 4 + 4 + 1)
    assert "chunks  1 of 4, at most 100 rows read\nabout   " in told.as_text()
    scan, lookup = (Explanation.of(plan(f"SELECT ra FROM Object{where}")) for where in ("", " WHERE objectId = 5"))
    assert scan.costs.bytes_read > lookup.costs.bytes_read
    assert scan.costs.elapsed_s >= lookup.costs.elapsed_s > 0
    assert scan.costs.bytes_moved is None


def test_every_refusal_is_documented() -> None:
    """docs/reference/sql.md lists exactly the codes that the czar raises."""
    root = Path(__file__).resolve().parents[4]
    sources = "".join(path.read_text() for path in (root / "src/skyshard/czar").rglob("*.py"))
    raised = set(re.findall(r'Refusal\(\s*"([a-z-]+)"', sources))
    refusals = (root / "docs/reference/sql.md").read_text().split("## Refusals")[1]
    listed = set(re.findall(r"^- `([a-z-]+)`: ", refusals, re.MULTILINE))
    assert raised == listed
