"""Felis schemas: what felis makes of a file, read more quickly."""

from __future__ import annotations

import pytest
from felis import Schema

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import PACKAGE, describe_columns, read_schema, schema_names
from skyshard.catalog.schema import Table


def test_columns_taken_from_other_schemas_are_those_that_felis_finds() -> None:
    """Names, order, descriptions, units and whether NULL may be; two other schemas are named in this one."""
    wanted = Schema.from_uri(f"resource://{PACKAGE}/ppdb.yaml", context={"id_generation": True})
    found = read_schema("ppdb")
    assert wanted.resources.keys() == {"apdb", "sso_base"}
    assert [table.table.name for table in found] == [table.name for table in wanted.tables]
    for one, other in zip(found, wanted.tables, strict=True):
        assert one.description == (other.description or "")
        assert [
            (column.name, column.is_nullable, column.unit, column.ucd, column.description) for column in one.columns
        ] == [
            (column.name, column.nullable is not False, str(column.ivoa_unit or column.fits_tunit or ""),
             str(column.ivoa_ucd or ""), " ".join((column.description or "").split()))
            for column in other.columns
        ]  # fmt: skip


def test_types_are_those_of_mariadb_and_fixed_ones_are_counted() -> None:
    """Every column as stored; the bytes are those of what has a fixed width, of text none."""
    widths = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "float": 4, "double": 8, "datetime": 8}
    for described in read_schema("ppdb"):
        kinds = [column.type.partition("(")[0] for column in described.columns]
        assert set(kinds) <= {*widths, "text", "char", "varchar", "varbinary"}
        assert described.bytes == sum(widths.get(kind, 0) for kind in kinds)
        assert isinstance(described.table, Table)
        assert described.table.column_names == [column.name for column in described.columns]


def test_tables_are_found_whatever_their_case_and_what_is_not_there_is_named() -> None:
    """The error says which tables there are."""
    tables = read_schema("ppdb")
    assert describe_columns(tables, "ppdb", "diaobject") == describe_columns(tables, "ppdb", "DiaObject")
    with pytest.raises(UserError, match=r"schema 'ppdb' has no table 'Nix'.*it has .*DiaObject"):
        describe_columns(tables, "ppdb", "Nix")
    assert "ppdb" in schema_names()
    with pytest.raises(UserError, match="no schema 'nix'"):
        read_schema("nix")
