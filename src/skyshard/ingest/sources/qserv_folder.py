"""Opens Qserv test-catalog folders: MySQL DDL, ingest and partition JSON, one delimited file a table.

``FOLDER/data/`` (or FOLDER itself) holds ``description.yaml``, ``schema/<Table>.schema``, ``ingest/<Table>.json``,
``partition/common.json`` and ``partition/<Table>.json``, and ``<Table>.tsv.gz`` or the like.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout
from skyshard.catalog.schema import Column, Table, is_chunk_column
from skyshard.ingest.source import InputSlice, Source, SourceTable, asked_for, without_chunk_columns
from skyshard.ingest.sources.mysql_ddl import parse_column, parse_create_table
from skyshard.ingest.sources.qserv_files import (
    DATA_ENDINGS,
    Json,
    loaded_dialect,
    read_json,
    read_text,
    read_yaml,
    separator_of,
    striping_of,
)
from skyshard.ingest.sources.qserv_layout import TableConfig, table_layout
from skyshard.ingest.text.delimited_text import Dialect, Fields, TextReader
from skyshard.rowimage.sqltype import parse_type


def is_test_catalog(folder: Path) -> bool:
    """True for a folder in the layout of Qserv's integration test catalogs."""
    return (_data_folder(folder) / "description.yaml").is_file()


def open_test_catalog(folder: Path, only: Collection[str] | None = None) -> Source:
    """Read the description of all tables or ``only`` of some; opens data files only to see their first line.

    Raises:
        UserError: a file that is missing or cannot be read, or numbers that make no layout.
    """
    data = _data_folder(folder)
    description = read_yaml(data / "description.yaml")
    common = read_json(data / "partition" / "common.json", {})
    database = read_json(data / "ingest" / "database.json", {})
    striping = striping_of(database, common, data)
    described = _described(data, description)
    if not described:
        raise UserError(f"'{data}/schema' holds no table definitions", remedy="give a Qserv test-catalog folder")
    name = str(database.get("database") or folder.name.replace("-", "_"))
    wanted = asked_for(folder, described, only)
    tables = {table: _source_table(table, described[table], data, description, common, name) for table in wanted}
    layout = Layout(striping=striping, tables={name: table.layout for name, table in tables.items()})
    unopened = frozenset(described).difference(wanted)
    return Source(str(folder), "Qserv test catalog", name, layout, tables, unopened=unopened)


def _described(data: Path, description: Json) -> dict[str, Path]:
    """The tables and their definitions: ``.schema`` files, or the ingest JSON alone where data have its name."""
    ending, folder = _extension(description, "schema", ".schema"), data / "schema"
    files = sorted(path for path in folder.iterdir() if path.name.endswith(ending)) if folder.is_dir() else []
    found = {path.name.split(".")[0]: path for path in files}
    for path in sorted((data / "ingest").glob("*.json")):
        if path.stem not in found and _find_data(data, path.stem, description) and "schema" in read_json(path):
            found[path.stem] = path
    return found


def _source_table(name: str, path: Path, data: Path, description: Json, common: Json, database: str) -> SourceTable:
    listed = description.get("tables", {}) or {}
    config = TableConfig(
        name, read_json(data / "ingest" / f"{name}.json", {}), read_json(data / "partition" / f"{name}.json", {}),
        common, listed.get("directors") or (), listed.get("partitioned-tables") or (), database,
    )  # fmt: skip
    declared, conversions = _declared(name, path, config, data)
    layout = table_layout(declared, config, str(path))
    file = _data_file(data, name, description)
    table = without_chunk_columns(declared) if layout.role.is_chunked else declared
    dialect, fields = _dialect(config, declared, table, layout.flag, file)
    return SourceTable(table, layout, (InputSlice.of(file),), TextReader(dialect, fields), conversions)


