"""Qserv test-catalog folders: MySQL DDL, ingest and partition JSON, one delimited file a table.

``FOLDER/data/`` (or FOLDER itself) holds ``description.yaml``, ``schema/<Table>.schema``, ``ingest/<Table>.json``,
``partition/common.json`` and ``partition/<Table>.json``, and ``<Table>.tsv.gz`` or the like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skyshard.errors import UserError
from skyshard.ingest.mysql_ddl import parse_create_table
from skyshard.ingest.qserv_files import (
    DATA_ENDINGS,
    Json,
    mark_byte,
    read_json,
    read_text,
    read_yaml,
    separator_of,
    striping_of,
)
from skyshard.ingest.qserv_layout import TableConfig, table_layout
from skyshard.ingest.source import Part, Source, SourceTable, is_chunk_column, without_chunk_columns
from skyshard.ingest.text import Dialect, Fields, TextReader
from skyshard.layout import Layout
from skyshard.schema import Table


def is_test_catalog(folder: Path) -> bool:
    """True for a folder in the layout of Qserv's integration test catalogs."""
    return (_data_folder(folder) / "description.yaml").is_file()


def open_test_catalog(folder: Path) -> Source:
    """Read a test catalog's description; opens data files only to see their first line.

    Raises:
        UserError: a file that is missing or cannot be read, or numbers that make no layout.
    """
    data = _data_folder(folder)
    description = read_yaml(data / "description.yaml")
    common = read_json(data / "partition" / "common.json", {})
    database = read_json(data / "ingest" / "database.json", {})
    striping = striping_of(database, common, data)
    ending = _extension(description, "schema", ".schema")
    folder = data / "schema"
    schemas = sorted(path for path in folder.iterdir() if path.name.endswith(ending)) if folder.is_dir() else []
    if not schemas:
        raise UserError(f"'{data}/schema' holds no table definitions", remedy="give a Qserv test-catalog folder")
    name = str(database.get("database") or folder.name.replace("-", "_"))
    tables = {}
    for path in schemas:
        table = _source_table(path, data, description, common, name)
        tables[table.name] = table
    layout = Layout(striping=striping, tables={name: table.layout for name, table in tables.items()})
    return Source(str(folder), "Qserv test catalog", name, layout, tables)


def _source_table(path: Path, data: Path, description: Json, common: Json, database: str) -> SourceTable:
    name = path.name.split(".")[0]
    declared = replace(parse_create_table(read_text(path), str(path)), name=name)
    listed = description.get("tables", {}) or {}
    config = TableConfig(
        name, read_json(data / "ingest" / f"{name}.json", {}), read_json(data / "partition" / f"{name}.json", {}),
        common, listed.get("directors") or (), listed.get("partitioned-tables") or (), database,
    )  # fmt: skip
    layout = table_layout(declared, config, str(path))
    file = _data_file(data, name, description)
    table = without_chunk_columns(declared) if layout.role.is_chunked else declared
    dialect, fields = _dialect(config, declared, table, layout.flag, file)
    return SourceTable(table, layout, (Part.of(file),), TextReader(dialect, fields))


def _data_folder(folder: Path) -> Path:
    return folder / "data" if (folder / "data").is_dir() else folder


def _extension(description: Json, key: str, default: str) -> str:
    return str((description.get("extensions") or {}).get(key) or default)


def _data_file(data: Path, name: str, description: Json) -> Path:
    declared = _extension(description, "data", "") + _extension(description, "zip", "")
    endings = [declared] + [ending + zipped for ending in DATA_ENDINGS for zipped in (".gz", "")]
    for ending in endings:
        if ending and (path := data / f"{name}{ending}").is_file():
            return path
    raise UserError(f"'{data}' holds no data file of table '{name}'", remedy=f"expected {name}{endings[0]} or the like")


def _dialect(config: TableConfig, declared: Table, table: Table, flag: str, file: Path) -> tuple[Dialect, Fields]:
    """The dialect that the files declare, and the fields that the file holds."""
    marked = config.ingest.get("fields_terminated_by") or config.csv("delimiter")
    listed = [str(name) for name in config.csv("field") or ()]
    widths = dict.fromkeys([len(listed), len(declared.columns), len(table.columns)])
    if flag:
        widths[len(table.columns) - 1] = None
    separator, width = separator_of(file, marked, [count for count in widths if count])
    quote = config.ingest.get("fields_enclosed_by", "" if config.csv("no-quote") else config.csv("quote"))
    escape = config.ingest.get("fields_escaped_by", config.csv("escape"))
    dialect = Dialect(
        separator,
        mark_byte(quote or ""),
        mark_byte("\\" if escape is None else escape),
        str(config.csv("null") or "\\N").encode("latin1"),
    )
    return dialect, _fields(listed, width, declared, table, flag)


def _fields(listed: Sequence[str], width: int, declared: Table, table: Table, flag: str) -> Fields:
    """The columns of the file: as the partitioner's configuration lists them, else as the DDL does.

    Chunk numbers in these files are of no partitioning: nobody reads them. A ref-match table's flag may be missing.
    """
    lowered = {name.lower() for name in listed} | {flag.lower()}
    if width == len(listed) and all(name.lower() in lowered for name in table.column_names):
        return tuple(None if is_chunk_column(name) else table.find(name) for name in listed)
    if width == len(declared.columns) and len(declared.columns) > len(table.columns):
        return tuple(None if is_chunk_column(column.name) else column for column in declared)
    if flag and width == len(table.columns) - 1:
        return tuple(column for column in table if column.name != flag)
    return table.columns
