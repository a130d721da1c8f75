"""Tables that MariaDB does not make, refused before anything is touched."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Key, Table
from skyshard.ingest.plan.storable import require_storable, require_tables_distinct
from skyshard.rowimage.sqltype import parse_type


def table(*types: str, keys: tuple[Key, ...] = (), primary: tuple[str, ...] = ()) -> Table:
    """Columns ``c1``, ``c2`` ... of the given types."""
    columns = tuple(Column(f"c{number}", parse_type(text)) for number, text in enumerate(types, 1))
    return Table("T", columns, primary, keys)


@pytest.mark.parametrize(
    "types",
    [
        ("int", "varchar(20)", "double"), ("char(255)",), ("varchar(65532)",), ("bit(64)",), ("datetime(6)",),
        ("enum('a','b')",), ("blob", "longtext"),
    ],
)  # fmt: skip
def test_tables_that_servers_make_are_taken(types: tuple[str, ...]) -> None:
    """Up to the longest of each type."""
    require_storable(table(*types), "MyISAM")


@pytest.mark.parametrize(
    ("types", "what"),
    [
        (("char(256)",), "column 'c1': char.256. is too long"),
        (("bit(65)",), "column 'c1': bit.65. is too long"),
        (("int", "varchar"), "column 'c2': varchar without a length"),
        (("varchar(40000)", "varchar(40000)"), "a row of 80,0.. bytes is too long"),
        (("set(" + ",".join(f"'{n}'" for n in range(65)) + ")",), "column 'c1': 65 members"),
        (("enum('π')",), "member 'π' has a character outside latin1"),
        (("int unique",), "UNIQUE in int unique"),
    ],
)
def test_what_no_server_makes_is_refused(types: tuple[str, ...], what: str) -> None:
    """The error names the column where it is one's."""
    with pytest.raises(UserError, match=what):
        require_storable(table(*types), "MyISAM")


def test_a_row_of_many_columns_is_refused_by_their_number() -> None:
    """4,096 is the most."""
    with pytest.raises(UserError, match="4,097 columns"):
        require_storable(table(*["tinyint"] * 4_097), "MyISAM")


def test_columns_that_differ_in_case_only_are_one_to_sql() -> None:
    """Both names are told."""
    twins = Table("T", (Column("Ra", parse_type("int")), Column("rA", parse_type("int"))))
    with pytest.raises(UserError, match="'Ra' and 'rA' are one name"):
        require_storable(twins, "MyISAM")
    with pytest.raises(UserError, match="'Object' and 'object' are one name"):
        require_tables_distinct(["Object", "Source", "object"])


def test_a_unique_key_is_as_long_as_its_engine_takes() -> None:
    """MyISAM takes 1,000 bytes, InnoDB 3,072; a beginning of the column may do."""
    long = table("varchar(1500) character set latin1", keys=(Key("k", ("c1",), True),))
    with pytest.raises(UserError, match="key 'k' is too long: 1,503 bytes, where MyISAM takes 1,000"):
        require_storable(long, "MyISAM")
    require_storable(long, "InnoDB")
    require_storable(table("varchar(1500)", keys=(Key("k", ("c1(20)",), True),)), "MyISAM")


def test_a_key_that_is_not_unique_may_be_longer() -> None:
    """The server cuts it."""
    require_storable(table("varchar(1500)", keys=(Key("k", ("c1",)),)), "MyISAM")


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (tuple(Key(f"k{n}", ("c1",)) for n in range(65)), "65 keys"),
        ((Key("k", ("c1",) * 33),), "key 'k' has 33 columns"),
        ((Key("k", ("c9",)),), "key 'k': no column 'c9'"),
    ],
)
def test_keys_that_no_server_makes_are_refused(keys: tuple[Key, ...], what: str) -> None:
    """Too many, too wide, or of a column that is not there."""
    with pytest.raises(UserError, match=what):
        require_storable(table("int", keys=keys), "MyISAM")
