"""Columns, keys and types of the alert production database's tables."""

from importlib.resources import files
from typing import Any

import pyarrow as pa
import pytest
import yaml

from skyshard.apdb.model import TableName
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table


def felis_tables() -> dict[str, Any]:
    """The schema's own file, read without felis."""
    text = files("lsst.sdm.schemas").joinpath("apdb.yaml").read_text()
    return {table["name"]: table for table in yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["tables"]}


def local(references: str | list[str]) -> tuple[str, ...]:
    return tuple(item.rpartition(".")[2] for item in ([references] if isinstance(references, str) else references))


@pytest.fixture(scope="module")
def felis() -> dict[str, Any]:
    return felis_tables()


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_columns_and_keys_are_those_of_the_schema(name: TableName, felis: dict[str, Any]) -> None:
    """Names, order, nullability, primary and secondary keys are what apdb.yaml says."""
    kind, said = apdb_table(name), felis[name]
    assert kind.schema.names == [column["name"] for column in said["columns"]]
    assert [field.nullable for field in kind.schema] == [c.get("nullable", True) for c in said["columns"]]
    assert kind.key == local(said["primaryKey"])
    assert {key.columns for key in kind.table.keys} == {local(index["columns"]) for index in said.get("indexes", [])}


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_table_has_place_time_key_and_needed_columns(name: TableName) -> None:
    """What identifies, places and dates a row exists, always has a value, and is among the needed columns."""
    kind = apdb_table(name)
    for column in ("ra", "dec", kind.time, *kind.key):
        assert not kind.schema.field(column).nullable
    assert {"ra", "dec", kind.time, *kind.key} <= set(kind.needed) < set(kind.schema.names)
    assert kind.chosen(kind.needed).names == list(kind.needed)


def test_text_is_string_and_flags_are_numbers() -> None:
    """Flags travel as int8, as from MariaDB's tinyint(1); text as string."""
    schema = apdb_table("DiaSource").schema
    assert (schema.field("band").type, schema.field("isDipole").type) == (pa.string(), pa.int8())
