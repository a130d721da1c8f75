"""Tables as nodes store them, and their CREATE TABLE texts."""

from __future__ import annotations

import pytest

from skyshard.catalog.ddl import create_merge_table, create_table, stored_table
from skyshard.catalog.engines import TableEngine
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Column, Key, Table
from skyshard.ingest.sources.mysql_ddl import parse_create_table
from skyshard.rowimage.sqltype import parse_type

DIRECTOR = TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
DEPENDENT = TableLayout(role=Role.DEPENDENT, key="OBJECTID", director="Object")
LONGEST = 64


def table(columns: str, primary: tuple[str, ...] = (), *keys: Key, name: str = "Object") -> Table:
    parts = (one.split(" ", 1) for one in columns.split(", "))
    made = (Column(name, parse_type(kind.rstrip("!")), not kind.endswith("!")) for name, kind in parts)
    return Table(name, tuple(made), primary, keys)


OBJECT = table("objectId bigint(20)!, ra double, decl double, note varchar(9)")


def keys(made: Table) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(key.name, key.columns, key.is_unique) for key in made.keys]


def test_a_director_has_its_key_once_and_sub_chunks_to_read() -> None:
    """Chunk columns at the end, the director key as primary key, a key on the sub-chunk."""
    made = stored_table(OBJECT, DIRECTOR)
    assert made.column_names == ["objectId", "ra", "decl", "note", "chunkId", "subChunkId"]
    assert made.primary_key == ("objectId",)
    assert keys(made) == [("subChunkId", ("subChunkId",), False)]


def test_an_overlap_table_has_the_same_keys_and_none_unique() -> None:
    """A row may be copied for several sub-chunks of one chunk."""
    full = table("objectId bigint(20)!, ra double, decl double", ("ra",), Key("one", ("decl",), True))
    made = stored_table(full, DIRECTOR, overlap=True)
    assert (made.name, made.primary_key) == ("ObjectFullOverlap", ())
    assert keys(made) == [
        ("declared_key", ("ra",), False), ("one", ("decl",), False), ("subChunkId", ("subChunkId",), False),
        ("primary_key", ("objectId",), False),
    ]  # fmt: skip


def test_a_declared_primary_key_beside_the_directors_is_unique() -> None:
    """A table has one primary key: the director's; what the schema promises of another one is kept."""
    made = stored_table(table("objectId bigint(20)!, id int(11)!", ("id",)), DIRECTOR)
    assert made.primary_key == ("objectId",)
    assert ("declared_key", ("id",), True) in keys(made)


def test_keys_that_may_stand_twice_are_no_promise() -> None:
    """With ``unique_key: false`` the director key is a plain one, also where the schema says it is unique."""
    twice = DIRECTOR.model_copy(update={"unique_key": False})
    declared = table("objectId bigint(20)!, id int(11)!", ("objectId",), Key("u", ("objectId",), True))
    made = stored_table(declared, twice)
    assert made.primary_key == ()
    assert keys(made) == [("u", ("objectId",), False), ("subChunkId", ("subChunkId",), False)]
    other = stored_table(table("objectId bigint(20)!, id int(11)!", ("id",)), twice)
    assert other.primary_key == ("id",)


def test_a_dependent_is_found_by_its_director() -> None:
    """A key on the column that holds the director's, spelled as the table spells it."""
    made = stored_table(table("sourceId bigint(20)!, objectId bigint(20)", ("sourceId",), name="Source"), DEPENDENT)
    assert made.primary_key == ("sourceId",)
    assert keys(made) == [("objectId_director", ("objectId",), False)]


def test_indexes_of_a_layout_are_added_once() -> None:
    """Those whose columns are indexed already are left out, in any case; names are told apart, and not too long."""
    layout = TableLayout(role=Role.REGULAR, indexes=[["A", "b"], ["b", "a"], ["x" * 70], ["primary"]])
    made = stored_table(table("a int(11), b int(11)", (), Key("a_b", ("a", "b")), Key("b_a", ("b",))), layout)
    assert [name for name, _, _ in keys(made)] == ["a_b", "b_a", "b_a_2", "x" * 60, "primary_2"]
    assert all(len(name) <= LONGEST for name, _, _ in keys(made))


def test_a_regular_table_is_stored_as_it_is() -> None:
    """No chunk columns, its own keys."""
    plain = table("id int(11)!, name varchar(9)", ("id",), Key("name", ("name",)), name="Filter")
    assert stored_table(plain, TableLayout(role=Role.REGULAR)) == plain


def test_the_text_of_a_table_is_read_back_as_the_table() -> None:
    """CREATE TABLE and its reader agree on columns, types, NULL and keys."""
    made = stored_table(
        table("objectId bigint(20) unsigned!, ra double, name varchar(9), t datetime(6)", (), Key("n", ("name(4)",))),
        DIRECTOR,
    )
    back = parse_create_table(create_table(made, "Object"), "here")
    assert (back.columns, back.primary_key, back.keys) == (made.columns, made.primary_key, made.keys)


@pytest.mark.parametrize(
    ("column", "line"),
    [
        (Column("t", parse_type("timestamp"), True), "`t` timestamp NULL DEFAULT NULL"),
        (Column("t", parse_type("timestamp"), False), "`t` timestamp NOT NULL DEFAULT '0000-00-00 00:00:00'"),
        (Column("n", parse_type("int(11)"), False, "7"), "`n` int(11) NOT NULL DEFAULT 7"),
        (Column("a`b", parse_type("int(11)")), "`a``b` int(11) NULL"),
    ],
)
def test_a_column_says_its_default_where_the_server_would_choose_one(column: Column, line: str) -> None:
    """The server gives a TIMESTAMP the present time if nothing is said."""
    assert f"  {line}\n)" in create_table(Table("t", (column,)), "t")


def test_rows_have_one_length_where_they_can() -> None:
    """FIXED unless a blob needs DYNAMIC; other engines have their own format."""
    plain, blob = Table("t", (Column("a", parse_type("int(11)")),)), Table("t", (Column("a", parse_type("text")),))
    assert create_table(plain, "t").endswith("ENGINE=MyISAM DEFAULT CHARSET=latin1 ROW_FORMAT=FIXED")
    assert create_table(blob, "t").endswith("ROW_FORMAT=DYNAMIC")
    assert create_table(plain, "t", engine=TableEngine("Aria")).endswith("ENGINE=Aria DEFAULT CHARSET=latin1")


def test_parts_are_shown_as_one_table_without_unique_keys() -> None:
    """A value may stand in two parts; the keys are those of the parts, in the order in which the server keeps them."""
    made = table("id int(11)!, n int(11)", ("id",), Key("plain", ("n",)), Key("once", ("n", "id"), True))
    text = create_merge_table(made, "t", ["t_g1", "t_g2"])
    assert "UNIQUE" not in text
    assert "PRIMARY" not in text
    assert text.index("`primary_key`") < text.index("`once`") < text.index("`plain`")
    assert text.endswith(
        "ENGINE=MRG_MyISAM DEFAULT CHARSET=latin1 ROW_FORMAT=FIXED UNION=(`t_g1`, `t_g2`) INSERT_METHOD=NO"
    )


def test_parts_of_another_engine_are_shown_by_a_view() -> None:
    """MERGE takes MyISAM only."""
    assert create_merge_table(OBJECT, "t", ["t_g1", "t_g2"], engine="InnoDB") == (
        "CREATE VIEW `t` AS SELECT * FROM `t_g1` UNION ALL SELECT * FROM `t_g2`"
    )
