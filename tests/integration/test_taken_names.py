"""Names that resemble ours, or that files spell otherwise, do no harm: answers are those of one server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from tests.support.csv_catalog import OBJECT, director, table, write_mapping, write_table
from tests.support.same_answer import rows_in

from skyshard.testbed import TargetName, Testbed

INNER = ("c0", "c1", "o0", "a0", "g0", "p0", "d0", "_n", "q", "r", "p", "key", "skyshard_reach", "skyshard_reach_")
"""What statements of ours call their columns and tables."""
STATEMENTS = (
    "SELECT b.skyshard_reach, b.SKYSHARD_REACH_ FROM Object a, Object b "
    "WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1",
    "SELECT a.id, COUNT(*), SUM(b.skyshard_reach * a.c0) FROM Object a, Object b "
    "WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.2 GROUP BY a.id",
    "SELECT c1 AS c0, c0 AS c1 FROM Object WHERE c0 > 3 ORDER BY c0, c1 LIMIT 7",
    "SELECT c0 + c1 AS o0, id FROM Object ORDER BY o0 DESC, Object.o0, id LIMIT 5",
    "SELECT g0, SUM(a0) AS g0x, COUNT(DISTINCT d0), AVG(p0), p0 FROM Object GROUP BY g0, p0 HAVING SUM(a0) > 10",
    "SELECT g0 AS a0, STDDEV(a0) AS g0 FROM Object GROUP BY Object.g0 ORDER BY 1",
    "SELECT DISTINCT q, r FROM Object ORDER BY r DESC LIMIT 4",
    "SELECT MIN(`key`), MAX(_n), SUM(`p`) FROM Object",
    "SELECT q.q, p.p, r.r FROM Object q JOIN Object p ON q.id = p.id JOIN Object r ON r.id = q.id WHERE q.c0 < 9",
    "SELECT q.c0 FROM (SELECT c0, COUNT(*) AS p FROM Object GROUP BY c0) AS q WHERE q.p >= 1",
    "SELECT a.c0, b.c1 FROM Object a JOIN Numbers b ON a.c0 = b.chunkId",
    "SELECT chunkId, subChunkId, c1 FROM Numbers WHERE chunkId > 2 ORDER BY chunkId",
    "SELECT COUNT(*) FROM Object a JOIN Object b ON a.c0 = b.c1",
    "SELECT '\x010\x01', '\x02', id FROM Object WHERE id = 7",
    "SELECT '\x010\x01' AS `\x010\x01`, COUNT(*), '\x041\x04' FROM Object GROUP BY g0",
    "SELECT '\x011\x01', a.id FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.1",
    "SELECT '\x051\x05ra\x05decl\x05', '\x03', id FROM Object WHERE qserv_areaspec_box(0, 0, 90, 20)",
    "SELECT '\x051\x05ra\x05decl\x05', '\x03', id FROM Object WHERE qserv_areaspec_box(0, 0, 80, 20)",
    "SELECT '\x051\x05ra\x05decl\x05', '\x03', id FROM Object WHERE qserv_areaspec_box(0, 0, 70, 20)",
)


@pytest.fixture(scope="module")
def inner(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A catalog whose columns are called like those of our statements; in two transactions, over several chunks."""
    folder = tmp_path_factory.mktemp("inner")
    columns = OBJECT | dict.fromkeys(INNER, "int")
    numbers = {"chunkId": "int", "subChunkId": "int", "c1": "int"}
    tables = {"Object": director(columns), "Numbers": table(numbers, files="Numbers.csv")}
    path = write_mapping(folder, "inner_names", tables)
    rows = [
        (i, 20 + 0.05 * (i % 9) + 15 * (i % 3), 10 + 0.04 * (i // 9), *((i * (n + 3)) % 11 for n in range(len(INNER))))
        for i in range(90)
    ]
    write_table(folder, "Numbers", list(numbers), [(n, 2 * n, 3 * n) for n in range(8)])
    for name, some in (("Object1", rows[:60]), ("Object2", rows[60:])):
        write_table(folder, name, list(columns), some)
        testbed.ingest(path)
    testbed.load_mono("inner_names")
    return "inner_names"


@pytest.mark.parametrize("sql", STATEMENTS)
def test_columns_called_like_ours(testbed: Testbed, inner: str, sql: str) -> None:
    """Whatever a column is called, or a text says, the czar's rows are those of one server."""
    found, right = (testbed.query(sql, database=inner, target=target).table for target in ("czar", "mono"))
    assert right.num_rows
    if "ORDER BY" in sql:
        assert found.to_pylist() == right.to_pylist()
    assert Counter(map(str, found.to_pylist())) == Counter(map(str, right.to_pylist()))


def test_devices_are_names_like_others(testbed: Testbed, tmp_path: Path) -> None:
    """Databases and tables called like devices, which the server spells otherwise on disk, are loaded, added to and
    compacted; their index and their whole tables are found."""
    tables = {
        "nul": director(files="nul*.csv"),
        "AUX": table({"id": "bigint", "n": "int"}, files="aux*.csv", role="dependent", director="nul", key="id"),
        "com1": table({"n": "int", "t": "text"}, files="com*.csv"),
        "lpt9": table({"n": "int"}, files="lpt*.csv"),
    }
    path = write_mapping(tmp_path, "con", tables)
    for number in (1, 2):
        ids = range(10 * number, 10 * number + 10)
        write_table(tmp_path, f"nul{number}", list(OBJECT), [(i, 7.0 * i, 10.0) for i in ids])
        write_table(tmp_path, f"aux{number}", ["id", "n"], [(i, i + k) for i in ids for k in (0, 1)])
        if number == 1:
            write_table(tmp_path, "com1", ["n", "t"], [(n, f"text {n}") for n in range(4)])
            write_table(tmp_path, "lpt1", ["n"], [(n,) for n in range(5)])
        testbed.ingest(path)
        assert [check for check in testbed.verify("con") if not check.is_good] == []
    testbed.compact("con", grace_s=0)
    assert [check for check in testbed.verify("con") if not check.is_good] == []
    assert testbed.load_mono("con") == {"nul": 20, "AUX": 40, "com1": 4, "lpt9": 5}
    for target in get_args(TargetName):
        sql = "SELECT COUNT(*), SUM(a.n), MAX(o.id) FROM nul o JOIN AUX a ON o.id = a.id WHERE o.id >= 15"
        # keys 15 to 29, each with n = id and n = id + 1: 2 * (15 + ... + 29) + 15
        assert rows_in(testbed.query(sql, database="con", target=target).table) == [(30, 675, 29)]
        found = testbed.query("SELECT COUNT(*), MAX(t) FROM com1", database="con", target=target).table
        assert rows_in(found) == [(4, "text 3")]