def _declared(name: str, path: Path, config: TableConfig, data: Path) -> tuple[Table, tuple[str, ...]]:
    """The table as its DDL and the ingest JSON describe it, and where the two disagree: Qserv makes tables by the JSON.

    A column that only one of them has is the table's; a match table's flag may be in neither.
    """
    where = str(data / "ingest" / f"{name}.json")
    listed = [
        parse_column(str(item.get("name")), str(item.get("type")), where) for item in config.ingest.get("schema") or ()
    ]
    is_json = path.suffix == ".json"
    declared = Table(name, ()) if is_json else replace(parse_create_table(read_text(path), str(path)), name=name)
    merged = merged_columns(declared, listed)
    if (flag := config.flag) and all(column.name.lower() != flag.lower() for column in merged):
        merged = (*merged, Column(flag, parse_type("int(11)"), is_nullable=False))
    changed = tuple(
        f"{new.name}: {_spelled(new)} by the ingest JSON, {_spelled(old)} by the .schema file"
        for new in merged
        if (old := declared.find(new.name)) is not None and _spelled(old) != _spelled(new)
    )
    return replace(declared, columns=merged), changed


def merged_columns(declared: Table, listed: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of both descriptions, each as the second has it: in the first one's order, those that only the second
    has in the order of it if it names all, else at the end."""
    by_name = {column.name.lower(): column for column in listed}
    own = tuple(by_name.get(column.name.lower(), column) for column in declared)
    more = tuple(column for column in listed if declared.find(column.name) is None)
    if any(not is_chunk_column(column.name) for column in more) and len(by_name) == len(own) + len(more):
        return tuple(listed)
    return (*own, *more)


def _spelled(column: Column) -> str:
    return column.type.text + ("" if column.is_nullable else " not null")


def _data_folder(folder: Path) -> Path:
    return folder / "data" if (folder / "data").is_dir() else folder


def _extension(description: Json, key: str, default: str) -> str:
    return str((description.get("extensions") or {}).get(key) or default)


def _data_file(data: Path, name: str, description: Json) -> Path:
    found = _find_data(data, name, description)
    if found is None:
        raise UserError(
            f"'{data}' holds no data file of table '{name}'",
            remedy=f"expected {name}{_data_endings(description)[0]} or the like; --tables leaves tables out",
        )
    return found


def _find_data(data: Path, name: str, description: Json) -> Path | None:
    paths = (data / f"{name}{ending}" for ending in _data_endings(description))
    return next((path for path in paths if path.is_file()), None)


def _data_endings(description: Json) -> list[str]:
    declared = _extension(description, "data", "") + _extension(description, "zip", "")
    usual = [ending + zipped for ending in DATA_ENDINGS for zipped in (".gz", "")]
    return [ending for ending in (declared, *usual) if ending]


def _dialect(config: TableConfig, declared: Table, table: Table, flag: str, file: Path) -> tuple[Dialect, Fields]:
    """The dialect that the files declare, and the fields that the file holds."""
    marked = config.ingest.get("fields_terminated_by") or config.csv("delimiter")
    listed = [str(name) for name in config.csv("field") or ()]
    widths = dict.fromkeys([len(listed), len(declared.columns), len(table.columns)])
    if flag:
        widths[len(table.columns) - 1] = None
    quote = config.ingest.get("fields_enclosed_by", "" if config.csv("no-quote") else config.csv("quote"))
    escape = config.ingest.get("fields_escaped_by", config.csv("escape"))
    dialect = loaded_dialect(quote or "", "\\" if escape is None else escape, str(config.csv("null") or ""))
    separator, width = separator_of(file, marked, [count for count in widths if count], dialect)
    dialect = replace(dialect, separator=separator)
    return dialect, _fields(listed, width, declared, table, flag)


def _fields(listed: Sequence[str], width: int, declared: Table, table: Table, flag: str) -> Fields:
    """The columns of the file: as the partitioner's configuration lists them, else as the DDL does.

    Chunk numbers in these files are of no partitioning and are not read. A ref-match table's flag may be missing.
    """
    lowered = {name.lower() for name in listed} | {flag.lower()}
    if width == len(listed) and all(name.lower() in lowered for name in table.column_names):
        return tuple(None if is_chunk_column(name) else table.find(name) for name in listed)
    if width == len(declared.columns) and len(declared.columns) > len(table.columns):
        return tuple(None if is_chunk_column(column.name) else column for column in declared)
    if flag and width == len(table.columns) - 1:
        return tuple(column for column in table if column.name != flag)
    return table.columns
