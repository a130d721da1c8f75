"""Keys that occur twice: refused by file and row, or, where they may, answered as one server answers; harmed keys."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.killing import forget
from tests.support.same_answer import rows_in

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed, survey_source

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
TABLES: dict[str, dict[str, Any]] = {
    "Star": {"role": "director", "key": "id", "position": ["ra", "decl"],
             "columns": "id bigint, ra double, decl double, v int"},
    "Gal": {"role": "director", "key": "gid", "position": ["ra", "decl"],
            "columns": "gid bigint, ra double, decl double"},
    "Src": {"role": "dependent", "director": "Star", "key": "id", "columns": "sid bigint, id bigint, f int"},
    "Pair": {"role": "ref-match", "director": "Star", "key": "id", "director2": "Gal", "key2": "gid", "flag": "flag",
             "columns": "id bigint, gid bigint, w int"},
    "Note": {"role": "regular", "columns": "name varchar(8), n int", "primary_key": ["name"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    private_cluster.start_mono()
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


class Rows:
    """One database, to which files of rows are brought; ``options`` are keys of the tables' descriptions."""

    def __init__(self, testbed: Testbed, folder: Path, **options: dict[str, Any]) -> None:
        self.testbed = testbed
        self.name = f"d{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.options = options
        self.number = 0

    def source(self, **files: list[str]) -> Path:
        """A mapping over files; ``Star_b`` is a second file of Star, and so on."""
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        tables: dict[str, Any] = {}
        for file, rows in files.items():
            name = file.partition("_")[0]
            described = TABLES[name] | self.options.get(name, {})
            columns = [column.split(" ", 1) for column in described.pop("columns").split(", ")]
            header = ",".join(column for column, _ in columns)
            (folder / f"{file}.csv").write_text("\n".join([header, *rows]) + "\n")
            declared = [{"name": column, "type": kind} for column, kind in columns]
            table = tables.setdefault(name, described | {"declare": declared, "files": []})
            table["files"].append(f"{file}.csv")
        content = {"version": 1, "database": self.name, "striping": STRIPING, "tables": tables}
        (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
        return folder

    def add(self, loader: Loader = Loader.IMAGE, **files: list[str]) -> None:
        self.testbed.ingest(self.source(**files), loader=loader)

    def refused(self, loader: Loader = Loader.IMAGE, **files: list[str]) -> str:
        """The message, with the folder taken out; the transaction is over."""
        with pytest.raises(UserError) as error:
            self.add(loader, **files)
        assert self.testbed.registry.transactions.find_open(self.name) is None
        return str(error.value).replace(f"{self.folder / str(self.number)}/", "")

    def ask(self, sql: str, target: Any = "czar") -> list[tuple[Any, ...]]:
        table = self.testbed.query(sql, database=self.name, target=target).table
        return sorted(tuple(map(int, row)) for row in rows_in(table))

    def same(self, sql: str, right: Sequence[tuple[int, ...]]) -> None:
        """Czar and oracle answer what was counted by hand."""
        assert (sql, self.ask(sql)) == (sql, right)
        assert (sql, self.ask(sql, "mono")) == (sql, right)

    def is_good(self) -> bool:
        return all(check.is_good for check in self.testbed.verify(self.name))


@pytest.fixture
def rows(testbed: Testbed, tmp_path: Path) -> Iterator[Rows]:
    made = Rows(testbed, tmp_path)
    yield made
    forget(testbed, made.name)


@pytest.mark.parametrize("loader", [Loader.IMAGE, Loader.LOAD_DATA])
def test_doubled_key_is_named_with_files_and_rows(rows: Rows, loader: Loader) -> None:
    """In one file, in one chunk of two files, in two chunks of two files, and after an earlier transaction."""
    one, two, near = "7,25,12,1", "8,60,12,2", "7,25.1,12.1,3"
    assert rows.refused(loader, Star=[two, one, near]) == (
        "key 7 of director 'Star' occurs twice, in 'Star.csv', rows 2 and 3; there may be more; "
        "say duplicates: keep-first of the director (later rows are left out) or keep-all (every row is kept), or "
        "remove the duplicates"
    )
    for other in (near, "7,200,-40,3"):
        message = rows.refused(loader, Star=[two, one], Star_b=["9,1,1,1", other])
        assert message.startswith(
            "key 7 of director 'Star' occurs twice, in 'Star.csv', row 2 and 'Star_b.csv', row 2; there may be more"
        )
    rows.add(loader, Star=[one], Star_b=[two])
    message = rows.refused(loader, Star_c=["10,1,1,1", "7,25,12,9"])
    assert message.startswith("key 7 of director 'Star' in 'Star_c.csv', row 2 was ingested by an earlier transaction")
    assert "Star.csv', row 1); there may be more; say duplicates: keep-first of the director" in message
    assert rows.ask("SELECT id, v FROM Star") == [(7, 1), (8, 2)]


def test_plan_notices_a_doubled_key(testbed: Testbed, tmp_path: Path) -> None:
    """Before anything is touched, over all files; not where keys may occur twice."""
    files = {"Star": ["7,25,12,1", "8,60,12,2"], "Star_b": ["9,1,1,1", "7,200,-40,3"]}
    plan = testbed.plan(Rows(testbed, tmp_path).source(**files))
    with pytest.raises(UserError, match=r"key 7 of .* 'Star' occurs twice, in .*Star.csv', row 1 and .*_b.csv', row 2"):
        survey_source(plan, testbed.cluster.folder)
    (tmp_path / "many").mkdir()
    plan = testbed.plan(Rows(testbed, tmp_path / "many", **DOUBLED).source(**files))
    assert survey_source(plan, testbed.cluster.folder).tables[0].rows == 4


@pytest.mark.parametrize("loader", [Loader.IMAGE, Loader.LOAD_DATA])
def test_doubled_primary_key_is_named_with_file_and_rows(testbed: Testbed, tmp_path: Path, loader: Loader) -> None:
    """Of a dependent with two columns, and of a regular table; nothing is left of it."""
    rows = Rows(testbed, tmp_path, Src={"primary_key": ["id", "sid"]})
    stars = ["1,25,12,1", "2,60,12,2"]
    message = rows.refused(loader, Star=stars, Src=["5,1,1", "5,2,1", "6,1,1", "5,1,9"])
    assert message == (
        "table 'Src': id 1, sid 5 occurs twice, and is a primary or unique key, in 'Src.csv', rows 1 and 4; there may "
        "be more; remove the duplicates, or take the key out of the table's description"
    )
    message = rows.refused(loader, Note=["a,1", "b,2"], Note_b=["c,3", "b,4"])
    assert "table 'Note': name b occurs twice" in message
    assert "in 'Note.csv', row 2 and 'Note_b.csv', row 2; there may be more" in message
    assert rows.name not in testbed.registry.published.databases()
    assert not any((testbed.cluster.data_dir(node) / rows.name).exists() for node in testbed.nodes)


@pytest.mark.parametrize("loader", [Loader.IMAGE, Loader.LOAD_DATA])
def test_another_primary_key_of_a_director_is_held_in_each_chunk(
    testbed: Testbed, tmp_path: Path, loader: Loader
) -> None:
    """In overlap tables, between chunks and between transactions a value may stand again."""
    rows = Rows(testbed, tmp_path, Star={"primary_key": ["v"]})
    message = rows.refused(loader, Star=["1,25,12,5", "2,60,12,6", "3,25.1,12,5"])
    assert "table 'Star': v 5 occurs twice, and is a primary or unique key, in 'Star.csv', rows 1 and 3" in message
    rows.add(loader, Star=["1,25,12,5", "2,200,-40,5", "3,20,10.01,7"])
    rows.add(loader, Star_b=["4,25.1,12,5"])
    testbed.load_mono(rows.name)
    rows.same("SELECT id FROM Star WHERE v = 5", [(1,), (2,), (4,)])
    assert rows.is_good()
    forget(testbed, rows.name)


DOUBLED = {"Star": {"unique_key": False}}
STARS = ["1,25,12,10", "1,25.1,12.1,11", "2,60,12,20", "3,25,12,30", "3,200,-40,31", "4,200.1,-40,40"]
"""Key 1 occurs twice in a chunk, 3 in two chunks."""
SOURCES = ["100,1,1", "200,2,1", "300,3,1", "301,3,2", "400,4,1"]


def test_rows_of_one_key_are_answered_as_one_server_does(testbed: Testbed, tmp_path: Path) -> None:
    """Look-ups, joins, anti-joins, pairs, aggregates; with copies of a second transaction, and compacted."""
    rows = Rows(testbed, tmp_path, **DOUBLED)
    rows.add(Star=STARS, Src=SOURCES)
    testbed.load_mono(rows.name)
    rows.same("SELECT v FROM Star WHERE id = 3", [(30,), (31,)])
    rows.same("SELECT v FROM Star WHERE id IN (1, 4)", [(10,), (11,), (40,)])
    rows.same("SELECT COUNT(*), COUNT(DISTINCT id) FROM Star WHERE id >= 1", [(6, 4)])
    join = "SELECT s.v, o.sid FROM Star s JOIN Src o ON s.id = o.id"
    right = [(10, 100), (11, 100), (20, 200), (30, 300), (30, 301), (31, 300), (31, 301), (40, 400)]
    rows.same(join, right)
    rows.same(f"{join} WHERE s.id = 3", [row for row in right if row[0] in (30, 31)])
    rows.same("SELECT COUNT(*) FROM Star a JOIN Star b ON a.id = b.id", [(10,)])  # 4 + 1 + 4 + 1
    near = (
        "SELECT a.v, b.v FROM Star a JOIN Star b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.01 WHERE a.v <> b.v"
    )
    rows.same(near, [(10, 30), (30, 10)])
    rows.same("SELECT id FROM Star WHERE NOT EXISTS (SELECT 1 FROM Src WHERE Src.id = Star.id AND f = 2)",
              [(1,), (1,), (2,), (4,)])  # fmt: skip
    assert rows.is_good()
    rows.add(Star_b=["2,60.2,12,21", "4,90,30,41", "5,1,1,50"], Src_b=["401,4,5", "500,5,1"])
    after = sorted([*right, (21, 200), (41, 400), (40, 401), (41, 401), (50, 500)])
    for step in ("second", "compacted", "rebuilt"):
        if step == "compacted":
            testbed.compact(rows.name, grace_s=0.0)
        if step == "rebuilt":
            assert testbed.rebuild_indexes(rows.name) == {"Star": 9}
        testbed.load_mono(rows.name)
        rows.same(join, after)
        rows.same("SELECT v FROM Star WHERE id = 4", [(40,), (41,)])
        rows.same("SELECT SUM(v) FROM Star WHERE id = 4", [(81,)])
        rows.same("SELECT o.sid FROM Src o WHERE o.id IN (SELECT id FROM Star WHERE v = 41)", [(400,), (401,)])
        assert rows.is_good()
    forget(testbed, rows.name)


def test_copies_in_one_chunk_keep_joins_local(testbed: Testbed, tmp_path: Path) -> None:
    """Only a key in several chunks unties what follows it, from the transaction on that brings it."""
    rows = Rows(testbed, tmp_path, **DOUBLED)
    rows.add(Star=["1,25,12,10", "1,25.1,12.1,11", "2,200,-40,20"], Src=["100,1,1", "200,2,1"])
    join = "SELECT COUNT(*) FROM Star JOIN Src USING (id)"
    assert (rows.ask(join), testbed.explain(join, database=rows.name).kind) == ([(3,)], "aggregate")
    rows.add(Star_b=["2,100,0,21"])
    assert (rows.ask(join), testbed.explain(join, database=rows.name).kind) == ([(4,)], "gather")
    forget(testbed, rows.name)


def test_pairs_of_a_doubled_key(testbed: Testbed, tmp_path: Path) -> None:
    """A match table's row is seen once by itself, and joins with every copy of its key."""
    rows = Rows(testbed, tmp_path, **DOUBLED)
    rows.add(Star=STARS, Gal=["7,25,12", "8,60,12"], Pair=["1,7,1", "3,7,2", "2,8,3"])
    testbed.load_mono(rows.name)
    rows.same("SELECT w FROM Pair", [(1,), (2,), (3,)])
    rows.same("SELECT w FROM Pair WHERE id = 3", [(2,)])
    rows.same("SELECT p.w, s.v FROM Pair p JOIN Star s ON p.id = s.id", [(1, 10), (1, 11), (2, 30), (2, 31), (3, 20)])
    rows.same("SELECT p.w, g.gid FROM Pair p JOIN Gal g ON p.gid = g.gid", [(1, 7), (2, 7), (3, 8)])
    assert rows.is_good()
    forget(testbed, rows.name)


def test_keys_of_several_chunks_by_one_shape(testbed: Testbed, tmp_path: Path) -> None:
    """A plan that was kept for keys of one chunk serves those of several only if their parts can be put together."""
    rows = Rows(testbed, tmp_path, **DOUBLED)
    rows.add(Star=STARS)
    testbed.load_mono(rows.name)
    for item in ("COUNT(*)", "COUNT(DISTINCT v)", "SUM(v)", "GROUP_CONCAT(v ORDER BY v SEPARATOR '')", "BIT_XOR(v)"):
        for one, two in ((1, 1), (2, 2), (4, 4), (1, 2), (4, 3), (3, 3), (1, 4), (2, 3)):
            sql = f"SELECT {item} FROM Star WHERE id IN ({one}, {two})"
            assert (sql, rows.ask(sql)) == (sql, rows.ask(sql, "mono"))
    forget(testbed, rows.name)


def test_harmed_keys_are_refused_and_made_anew(rows: Rows) -> None:
    """A flipped bit and a lost folder: nothing follows them, verify says so, and a rebuild fixes them."""
    rows.add(Star=["1,25.1,12.5,1", "2,60,12.5,2"])
    folder = rows.testbed.cluster.folder / "director-keys" / rows.name / "Star"
    (places,) = folder.glob("*/places.npy")
    content = bytearray(places.read_bytes())
    content[-16] ^= 1
    places.write_bytes(content)
    for harm in ("bit", "folder"):
        if harm == "folder":
            shutil.rmtree(folder)
        bad = [check.name for check in rows.testbed.verify(rows.name) if not check.is_good]
        assert bad == ["keys of Star"]
        message = rows.refused(Src=["10,1,1", "20,2,1"])
        assert f"the keys of director '{rows.name}.Star' are damaged" in message
        assert f"run skyshard index rebuild {rows.name}" in message
        assert "are damaged" in rows.refused(Star_b=["1,90,0,5"])
        rows.testbed.rebuild_indexes(rows.name)
        assert rows.is_good()
    rows.add(Src=["10,1,1", "20,2,1"])
    assert rows.ask("SELECT sid, v FROM Star JOIN Src USING (id)") == [(10, 1), (20, 2)]


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        ("Star", "id varchar(8), ra double, decl double, v int", "director 'Star' has key 'id' of type varchar(8)"),
        ("Star", "id double, ra double, decl double, v int", "director 'Star' has key 'id' of type double"),
        ("Star", "id decimal(8,0), ra double, decl double, v int", "director 'Star' has key 'id' of type decimal(8,0)"),
        ("Src", "sid bigint, id varchar(8), f int", "table 'Src' has key 'id' of type varchar(8)"),
        ("Src", "sid bigint, id decimal(8,2), f int", "table 'Src' has key 'id' of type decimal(8,2)"),
    ],
)
def test_keys_that_cannot_lead_to_a_chunk_are_refused(
    testbed: Testbed, tmp_path: Path, table: str, columns: str, message: str
) -> None:
    """Before anything is touched, by table, column and type."""
    rows = Rows(testbed, tmp_path, **{table: {"columns": columns}})
    assert message in rows.refused(Star=["1,25,12,1"], Src=["5,1,1"])


def test_double_keys_that_stand_for_several_numbers_are_refused(testbed: Testbed, tmp_path: Path) -> None:
    """From 2^53 on a DOUBLE is compared with several keys as equal; below, it leads to its one director."""
    rows = Rows(testbed, tmp_path, Src={"columns": "sid bigint, id double, f int"})
    stars = [f"{2**53 - 1},25,12,1", f"{2**53 + 1},60,12,2"]
    message = rows.refused(Star=stars, Src=["1,5,1", f"2,{2**53},1"])
    assert "'Src.csv', row 2, column 'id': the key 9007199254740992 of type double cannot be told from its" in message
    rows.add(Star=stars, Src=[f"1,{2**53 - 1},1", "2,5.5,1", "3,\\N,1"])
    assert rows.ask("SELECT s.v, o.sid FROM Star s JOIN Src o ON s.id = o.id") == [(1, 1)]
    forget(testbed, rows.name)
