"""The work in statements, by their texts."""

import pytest

from skyshard.bench.model.work import Answer, CatalogSize, Reach, demand_of, work_of

TABLES = {"Object": 0, "Source": 0, "ForcedSource": 0}
SMALL = CatalogSize({"Object": 1e4, "Source": 18e4}, {"Object": 400.0, "Source": 120.0}, 100)
LARGE = CatalogSize({"Object": 1e6, "Source": 18e6}, {"Object": 400.0, "Source": 120.0}, 100)
BOX = "qserv_areaspec_box(10.0, 10.0, 10.5, 10.2)"


@pytest.mark.parametrize(
    ("sql", "tables", "reach"),
    [
        ("SELECT COUNT(*) FROM Object WHERE y_instFlux > 0.05", ("Object",), Reach.SKY),
        ("SELECT ra FROM Object WHERE objectId = 12", ("Object",), Reach.KEY),
        ("SELECT visit FROM ForcedSource WHERE objectId = 12", ("ForcedSource",), Reach.KEY),
        (f"SELECT ra FROM Object WHERE {BOX}", ("Object",), Reach.AREA),
        ("SELECT o.ra FROM Object o, Source s WHERE o.objectId = s.objectId AND s.f BETWEEN 1 AND 2",
         ("Object", "Source"), Reach.SKY),
    ],
)  # fmt: skip
def test_tables_and_reach_are_read_from_the_text(sql: str, tables: tuple[str, ...], reach: Reach) -> None:
    """Whole words are tables; a key, an area or neither decides how far a statement reads."""
    found = work_of(sql, TABLES)
    assert (found.tables, found.reach) == (tables, reach)


def test_neighbours_are_of_two_copies_of_a_table() -> None:
    """A separation of two rows asks for pairs, one from a constant place does not."""
    near = "scisql_angSep(o1.ra, o1.decl, o2.ra, o2.decl) < 0.01"
    pairs = f"SELECT COUNT(*) FROM Object o1, Object o2 WHERE {BOX} AND {near}"
    assert work_of(pairs, TABLES).is_near
    assert not work_of("SELECT ra FROM Object o WHERE scisql_angSep(o.ra, o.decl, 10.0, 20.0) < 0.01", TABLES).is_near
    assert work_of(pairs, TABLES).area_deg2 == pytest.approx(0.1)


def test_a_scan_reads_every_row_whole() -> None:
    """Rows and bytes of the table, whatever columns are asked for."""
    work = work_of("SELECT COUNT(*) FROM Source WHERE f > 1", TABLES)
    found = demand_of(work, LARGE, Answer(100, 1, 8), SMALL)
    assert (found.rows, found.bytes, found.chunks) == (18e6, 18e6 * 120, 100)
    assert found.answer_bytes == 8


def test_an_area_reads_its_chunks_and_looks_the_partner_up() -> None:
    """Two chunks of a hundred: a fiftieth of the director's rows, and look-ups for those in the area."""
    work = work_of(f"SELECT o.ra FROM Object o, Source s WHERE {BOX} AND o.objectId = s.objectId", TABLES)
    found = demand_of(work, LARGE, Answer(2, 10, 200), SMALL)
    assert found.rows == pytest.approx(2e4)
    assert found.key_reads == pytest.approx(2 * 0.1 * 1e6 / (100 * 4.6))
    assert found.answer_rows == pytest.approx(1000)


@pytest.mark.parametrize(("rows", "grown"), [(1, 1), (100, 100), (500, 50_000)])
def test_answers_grow_as_their_kind(rows: float, grown: float) -> None:
    """One row stays one, a row for each chunk follows the chunks, others the rows of the table."""
    work = work_of("SELECT ra FROM Object WHERE f > 1", TABLES)
    assert demand_of(work, LARGE, Answer(100, rows, 8 * rows), SMALL).answer_rows == grown


def test_a_key_reads_the_same_in_any_catalog() -> None:
    """One chunk, a few pages, no scan."""
    work = work_of("SELECT ra FROM Object WHERE objectId = 12", TABLES)
    small, large = (demand_of(work, size, Answer(1, 1, 8), SMALL) for size in (SMALL, LARGE))
    assert small == large
    assert small.rows == 0
