"""Plans of an ingest: what is decided before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.partitioned import partition_all
from tests.support.small_catalog import write_small_catalog

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Striping, read_layout
from skyshard.ingest.estimate import survey
from skyshard.ingest.plan.ingest_plan import make_plan
from skyshard.ingest.sources.open_source import open_source
from skyshard.runtime import open_runtime


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return write_small_catalog(tmp_path / "small", objects=20)


def test_directors_come_first_and_regular_tables_last(catalog: Path) -> None:
    """A dependent finds its director's keys when its turn comes."""
    assert [table.name for table in make_plan(open_source(catalog)).tables] == ["Object", "Source", "Filter", "Nothing"]


def test_blob_tables_take_load_data_and_say_why(catalog: Path) -> None:
    """The plan names the loader of each table, and the reason where it is not row images."""
    loaders = {table.name: (str(table.loader), table.why_loader) for table in make_plan(open_source(catalog)).tables}
    assert loaders["Object"] == ("image", "")
    assert loaders["Source"] == ("load-data", "BLOB or TEXT column cutout")


def test_other_layout_replaces_the_striping_and_keeps_the_roles(catalog: Path) -> None:
    """A layout file without tables changes the striping only."""
    layout = Layout(striping=Striping(stripes=340, substripes=3, overlap_deg=0.01667), replicas=2)
    plan = make_plan(open_source(catalog), override=layout)
    assert (plan.layout.striping.stripes, plan.layout.replicas) == (340, 2)
    assert plan.layout.tables["Source"].director == "Object"


def test_other_engines_take_row_images_too(catalog: Path) -> None:
    """The server copies them into its own tables; only a type that they do not hold takes LOAD DATA."""
    layout = Layout(striping=Striping(stripes=85, substripes=12, overlap_deg=0.01667), engine="Aria")
    plan = make_plan(open_source(catalog), override=layout)
    assert {table.why_loader for table in plan.tables} == {"", "BLOB or TEXT column cutout"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\nstriping: {stripes: 85, substripes: 12, overlap_deg: 0.1}\nstripse: 3\n", "key 'stripse'"),
        ("version: 1\nstriping: {stripes: 85, substripes: 12, overlap_deg: -1}\n", "key 'striping.overlap_deg'"),
        ("version: 2\nstriping: {stripes: 85, substripes: 12, overlap_deg: 0.1}\n", "key 'version'"),
        ("striping: [", "is not YAML"),
    ],
)
def test_wrong_layout_names_its_key(tmp_path: Path, text: str, words: str) -> None:
    """An unknown key, a wrong number and broken YAML are one line with the file and the key."""
    path = tmp_path / "wide.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"wide\.yaml") as caught:
        read_layout(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["1st", "a-b", "x" * 57, "a b", "a;b"])
def test_unusable_database_names_are_refused(catalog: Path, name: str) -> None:
    """A database name is letters, digits and underscores, at most 56."""
    with pytest.raises(UserError, match="is no usable database name"):
        make_plan(open_source(catalog), database=name)


def test_unknown_table_is_named(catalog: Path) -> None:
    """``--tables`` takes only what the source has."""
    with pytest.raises(UserError, match="has no table 'Objekt'; it has Filter, Nothing, Object, Source"):
        make_plan(open_source(catalog), tables=["Objekt"])


@pytest.mark.parametrize("nodes", [1, 3])
def test_survey_says_what_partitioning_finds(catalog: Path, tmp_path: Path, nodes: int) -> None:
    """Rows, overlap copies and chunks before the ingest are those that partitioning gives; all bytes have a node."""
    source = open_source(catalog)
    plan = make_plan(source)
    names = [f"node{i}" for i in range(nodes)]
    with open_runtime("inline", names) as runtime:
        found = survey(plan, names, runtime)
    reports = partition_all(source, tmp_path / "staging")
    for table in found.tables:
        segments = [segment for report in reports[table.table] for segment in report.segments]
        assert table.rows == sum(report.rows for report in reports[table.table])
        assert table.overlap_rows == sum(segment.rows for segment in segments if segment.is_overlap)
        if table.table == "Object":
            assert table.chunks == len({segment.chunk for segment in segments if not segment.is_overlap})
            assert table.overlap_rows > 0
    assert set(found.node_bytes) == set(names)
    assert sum(found.node_bytes.values()) >= sum(table.stored_bytes for table in found.tables)
    assert found.skew >= 1


def test_pairs_without_their_first_side_are_counted(tmp_path: Path) -> None:
    """NULL says that a side is not there, as it does to the ingest; any other place beyond the sphere is refused."""
    (tmp_path / "o.csv").write_text("id,ra,dec\n1,10,0\n")
    (tmp_path / "m.csv").write_text("a,ra,dec,b\n1,10,0,1\n\\N,\\N,\\N,1\n")
    columns = "declare: [{name: %s, type: bigint, nullable: %s}, {name: ra, type: double}, {name: dec, type: double}%s]"
    (tmp_path / "m.yaml").write_text(
        "version: 1\ndatabase: pairs\nstriping: {stripes: 18, substripes: 3, overlap_deg: 0.1}\ntables:\n"
        f"  O: {{files: [o.csv], role: director, key: id, position: [ra, dec], {columns % ('id', 'false', '')}}}\n"
        "  M: {files: [m.csv], role: ref-match, director: O, key: a, position: [ra, dec], director2: O, key2: b, "
        f"flag: f, {columns % ('a', 'true', ', {name: b, type: bigint}, {name: f, type: tinyint}')}}}\n"
    )
    with open_runtime("inline", ("node1",)) as runtime:
        found = survey(make_plan(open_source(tmp_path / "m.yaml")), ("node1",), runtime)
        assert {table.table: table.rows for table in found.tables} == {"O": 1, "M": 2}
        (tmp_path / "m.csv").write_text("a,ra,dec,b\n1,10,95,1\n")
        with pytest.raises(UserError, match="not on the sphere"):
            survey(make_plan(open_source(tmp_path / "m.yaml")), ("node1",), runtime)
