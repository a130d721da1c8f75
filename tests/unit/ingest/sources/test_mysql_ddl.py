"""CREATE TABLE texts as dumps hold them."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Key
from skyshard.ingest.sources.mysql_ddl import parse_column, parse_create_table

DUMP = """
-- MySQL dump 10.13
/*!40101 SET character_set_client = utf8 */;
DROP TABLE IF EXISTS `a`;
CREATE TABLE IF NOT EXISTS `a` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT COMMENT 'a, b (c)',
  flag BIT(1) NOT NULL DEFAULT b'0',
  d decimal(10,3) default -1.5,
  e enum('a','b,c'),
  dbl double precision,
  `key` varchar(80) CHARACTER SET latin1 COLLATE latin1_bin DEFAULT NULL,
  t timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (id),
  KEY k1 (`e`(3), d),
  UNIQUE KEY `u2` (d)
) ENGINE=InnoDB DEFAULT CHARSET=latin1;
"""


def test_dump_is_read() -> None:
    """Names, types, nullability, defaults and keys come out as the server would take them."""
    table = parse_create_table(DUMP, "a.schema")
    assert table.name == "a"
    assert [(c.name, c.type.text, c.is_nullable, c.default) for c in table] == [
        ("id", "bigint(20) unsigned", False, None),
        ("flag", "bit(1)", False, "b'0'"),
        ("d", "decimal(10,3)", True, "-1.5"),
        ("e", "enum('a','b,c')", True, None),
        ("dbl", "double precision", True, None),
        ("key", "varchar(80) character set latin1 collate latin1_bin", True, None),
        ("t", "timestamp", False, "CURRENT_TIMESTAMP"),
    ]
    assert table.primary_key == ("id",)
    assert table.keys == (Key("k1", ("e(3)", "d")), Key("u2", ("d",), is_unique=True))


def test_column_as_ingest_json_spells_it() -> None:
    """Qserv's JSON gives name and definition apart, with stray spaces."""
    column = parse_column("sourceId", " bigint(20) NOT NULL", "Source.json")
    assert (column.name, column.type.base, column.is_nullable) == ("sourceId", "bigint", False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT 1", "holds no CREATE TABLE statement"),
        ("CREATE TABLE t (a int", "ends inside the definition of table 't'"),
        ("CREATE TABLE t (a geography)", "column 'a': unsupported column type"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, words: str) -> None:
    """One line with the file and what is wrong."""
    with pytest.raises(UserError, match=r"x\.schema") as caught:
        parse_create_table(text, "x.schema")
    assert words in str(caught.value)
