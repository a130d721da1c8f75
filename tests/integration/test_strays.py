"""Dependents that came before their director, which then came elsewhere: in a database, and over two of a family."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.same_answer import rows_in

from skyshard.basics.errors import UserError
from skyshard.testbed import Testbed

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
COLUMNS = {
    "Object": "id bigint, ra double, decl double",
    "Src": "sid bigint, id bigint, ora double, odecl double",
    "Pair": "id bigint, gid bigint, w int",
    "Gal": "gid bigint, ra double, decl double",
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "Object": {"role": "director", "key": "id", "position": ["ra", "decl"]},
    "Gal": {"role": "director", "key": "gid", "position": ["ra", "decl"]},
    "Src": {"role": "dependent", "director": "Object", "key": "id", "position": ["ora", "odecl"]},
    "Pair": {"role": "ref-match", "director": "Object", "key": "id", "director2": "Gal", "key2": "gid", "flag": "flag"},
}


class Family:
    """Ingests rows into databases of its own."""

    def __init__(self, testbed: Testbed, folder: Path) -> None:
        self.testbed = testbed
        self.name = f"s{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self._number = 0

    def add(self, database: str = "", director: str = "Object", **rows: list[tuple[Any, ...]]) -> None:
        """One transaction; its source stays, so that it can be given again by ``again``."""
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        tables = {}
        for name, values in rows.items():
            columns = [column.split() for column in COLUMNS[name].split(", ")]
            lines = [",".join(column for column, _ in columns), *(",".join(map(str, row)) for row in values)]
            (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
            declared = [{"name": column, "type": kind} for column, kind in columns]
            tables[name] = LAYOUTS[name] | {"files": [f"{name}.csv"], "declare": declared}
            if name == "Src":
                tables[name] |= {"director": director}
        content = {"version": 1, "database": database or self.name, "striping": STRIPING, "tables": tables}
        self.last = folder / "mapping.yaml"
        self.last.write_text(yaml.safe_dump(content))
        self.testbed.ingest(self.last)

    def ask(self, sql: str, database: str = "") -> list[Any]:
        """The rows, sorted; single values bare."""
        rows = rows_in(self.testbed.query(sql, database=database or self.name).table)
        return sorted(row[0] if len(row) == 1 else row for row in rows)

    def is_good(self, database: str = "") -> bool:
        return all(check.is_good for check in self.testbed.verify(database or self.name))


@pytest.fixture
def family(testbed: Testbed, tmp_path: Path) -> Family:
    return Family(testbed, tmp_path)


def test_rows_of_a_director_that_comes_elsewhere_are_found(family: Family) -> None:
    """By key, by range, by joins of every kind, compacted or not; what comes later stands with its director."""
    family.add(Object=[(1, 10, 10)], Src=[(100, 1, 10, 10), (200, 2, 200, -40), (300, 2, 60, 30), (400, 9, 300, 5)])
    family.add(Object=[(2, 60, 30), (3, 61, 30)])
    family.add(Src=[(500, 2, 60, 30), (600, 3, 61, 30), (700, r"\N", 61, 30)])

    def check() -> None:
        assert family.ask("SELECT sid FROM Src WHERE id = 2") == [200, 300, 500]
        assert family.ask("SELECT sid FROM Src WHERE id = 3") == [600]
        assert family.ask("SELECT sid FROM Src WHERE id IN (1, 2, 9)") == [100, 200, 300, 400, 500]
        assert family.ask("SELECT sid FROM Src WHERE id BETWEEN 2 AND 8") == [200, 300, 500, 600]
        assert family.ask("SELECT o.id, s.sid FROM Object o JOIN Src s USING (id)") == [
            (1, 100), (2, 200), (2, 300), (2, 500), (3, 600)]  # fmt: skip
        assert family.ask("SELECT a.sid, b.sid FROM Src a JOIN Src b USING (id) WHERE a.sid < b.sid") == [
            (200, 300), (200, 500), (300, 500)]  # fmt: skip
        assert family.ask("SELECT id FROM Object o LEFT JOIN Src s USING (id) WHERE s.sid IS NULL") == []
        assert family.ask("SELECT s.sid FROM Src s LEFT JOIN Object o USING (id) WHERE o.id IS NULL") == [400, 700]
        assert family.ask("SELECT id FROM Object o WHERE (SELECT COUNT(*) FROM Src s WHERE s.id = o.id) = 3") == [2]
        assert family.ask("SELECT COUNT(*), COUNT(DISTINCT id), MAX(sid) FROM Src WHERE id > 0") == [(6, 4, 600)]
        assert family.ask("SELECT sid FROM Src WHERE qserv_areaspec_circle(200, -40, 0.1)") == [200]
        assert family.is_good()

    check()
    family.testbed.compact(family.name, grace_s=0.0)
    check()


def test_rows_whose_director_comes_to_them_stay_local(family: Family) -> None:
    """Where the director comes to where its rows are, joins are answered chunk by chunk as ever."""
    family.add(Object=[(7, 0, 0)], Src=[(100, 1, 10, 10), (200, 2, 60, 30)])
    family.add(Object=[(1, 10, 10), (2, 60, 30)])
    sql = "SELECT s.sid FROM Object o JOIN Src s USING (id)"
    assert family.ask(sql) == [100, 200]
    assert family.testbed.explain(sql, database=family.name).kind == "local"
    assert family.testbed.explain("SELECT * FROM Src WHERE id = 2", database=family.name).chunks == 1


def test_areas_over_positions_that_are_not_the_directors(family: Family) -> None:
    """A row whose copy names another chunk than its director's is found where its copy says, before and after it came;
    beside its director both positions count."""
    sql = "SELECT sid FROM Src WHERE qserv_areaspec_circle(60, 30, 1)"
    family.add(Object=[(1, 10, 10), (2, 60, 30)], Src=[(100, 1, 10, 10), (200, 2, 60, 30)])
    assert family.ask(sql) == [200]
    family.add(Src=[(300, 1, 60, 30), (400, 2, 200, -40)])
    for _ in range(2):
        assert family.ask(sql) == [200, 300]
        assert family.ask("SELECT sid FROM Src WHERE qserv_areaspec_box(199, -41, 201, -39) = 1") == [400]
        assert family.ask("SELECT sid FROM Src WHERE NOT qserv_areaspec_box(199, -41, 201, -39)") == [100, 200, 300]
        join = "SELECT s.sid FROM Object o JOIN Src s USING (id) WHERE"
        assert family.ask(f"{join} qserv_areaspec_circle(60, 30, 1)") == [200]
        assert family.ask(f"{join} scisql_s2PtInCircle(o.ra, o.decl, 60, 30, 1) = 1") == [200, 400]
        near = "SELECT s.sid FROM Object o, Src s WHERE scisql_angSep(o.ra, o.decl, s.ora, s.odecl) < 0.2 AND o.id = 2"
        assert family.ask(near) == [200, 300]
        family.testbed.compact(family.name, grace_s=0.0)
    assert family.is_good()


def test_a_director_of_another_database_makes_strays_too(family: Family) -> None:
    """The director's database learns of the dependents elsewhere, whose keys can be made anew when they are lost."""
    more, director = f"{family.name}_more", f"{family.name}.Object"
    family.add(Object=[(1, 10, 10)])
    family.add(more, director, Src=[(100, 1, 10, 10), (200, 2, 200, -40), (400, 9, 300, 5)])
    family.add(Object=[(2, 60, 30)])
    join = f"SELECT s.sid FROM {family.name}.Object o JOIN {more}.Src s USING (id)"
    assert family.ask(join) == [100, 200]
    assert family.ask("SELECT sid FROM Src WHERE id = 2", more) == [200]
    shutil.rmtree(family.testbed.cluster.folder / "director-keys" / more)
    with pytest.raises(UserError, match=r"came before their director, cannot be read; run skyshard index rebuild"):
        family.add(Object=[(9, 0, 0)])
    assert family.ask(join) == [100, 200]
    family.testbed.rebuild_indexes(more)
    family.testbed.ingest(family.last)
    assert family.ask(join) == [100, 200, 400]
    assert family.ask("SELECT sid FROM Src WHERE id IN (2, 9)", more) == [200, 400]
    assert family.is_good(more)


