"""Rows that a table does not take: with doubled keys, without position, unwanted; counted, and exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tests.support.killing import Driver, digests, forget, leftovers
from tests.support.same_answer import rows_in

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.ingest import IngestReport
from skyshard.node.messages import Loader
from skyshard.synth import WeeklyOrder, WeeklyTruth, write_weekly
from skyshard.testbed import Testbed, survey_source

pytestmark = pytest.mark.integration

LOADERS = [Loader.IMAGE, Loader.LOAD_DATA]
STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
OBJECT: dict[str, Any] = {
    "files": ["Object*.parquet"], "role": "director", "key": "id", "position": ["ra", "decl"],
    "declare": [{"name": name, "type": kind} for name, kind in
                (("id", "bigint"), ("ra", "double"), ("decl", "double"), ("v", "int"), ("name", "varchar(8)"))],
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "files": ["Source*.parquet"], "role": "dependent", "director": "Object", "key": "id",
    "declare": [{"name": name, "type": "bigint"} for name in ("sid", "id")],
}  # fmt: skip
COLUMNS = ("id", "ra", "decl", "v", "isPrimary", "name")
Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    private_cluster.start_mono()
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


def row(key: int, ra: float | None, decl: float | None, v: int, *, primary: bool | None = True) -> Row:
    return key, ra, decl, v, primary, f"n{v}é"


def write_objects(path: Path, rows: list[Row], row_group_size: int = 2) -> None:
    kinds = (pa.int64(), pa.float64(), pa.float64(), pa.int32(), pa.bool_(), pa.string())
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.table(arrays, names=COLUMNS), path, row_group_size=row_group_size)


class Sky:
    """A database, and the folders of files that it is ingested from."""

    def __init__(self, testbed: Testbed, folder: Path) -> None:
        self.testbed = testbed
        self.folder = folder
        self.name = f"r{uuid.uuid4().hex[:8]}"
        self.number = 0

    def source(self, objects: dict[str, list[Row]], sources: Sequence[tuple[int, int]] = (), **tables: Any) -> Path:
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        described = {"Object": OBJECT | tables.get("Object", {})}
        for name, rows in objects.items():
            write_objects(folder / f"{name}.parquet", rows)
        if sources:
            sid, ids = zip(*sources, strict=True)
            pq.write_table(pa.table({"sid": sid, "id": ids}), folder / "Source.parquet")
            described["Source"] = SOURCE | tables.get("Source", {})
        content = {"version": 1, "database": self.name, "striping": STRIPING, "tables": described}
        (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
        return folder

    def add(self, *args: Any, loader: Loader = Loader.IMAGE, **tables: Any) -> IngestReport:
        return self.testbed.ingest(self.source(*args, **tables), loader=loader)

    def ask(self, sql: str, target: Any = "czar") -> list[Row]:
        return sorted(
            tuple(values) for values in rows_in(self.testbed.query(sql, database=self.name, target=target).table)
        )

    def is_good(self) -> bool:
        return all(check.is_good for check in self.testbed.verify(self.name))


@pytest.fixture
def sky(testbed: Testbed, tmp_path: Path) -> Iterator[Sky]:
    made = Sky(testbed, tmp_path)
    yield made
    forget(testbed, made.name)


KEEP_FIRST: dict[str, Any] = {"Object": {"duplicates": "keep-first"}}
A = [row(1, 25, 12, 10), row(2, 60, 12, 20), row(1, 25.01, 12, 11), row(3, 25, 12.01, 30)]
"""Key 1 twice in a file, in two row groups and one chunk."""
B = [row(3, 200, -40, 31), row(4, 200.1, -40, 40), row(2, 60, 12, 21)]
"""Key 3 in another chunk, key 2 in the same place."""


@pytest.mark.parametrize("loader", LOADERS)
def test_first_rows_are_kept_in_the_order_of_files_and_rows(sky: Sky, loader: Loader) -> None:
    """Across row groups, files and chunks, overlap rows included; what is left out is counted, dependents follow."""
    report = sky.add({"Object_a": A, "Object_b": B}, [(100, 1), (300, 3), (400, 4)], loader=loader, **KEEP_FIRST)
    objects, sources = report.tables
    assert (objects.rows, objects.left_out, sources.orphans) == (4, {"duplicates": 3}, 0)
    assert sky.ask("SELECT id, v FROM Object") == [(1, 10), (2, 20), (3, 30), (4, 40)]
    sky.testbed.load_mono(sky.name)
    for sql in (
        "SELECT o.v, s.sid FROM Object o JOIN Source s ON o.id = s.id",
        "SELECT a.v, b.v FROM Object a JOIN Object b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.3",
        "SELECT v FROM Object WHERE id IN (1, 3)",
        "SELECT COUNT(*) FROM Object",
    ):
        assert (sql, sky.ask(sql)) == (sql, sky.ask(sql, "mono"))
    assert sky.is_good()
    recorded = sky.testbed.registry.transactions.all(sky.name)[0]["report"]["tables"]
    assert recorded[0]["left_out"] == {"duplicates": 3}


@pytest.mark.parametrize("loader", LOADERS)
def test_rows_of_an_earlier_transaction_go_first(sky: Sky, loader: Loader) -> None:
    """A key that is there already is left out, wherever its row would go; its dependents join the row that is there."""
    sky.add({"Object_a": A}, loader=loader, **KEEP_FIRST)
    report = sky.add({"Object_b": B}, [(100, 2), (300, 3)], loader=loader, **KEEP_FIRST)
    assert report.tables[0].left_out == {"duplicates": 2}
    assert sky.ask("SELECT id, v FROM Object") == [(1, 10), (2, 20), (3, 30), (4, 40)]
    assert sky.ask("SELECT s.sid, o.v FROM Object o JOIN Source s ON o.id = s.id") == [(100, 20), (300, 30)]
    assert sky.is_good()


def test_policies_may_differ_between_transactions(sky: Sky) -> None:
    """What becomes of rows that come is not part of the table; whether its keys are unique is."""
    sky.add({"Object_a": A}, **KEEP_FIRST)
    with pytest.raises(UserError, match=r"key 2 of director 'Object' in .*Object_b.parquet', row 3 was ingested by an"):
        sky.add({"Object_b": [*B[1:2], row(9, 1, 1, 1), B[2]]})
    with pytest.raises(UserError, match="unique_key True, which is False in the source"):
        sky.add({"Object_b": B}, Object={"duplicates": "keep-all"})
    assert sky.add({"Object_b": B}, **KEEP_FIRST).tables[0].rows == 1


@pytest.mark.parametrize("loader", LOADERS)
def test_all_rows_of_a_key_are_kept_and_found(sky: Sky, loader: Loader) -> None:
    """``keep-all``: by key, ranges, joins, counts and pairs, as one server answers, over one chunk and several."""
    sky.add(
        {"Object_a": A, "Object_b": B}, [(100, 1), (300, 3), (400, 4)], loader=loader, Object={"duplicates": "keep-all"}
    )
    sky.testbed.load_mono(sky.name)
    for sql, right in {
        "SELECT v FROM Object WHERE id = 3": [(30,), (31,)],
        "SELECT v FROM Object WHERE id IN (1, 4)": [(10,), (11,), (40,)],
        "SELECT COUNT(*), COUNT(DISTINCT id) FROM Object WHERE id BETWEEN 1 AND 3": [(6, 3)],
        "SELECT o.v, s.sid FROM Object o JOIN Source s ON o.id = s.id WHERE s.id >= 3": [
            (30, 300), (31, 300), (40, 400)],
        "SELECT COUNT(*) FROM Object a JOIN Object b ON scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.05": [(15,)],
    }.items():  # fmt: skip
        assert (sql, sky.ask(sql)) == (sql, right)
        assert (sql, sky.ask(sql, "mono")) == (sql, right)
    assert sky.is_good()


@pytest.mark.parametrize("loader", [Loader.IMAGE, pytest.param(Loader.LOAD_DATA, marks=pytest.mark.deep)])
def test_unwanted_rows_are_left_out_and_their_dependents_are_orphans(sky: Sky, loader: Loader) -> None:
    """By a condition over an input column that no column takes; orphans are kept, refused or left out as asked."""
    rows = [row(1, 25, 12, 10), row(2, 60, 12, 20, primary=False), row(3, 25, 12.01, 30, primary=None)]
    wanted = {"where": "isPrimary and v < 40", "duplicates": "keep-first"}
    again = [row(1, 25, 12, 12, primary=False), row(2, 60, 12, 21), row(5, 60, 12, 50)]
    sources = [(100, 1), (200, 2), (300, 3)]
    with pytest.raises(UserError, match=r"Source.parquet', row 3: 'id' 3 is no key .* or say orphans: keep or skip"):
        sky.add({"Object_a": rows, "Object_b": again}, sources, Object=wanted, Source={"orphans": "refuse"})
    report = sky.add({"Object_a": rows, "Object_b": again}, sources, loader=loader, Object=wanted)
    objects, followers = report.tables
    assert (objects.rows, objects.left_out, followers.orphans) == (2, {"where": 4}, 1)
    assert sky.ask("SELECT id, v FROM Object") == [(1, 10), (2, 21)]
    assert sky.ask("SELECT sid FROM Source") == [(100,), (200,), (300,)]
    sky.testbed.load_mono(sky.name)
    join = "SELECT s.sid, o.v FROM Source s LEFT JOIN Object o ON o.id = s.id"
    assert sky.ask(join.replace("LEFT ", "")) == [(100, 10), (200, 21)]
    assert sky.is_good()
    other = Sky(sky.testbed, sky.folder / "1")
    report = other.add({"Object_a": rows}, sources, loader=loader, Object=wanted, Source={"orphans": "skip"})
    assert [(table.rows, table.left_out) for table in report.tables] == [(1, {"where": 2}), (1, {"orphans": 2})]
    assert other.is_good()
    forget(sky.testbed, other.name)


NAN, INF = float("nan"), float("inf")
BAD = [row(1, 25, 12, 10), row(2, NAN, 12, 20), row(3, 25, None, 30), row(4, INF, 0, 40), row(5, 25, 90.5, 50),
       row(6, 60, 12, 60)]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "loader"),
    [
        ("skip", Loader.IMAGE),
        ("quarantine", Loader.LOAD_DATA),
        pytest.param("skip", Loader.LOAD_DATA, marks=pytest.mark.deep),
        pytest.param("quarantine", Loader.IMAGE, marks=pytest.mark.deep),
    ],
)
def test_rows_without_a_position_are_left_out(sky: Sky, loader: Loader, policy: str) -> None:
    """NaN, NULL, infinity and latitudes beyond a pole; the quarantine has them as the input does, with file and row."""
    report = sky.add({"Object_a": BAD[:1], "Object_b": BAD[1:]}, loader=loader, Object={"bad_positions": policy})
    (table,) = report.tables
    assert (table.rows, table.left_out) == (2, {"bad_positions": 4})
    assert sky.ask("SELECT id FROM Object") == [(1,), (6,)]
    assert sky.is_good()
    if policy == "skip":
        assert table.quarantine == ""
        return
    kept = pq.read_table(table.quarantine)
    assert Path(table.quarantine).parent.parent.name == sky.name
    assert kept["inputRow"].to_pylist() == [1, 2, 3, 4]
    assert {Path(name).name for name in kept["inputFile"].to_pylist()} == {"Object_b.parquet"}
    assert kept["id"].to_pylist() == [2, 3, 4, 5]
    assert kept["name"].to_pylist() == ["n20é", "n30é", "n40é", "n50é"]
    assert repr(kept["ra"].to_pylist()) == "[nan, 25.0, inf, 25.0]"
    assert kept["decl"].to_pylist()[3] == 90.5


def test_a_row_without_a_position_is_refused_and_the_remedy_is_said(sky: Sky) -> None:
    """Unless a policy says otherwise, at plan and at ingest alike; nothing is left."""
    source = sky.source({"Object_a": BAD})
    words = "row 2: position .nan, 12. in columns 'ra' and 'decl' is not on the sphere.*say bad_positions: skip or"
    with pytest.raises(UserError, match=words):
        survey_source(sky.testbed.plan(source), sky.testbed.cluster.folder)
    with pytest.raises(UserError, match=words):
        sky.testbed.ingest(source)
    assert sky.name not in sky.testbed.registry.published.databases()


def test_quarantine_goes_with_its_transaction(sky: Sky) -> None:
    """A second transaction has a file of its own; what is taken back leaves none."""
    quarantine: dict[str, Any] = {"Object": {"bad_positions": "quarantine"}}
    sky.add({"Object_a": BAD}, **quarantine)
    folder = sky.testbed.cluster.folder / "quarantine" / sky.name
    assert len(list(folder.glob("*/*"))) == 1
    with pytest.raises(UserError, match="was ingested by an earlier"):
        sky.add({"Object_b": [row(7, NAN, 1, 1), row(1, 25, 12, 11)]}, **quarantine)
    assert len(list(folder.glob("*/*"))) == 1
    sky.add({"Object_b": [row(7, NAN, 1, 1), row(8, 25, 12, 11)]}, **quarantine)
    assert sorted(len(pq.read_table(path)) for path in folder.glob("*/*")) == [1, 4]


def test_plan_finds_what_ingest_refuses(sky: Sky) -> None:
    """Doubled keys of one file, of two, and of an earlier transaction: key, files and rows."""
    testbed = sky.testbed

    def refused(source: Path) -> set[str]:
        """What plan and ingest say, up to the number of such rows that only the plan knows."""
        said = set()
        survey = partial(survey_source, testbed.plan(source), testbed.cluster.folder)
        for check in (survey, partial(testbed.ingest, source)):
            with pytest.raises(UserError) as caught:
                check()
            said.add(caught.value.what.partition(";")[0].replace(str(source), ""))
        return said

    assert refused(sky.source({"Object_a": A})) == {
        "key 1 of director 'Object' occurs twice, in '/Object_a.parquet', rows 1 and 3"
    }
    assert refused(sky.source({"Object_a": A[:2], "Object_b": [row(9, 1, 1, 1), row(2, 200, 0, 3)]})) == {
        "key 2 of director 'Object' occurs twice, in '/Object_a.parquet', row 2 and '/Object_b.parquet', row 2"
    }
    first = sky.source({"Object_a": A[:2]})
    testbed.ingest(first)
    again = refused(sky.source({"Object_b": [row(9, 1, 1, 1), row(2, 200, 0, 3)]}))
    assert again == {
        "key 2 of director 'Object' in '/Object_b.parquet', row 2 was ingested by an earlier transaction "
        f"('{first}/Object_a.parquet', row 2)"
    }


def test_plan_counts_what_will_be_left_out(sky: Sky) -> None:
    """By policy, with earlier transactions in mind; as the ingest then does."""
    policies: dict[str, Any] = {"Object": {"duplicates": "keep-first", "bad_positions": "skip", "where": "v <> 60"}}
    sky.add({"Object_a": A}, **policies)
    source = sky.source({"Object_a": A, "Object_b": [*B, *BAD[1:]]}, **policies)
    survey = survey_source(sky.testbed.plan(source), sky.testbed.cluster.folder)
    assert survey.replayed == {"Object": 1}
    (planned,) = survey.tables
    (done,) = sky.testbed.ingest(source).tables
    assert planned.left_out == done.left_out == {"where": 1, "bad_positions": 4, "duplicates": 2}
    assert planned.rows == done.rows == 1


NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "tinyint unsigned", "smallint unsigned", "int unsigned",
           "bigint unsigned", "float", "double", "decimal(10,3)", "boolean", "bit(8)", "year")  # fmt: skip
NOTHING = [None, NAN, INF, -INF]
"""What the input has in rows 2 to 5 of a column of numbers; row 1 has a number."""


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_what_is_no_number_is_null_and_never_zero(sky: Sky, loader: Loader, kind: str) -> None:
    """NULL, NaN and infinities, in columns of every type of number, by every way into a table."""
    columns = {f"c{i}": number for i, number in enumerate(NUMBERS) if kind == "parquet" or number != "bit(8)"}
    given: dict[str, list[Any]] = {"id": [1, 2, 3, 4, 5], "ra": [25.0] * 5, "decl": [12.0] * 5}
    for name, number in columns.items():
        is_whole = number in ("bit(8)", "year")  # of these, text and NaN are refused
        given[name] = [2000.0 if number == "year" else 1.0, *([None] * 4 if is_whole else NOTHING)]
        given[name] = [value if value is None else int(value) for value in given[name]] if is_whole else given[name]
    declared = [{"name": "id", "type": "bigint"}, *({"name": name, "type": "double"} for name in ("ra", "decl"))]
    declared += [{"name": name, "type": number} for name, number in columns.items()]
    folder = sky.source({}, Object={"files": [f"o.{kind}"], "declare": declared, "text": {"null_text": ""}})
    if kind == "parquet":
        pq.write_table(pa.table(given), folder / "o.parquet")
    else:
        rows = zip(*given.values(), strict=True)
        lines = [",".join("" if v is None else f"{v:g}" for v in values) for values in rows]
        (folder / "o.csv").write_text("\n".join([",".join(given), *lines]) + "\n")
    sky.testbed.ingest(folder, loader=loader)
    sky.testbed.load_mono(sky.name)
    for target in ("czar", "mono"):
        for name, number in columns.items():
            found = sky.ask(f"SELECT id, {name} IS NULL, COALESCE({name} = 0, 7) FROM Object", target)
            assert (number, found) == (number, [(1, 0, 0), (2, 1, 7), (3, 1, 7), (4, 1, 7), (5, 1, 7)])
    assert sky.is_good()


@pytest.fixture(scope="module")
def weekly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WeeklyTruth]:
    """A reprocessing as a Butler leaves it, with rows that come twice and rows that are nowhere."""
    out = tmp_path_factory.mktemp("weekly")
    order = WeeklyOrder("hsc-gen3", 1, 300, columns="few", doubled=20, bad_positions=9)
    return out, write_weekly(order, out)


def test_a_reprocessing_with_doubled_and_bad_rows(testbed: Testbed, weekly: tuple[Path, WeeklyTruth]) -> None:
    """Plan and ingest leave out what the generator says; dependents of rows that nobody wants are orphans."""
    out, truth = weekly
    known = truth.dataset_types["objectTable_tract"]
    policies: dict[str, Any] = {"duplicates": "keep-first", "bad_positions": "quarantine"}
    content: dict[str, Any] = {"version": 1, "extends": "hsc-gen3", "input": str(out / truth.tree)}
    mapping = out / "mapping.yaml"
    for where, rows in (("", known.rows - 29), ("detect_isPrimary", None)):
        content["database"] = name = f"w{uuid.uuid4().hex[:8]}"
        content["tables"] = {"Object": policies | ({"where": where} if where else {})}
        mapping.write_text(yaml.safe_dump(content))
        plan = testbed.plan(mapping, tables=["Object", "ForcedSource"])
        planned = survey_source(plan, testbed.cluster.folder).tables[0]
        objects, forced = testbed.ingest(mapping, tables=["Object", "ForcedSource"]).tables
        assert (planned.left_out, planned.rows) == (objects.left_out, objects.rows)
        if rows is not None:
            bad_twice = len(set(known.bad_positions) & set(known.doubled_keys))
            assert objects.left_out == {"bad_positions": 9 + bad_twice, "duplicates": 20 - bad_twice}
            assert objects.rows == rows
        found = {key for (key,) in rows_in(testbed.query("SELECT objectId FROM Object", database=name).table)}
        files = [piece.path for piece in plan.tables[1].source.slices]
        followed = pa.concat_tables([pq.read_table(file, columns=["objectId"]) for file in files])["objectId"]
        assert forced.orphans == sum(key not in found for key in followed.to_pylist())
        assert forced.orphans or not where
        join = "SELECT COUNT(*) FROM Object o JOIN ForcedSource f ON o.objectId = f.objectId"
        ((joined,),) = rows_in(testbed.query(join, database=name).table)
        assert joined == forced.rows - forced.orphans
        assert all(check.is_good for check in testbed.verify(name))
        forget(testbed, name)


# killed and gone on with


def many(seed: int) -> list[Row]:
    """Rows of 300 keys, two of three twice or more, in some chunks, some nowhere; not two alike."""
    random = np.random.default_rng(seed)
    keys, ra = random.integers(0, 300, 500), random.uniform(20, 45, 500)
    decl = np.where(random.random(500) < 0.05, np.nan, random.uniform(0, 25, 500))
    places = zip(keys.tolist(), ra.tolist(), decl.tolist(), strict=True)
    return [row(key, x, y, 1000 * seed + i) for i, (key, x, y) in enumerate(places)]


def first_of(rows: list[Row], known: set[int]) -> dict[int, int]:
    """Key → v of the first row that has a position, of keys that are not known."""
    found: dict[int, int] = {}
    for key, _, decl, v, _, _ in rows:
        if decl == decl and key not in known:
            found.setdefault(key, v)
    return found


@pytest.mark.parametrize(
    "stage", ["load", *(pytest.param(stage, marks=pytest.mark.deep) for stage in ("keys of Object", "publish"))]
)
def test_killed_ingests_leave_out_the_same_rows(sky: Sky, stage: str) -> None:
    """After kill -9 in a first and in a second transaction, and another run: the rows of an undisturbed ingest."""
    testbed, cluster = sky.testbed, sky.testbed.cluster.folder
    policies: dict[str, Any] = {"Object": {"duplicates": "keep-first", "bad_positions": "quarantine"}}
    files = {f"Object_{name}": many(seed) for seed, name in enumerate("abcd", 1)}
    sources = [sky.source(dict(some), **policies) for some in (list(files.items())[:2], files.items())]
    struck = f"{sky.name}_k"
    for number, source in enumerate(sources):
        undisturbed = testbed.ingest(source)
        driver = Driver(cluster, source, struck, "inline", sky.folder / f"{number}.log")
        driver.wait_for(lambda lines: stage in lines)
        driver.process.kill()
        assert driver.end() in ("killed", "done")
        resumed = testbed.ingest(source, database=struck)
        assert digests(testbed.registry.replicas.all(struck)) == digests(testbed.registry.replicas.all(sky.name))
        if resumed.transaction:  # else it was published when it was struck
            assert resumed.tables[0].left_out == undisturbed.tables[0].left_out
    right: dict[int, int] = {}
    for name in sorted(files):
        right |= first_of(files[name], set(right))
    assert sky.ask("SELECT id, v FROM Object") == sorted(right.items())
    assert sky.is_good()
    folders = [cluster / "quarantine" / name for name in (sky.name, struck)]
    kept = [sorted(folder.glob("*/*"), key=lambda path: int(path.parent.name)) for folder in folders]
    assert [len(paths) for paths in kept] == [2, 2]
    for one, two in zip(*kept, strict=True):
        assert pq.read_table(one).drop_columns(["ra", "decl"]).equals(pq.read_table(two).drop_columns(["ra", "decl"]))
    bad = sum(pq.read_table(path).num_rows for path in kept[1])
    assert bad == sum(decl != decl for rows in files.values() for _, _, decl, _, _, _ in rows)
    assert list(leftovers(testbed, struck)) == []
    forget(testbed, struck)
