"""Tables that no server makes: rules of the plan refuse none that a server makes; a server is asked for the rest."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.engines import TableEngine
from skyshard.catalog.schema import Column, Key, Table
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, Connection, connect
from skyshard.ingest.plan.server_check import make_table, require_engine
from skyshard.ingest.plan.storable import require_storable
from skyshard.rowimage.sqltype import parse_type
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration


def table(columns: dict[str, str], primary: tuple[str, ...] = (), *keys: Key, nullable: bool = False) -> Table:
    made = tuple(Column(name, parse_type(kind), nullable) for name, kind in columns.items())
    return Table("t", made, primary, keys)


def chars(count: int, last: int = 255) -> dict[str, str]:
    return {**{f"c{i}": "char(255)" for i in range(count)}, "last": f"char({last})"}


TINY = {f"c{i}": "tinyint" for i in range(70)}
RIGHT: dict[str, Table] = {
    "row of 65,535 bytes": table(chars(256, 254)),
    "BLOB counts ten bytes": table({**chars(256, 200), "b": "blob"}),
    "long varchar": table({"v": "varchar(65532)"}),
    "long key of one column": table({"v": "varchar(2000)"}, (), Key("k", ("v",))),
    "primary key of 1,000 bytes": table({"v": "varchar(998)"}, ("v",)),
    "63 keys and a primary one": table(TINY, ("c0",), *(Key(f"k{i}", (f"c{i}",)) for i in range(63))),
    "key of 32 columns": table(TINY, (), Key("k", tuple(list(TINY)[:32]))),
    "words of SQL in members": table({"e": "enum('as key','a  b','it''s unique')", "s": "set('check')"}),
    "comment": table({"v": "int comment 'the key'"}),
    "64 members": table({"s": f"set({','.join(map(repr, map(str, range(64))))})"}),
    "words of SQL as names": table(
        {"select": "int", "from": "int", "key": "int"}, ("select",), Key("order", ("from",))
    ),
    "beginning of a text as key": table({"t": "text"}, (), Key("k", ("t(20)",))),
    "wide characters": table({"v": "varchar(16383) character set utf8mb4"}),
}
BY_RULE: dict[str, tuple[Table, str]] = {
    "row of 65,536 bytes": (table(chars(256, 255)), "65,536 bytes is too long"),
    "varchar": (table({"v": "varchar(65533)"}), "column 'v': varchar(65533) is too long"),
    "wide varchar": (table({"v": "varchar(16384) character set utf8mb4"}), "column 'v'"),
    "char(256)": (table({"v": "char(256)"}), "column 'v': char(256) is too long"),
    "no length": (table({"v": "varchar"}), "column 'v': varchar without a length"),
    "bits": (table({"v": "bit(65)"}), "column 'v'"),
    "digits of a second": (table({"v": "datetime(7)"}), "column 'v'"),
    "columns": (table({f"c{i}": "tinyint" for i in range(4097)}), "4,097 columns"),
    "names in two cases": (table({"a": "int", "A": "int"}), "'a' and 'A' are one name to SQL"),
    "keys": (table(TINY, ("c0",), *(Key(f"k{i}", (f"c{i}",)) for i in range(64))), "65 keys"),
    "columns of a key": (table(TINY, (), Key("k", tuple(list(TINY)[:33]))), "key 'k' has 33 columns"),
    "primary key": (table({"v": "varchar(1001)"}, ("v",)), "the primary key is too long"),
    "unique key": (table({"v": "varchar(800)", "w": "char(200)"}, (), Key("k", ("v", "w"), True)), "1,002 bytes"),
    "key without column": (table({"v": "int"}, (), Key("k", ("w",))), "key 'k': no column 'w'"),
    "members": (table({"s": f"set({','.join(map(repr, map(str, range(65))))})"}), "column 's': 65 members"),
    "charset": (table({"v": "char(3) character set ucs2"}), "character set 'ucs2'"),
    "charset of members": (table({"e": "enum('a') character set binary"}), "character set 'binary'"),
    "letter of a member": (table({"e": "enum('a','\u03a9')"}), "column 'e': member '\u03a9'"),
    "packed": (table({"v": "varchar(10) compressed"}), "column 'v': COMPRESSED"),
    "computed": (table({"a": "int", "v": "int as (a + 1)"}), "column 'v': AS in int as"),
    "counted": (table({"v": "int auto_increment"}), "column 'v': AUTO_INCREMENT"),
}


def numbers(count: int, kind: str = "double") -> Table:
    return table({f"c{i}": kind for i in range(count)})


INNODB: dict[str, tuple[Table, str]] = {
    "columns": (numbers(1_018), "1,018 columns with our own, where InnoDB takes 1,017"),
    "numbers": (numbers(1_016), "at least 8,128 bytes of a row must be in one page"),
    "texts": (numbers(420, "varchar(40)"), "at least 8,400 bytes of a row"),
    "characters": (numbers(850, "char(10)"), "at least 8,500 bytes of a row"),
    "key": (table({"v": "varchar(3073)"}, ("v",)), "the primary key is too long: 3,075 bytes, where InnoDB takes"),
}
MADE_BY_INNODB: dict[str, Table] = {
    "columns": numbers(1_017, "int"),
    "numbers": numbers(990),
    "texts": numbers(190, "varchar(300)"),
    "BLOBs": numbers(190, "blob"),
    "characters": numbers(780, "char(10)"),
    "key": table({"v": "varchar(3070)"}, ("v",)),
}
MADE_BY_THE_SERVER = {"charset", "unique key", "charset of members", "letter of a member", "packed", "computed"}
"""Refused all the same: row images cannot hold them, or the server changes what is asked for."""
BY_SERVER: dict[str, tuple[Table, str]] = {
    "members in two cases": (table({"a": "int", "e": "enum('x','X')"}), "column 'e'"),
    "comma in a member": (table({"e": "set('a,b')"}), "column 'e'"),
    "unknown collation": (table({"a": "int", "v": "char(3) collate latin1_none"}), "column 'v'"),
    "two keys of a name": (table({"a": "int", "b": "int"}, (), Key("k", ("a",)), Key("K", ("b",))), "table 't'"),
    "float of 60 digits": (table({"f": "float(60)"}), "column 'f'"),
    "definition": (table({f"c{i}": "tinyint" for i in range(4096)}), "table 't'"),
}


@pytest.fixture(scope="module")
def server(private_cluster: PrivateCluster) -> Iterator[Connection]:
    with connect(private_cluster.endpoint("node1"), Account.ADMIN) as connection:
        connection.execute("CREATE DATABASE makeable CHARACTER SET latin1")
        connection.execute("USE makeable")
        yield connection
        connection.execute("DROP DATABASE makeable")


def refusal(server: Connection, made: Table) -> str:
    """What the server says of a table, empty where it makes it."""
    server.execute("DROP TABLE IF EXISTS t")
    try:
        make_table(server, made)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", RIGHT)
def test_rules_refuse_nothing_that_the_server_makes(server: Connection, name: str) -> None:
    """At the very limit of each rule."""
    require_storable(RIGHT[name], "MyISAM")
    assert refusal(server, RIGHT[name]) == ""


@pytest.mark.parametrize("name", BY_RULE)
def test_rules_refuse_what_the_server_refuses(server: Connection, name: str) -> None:
    """One line with the table and the column or key."""
    made, words = BY_RULE[name]
    with pytest.raises(UserError) as caught:
        require_storable(made, "MyISAM")
    assert "table 't'" in str(caught.value)
    assert words in str(caught.value)
    if name not in MADE_BY_THE_SERVER:
        assert refusal(server, made)


@pytest.mark.parametrize("name", BY_SERVER)
def test_server_is_asked_for_what_no_rule_knows(server: Connection, name: str) -> None:
    """Its words come with table and column, without socket and statement."""
    made, words = BY_SERVER[name]
    require_storable(made, "MyISAM")
    said = refusal(server, made)
    assert words in said
    assert "CREATE" not in said
    assert ".sock" not in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"declare": [{"name": "v", "type": "varchar(65000)"}, {"name": "w", "type": "varchar(600)"}]}, "is too long"),
        ({"declare": [{"name": "v", "type": "int"}, {"name": "V", "type": "int"}]}, "'V'"),
        ({"declare": [{"name": "e", "type": "enum('x','X')"}]}, "column 'e'"),
        ({"declare": [{"name": "v", "type": "decimal(70,2)"}]}, "decimal(70,2)"),
        ({"declare": [{"name": "v", "type": "varchar(max)"}]}, "varchar(max)"),
        ({"declare": [{"name": "v", "type": "point"}]}, "column 'v': unsupported column type 'point'"),
        ({"declare": [{"name": "v", "type": "enum"}]}, "has no members"),
    ],
)
def test_plan_refuses_what_ingest_refuses(
    private_cluster: PrivateCluster, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """Both in one line, and neither leaves anything."""
    position = [{"name": "id", "type": "int"}, {"name": "ra", "type": "double"}, {"name": "dec", "type": "double"}]
    names = [column["name"] for column in changes["declare"]]
    (tmp_path / "t.csv").write_text(
        ",".join(["id", "ra", "dec", *names]) + "\n" + ",".join("1" * (3 + len(names))) + "\n"
    )
    entry = {"files": ["t.csv"], "role": "director", "key": "id", "position": ["ra", "dec"]}
    entry["declare"] = position + changes["declare"]
    mapping = {"version": 1, "database": "x", "striping": {"stripes": 18, "substripes": 4, "overlap_deg": 0.1}}
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump({**mapping, "tables": {"T": entry}}))
    database = f"s{uuid.uuid4().hex[:10]}"
    with Testbed(private_cluster.folder) as testbed:
        said = []
        for do in (testbed.plan, testbed.ingest):
            with pytest.raises(UserError) as caught:
                do(tmp_path, database=database)
            said.append(str(caught.value))
        assert all(words in text and "\n" not in text and ".sock" not in text for text in said)
        assert testbed.registry.databases.state(database) is None


@pytest.mark.parametrize("name", INNODB)
def test_limits_of_innodb_are_told_before_anything_is_made(server: Connection, name: str) -> None:
    """Fewer columns, and rows that fit into half a page; other engines make the same table."""
    made, words = INNODB[name]
    with pytest.raises(UserError) as caught:
        require_storable(made, "InnoDB")
    assert words in str(caught.value)
    with pytest.raises((UserError, ClusterError)):
        server.execute(create_table(made, "t2", engine=TableEngine("InnoDB")))
    if name != "key":
        require_storable(made, "MyISAM")


@pytest.mark.parametrize("name", MADE_BY_INNODB)
def test_what_innodb_makes_is_not_refused(server: Connection, name: str) -> None:
    """At the limit of its columns and keys, and near that of a page."""
    require_storable(MADE_BY_INNODB[name], "InnoDB")
    server.execute("DROP TABLE IF EXISTS t2")
    server.execute(create_table(MADE_BY_INNODB[name], "t2", engine=TableEngine("InnoDB")))


def test_an_engine_that_is_not_there_is_refused_with_the_remedy() -> None:
    """Which server lacks it, and what to do."""
    require_engine({"node 'node1'": ["MyISAM", "ROCKSDB"]}, TableEngine("MyRocks"))
    with pytest.raises(UserError, match="node 'node2' runs without the storage engine MyRocks; run `make myrocks`"):
        require_engine({"node 'node1'": ["ROCKSDB"], "node 'node2'": ["MyISAM"]}, TableEngine("MyRocks"))