def test_what_an_aborted_transaction_brought_makes_no_strays(family: Family, tmp_path: Path) -> None:
    """A director that was taken back leaves the rows what they were: orphans."""
    family.add(Object=[(1, 10, 10)], Src=[(200, 2, 200, -40)])
    path = tmp_path / "keys"
    kept = family.testbed.cluster.folder / "director-keys" / family.name / "Src"
    shutil.move(kept, path)
    with pytest.raises(UserError):
        family.add(Object=[(2, 60, 30)])
    shutil.move(path, kept)
    family.add(Object=[(3, 62, 30)])  # another source: the interrupted transaction is taken back
    assert family.testbed.registry.published.catalog(family.name).tables["Src"].stray_chunks == frozenset()
    assert family.ask("SELECT s.sid, o.id FROM Src s LEFT JOIN Object o USING (id)") == [(200, None)]


def test_pairs_before_their_directors_count_once(family: Family) -> None:
    """Of a key that gets further pairs, once its director is there, none is lost, none doubled; NULL sides neither."""
    family.add(
        Object=[(1, 20.5, 10.1)],
        Gal=[(11, 20.5, 9.9), (12, 20.6, 9.9)],
        Pair=[(1, 11, 1), (2, 12, 2), (2, 12, 2), (1, 99, 3), (r"\N", 12, 4)],
    )
    family.add(Object=[(2, 20.6, 10.1)], Gal=[(99, 20.5, 10.2)], Pair=[(2, 12, 2), (1, 99, 6), (2, 11, 7)])
    family.testbed.load_mono(family.name)
    for _ in range(2):
        assert family.ask("SELECT w FROM Pair") == [1, 2, 2, 2, 3, 4, 6, 7]
        assert family.testbed.query("SELECT SUM(w), COUNT(*) FROM Pair", database=family.name, target="mono").table[
            0
        ].to_pylist() == [27]
        assert family.ask("SELECT w FROM Pair WHERE id = 2") == [2, 2, 2, 7]
        assert family.ask("SELECT p.w FROM Pair p JOIN Object o USING (id) JOIN Gal g USING (gid)") == [
            1,
            2,
            2,
            2,
            3,
            6,
            7,
        ]
        family.testbed.compact(family.name, grace_s=0.0)


def test_pairs_are_joined_with_a_director_where_there_are_none(family: Family) -> None:
    """The director comes to a chunk without pairs: its pairs stand with the other side, and are found from both."""
    family.add(Object=[(1, 20.5, 9.8)], Gal=[(12, 20.6, 9.9)], Pair=[(2, 12, 2), (1, 12, 1)])
    family.add(Object=[(2, 20.6, 10.1), (3, 20.6, 10.2)])
    assert family.ask("SELECT p.w, o.id FROM Pair p JOIN Object o USING (id)") == [(1, 1), (2, 2)]
    assert family.ask("SELECT p.w FROM Object o, Pair p, Gal g WHERE o.id = p.id AND g.gid = p.gid AND o.id = 2") == [2]
    assert family.ask("SELECT o.id FROM Object o LEFT JOIN Pair p USING (id) WHERE p.w IS NULL") == [3]
    assert family.ask("SELECT id FROM Object o WHERE EXISTS (SELECT 1 FROM Pair p WHERE p.id = o.id)") == [1, 2]
