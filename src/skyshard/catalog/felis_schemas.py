"""Felis schemas of the Rubin data releases and HSC → tables as MariaDB stores them.

The schemas come with the package ``lsst-sdm-schemas`` and are resolved by ``felis``; descriptions stay out of DDL,
where they would make wide tables impossible (ER 1117).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Column, Table
from skyshard.rowimage.sqltype import parse_type

PACKAGE = "lsst.sdm.schemas"
_TYPES = {
    "boolean": ("tinyint(1)", 1), "byte": ("tinyint(4)", 1), "short": ("smallint(6)", 2), "int": ("int(11)", 4),
    "long": ("bigint(20)", 8), "float": ("float", 4), "double": ("double", 8), "timestamp": ("datetime(6)", 8),
    "text": ("text", 0),
}  # fmt: skip
_SIZED = {"char": "char", "string": "varchar", "unicode": "varchar", "binary": "varbinary"}


@dataclass(frozen=True, slots=True)
class SchemaColumn:
    """One column as the schema describes it; ``type`` is MariaDB's.

    ``utype`` is its role in a data model, ``place`` its recommended place in a list; 0 where none is recommended.
    """

    name: str
    type: str
    is_nullable: bool
    unit: str
    ucd: str
    description: str
    utype: str = ""
    place: int = 0
    is_principal: bool = False
    is_standard: bool = False


@dataclass(frozen=True, slots=True)
class FelisTable:
    """One table: as stored, with the bytes of its fixed-width columns, and its columns' descriptions."""

    table: Table
    bytes: int
    description: str
    columns: tuple[SchemaColumn, ...]


def schema_names() -> list[str]:
    """Names of the catalogs that can be read."""
    return sorted(path.name.removesuffix(".yaml") for path in files(PACKAGE).iterdir() if path.name.endswith(".yaml"))


@lru_cache(maxsize=8)
def read_schema(name: str) -> tuple[FelisTable, ...]:
    """The tables of a catalog, in the order of its file.

    Raises:
        UserError: no such catalog.
    """
    if name not in schema_names():
        raise UserError(f"no schema '{name}'", remedy="skyshard schema list shows them")
    from lsst.resources import ResourcePath

    schema = _read_felis(ResourcePath(f"resource://{PACKAGE}/{name}.yaml"))
    return tuple(_table(table) for table in schema.tables)


def read_schema_file(path: Path) -> tuple[FelisTable, ...]:
    """The tables of a Felis file.

    Raises:
        UserError: it cannot be read, or is no Felis schema; the first wrong key is named.
    """
    from lsst.resources import ResourcePath
    from pydantic import ValidationError

    if not path.is_file():
        raise UserError(f"no Felis file '{path}'", remedy="check the path; skyshard schema list shows the shipped ones")
    try:
        schema = _read_felis(ResourcePath(str(path.resolve()), forceDirectory=False))
    except yaml.YAMLError as error:
        raise UserError(f"'{path}' is not YAML: {' '.join(str(error).split())}", remedy="fix the file") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "top level"
        raise UserError(f"'{path}', key '{where}': {first['msg']}", remedy="fix the schema") from None
    except (TypeError, ValueError, KeyError, AttributeError, OSError) as error:  # as felis lets them through
        raise UserError(f"'{path}' is no Felis schema: {' '.join(str(error).split())}", remedy="fix it") from None
    return tuple(_table(table) for table in schema.tables)


def _read_felis(path: Any) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast as what Schema.from_uri reads with
    content = yaml.load(path.read(), loader)
    return _schema_class().model_validate(content, context={"id_generation": True, "resource_path": path})


@cache
def _schema_class() -> Any:
    """felis' model of a schema; the schemas that one takes columns from are read with the quick loader, too."""
    from felis import Schema
    from pydantic import ValidationInfo, model_validator

    class QuickSchema(Schema):  # type: ignore[misc]
        @model_validator(mode="after")
        def _load_resources(self, info: ValidationInfo) -> Any:
            context: Any = info.context
            for name, resource in self.resources.items():
                self._resource_map[name] = _read_felis(context["resource_path"].parent().join(resource.uri))
            return self

    return QuickSchema


def describe_columns(tables: Sequence[FelisTable], catalog: str, name: str) -> tuple[SchemaColumn, ...]:
    """The columns of one table, whatever the case of its name."""
    for table in tables:
        if table.table.name.lower() == name.lower():
            return table.columns
    known = ", ".join(table.table.name for table in tables)
    raise UserError(f"schema '{catalog}' has no table '{name}'", remedy=f"it has {known}")


def _table(table: Any) -> FelisTable:
    described = tuple(_describe(column) for column in table.columns)
    columns = tuple(Column(item.name, parse_type(item.type), item.is_nullable) for item in described)
    size = sum(_TYPES.get(str(column.datatype.value), ("", 0))[1] for column in table.columns)
    return FelisTable(Table(table.name, columns), size, table.description or "", described)


def _describe(column: Any) -> SchemaColumn:
    kind = str(column.datatype.value)
    if kind in _TYPES:
        sql_type = _TYPES[kind][0]
    elif kind in _SIZED:
        sql_type = f"{_SIZED[kind]}({column.length or 255})"
    else:
        raise UserError(f"column '{column.name}' has Felis type '{kind}'", remedy="leave the column out")
    return SchemaColumn(
        column.name, sql_type, column.nullable is not False, str(column.ivoa_unit or column.fits_tunit or ""),
        str(column.ivoa_ucd or ""), " ".join((column.description or "").split()),
        str(column.votable_utype or ""), int(column.tap_column_index or 0), bool(column.tap_principal),
        bool(column.tap_std),
    )  # fmt: skip
