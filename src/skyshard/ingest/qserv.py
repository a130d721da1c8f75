"""Qserv test-catalog folders: MySQL DDL, ingest and partition JSON, one delimited file a table.

``FOLDER/data/`` (or FOLDER itself) holds ``description.yaml``, ``schema/<Table>.schema``, ``ingest/<Table>.json``,
``partition/common.json`` and ``partition/<Table>.json``, and ``<Table>.tsv.gz`` or the like. What the JSON files say
goes before the description, what a table's file says before the common one.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skyshard.errors import UserError
from skyshard.ingest.mysql_ddl import parse_create_table
from skyshard.ingest.source import Part, Source, SourceTable
from skyshard.ingest.text import Dialect, TextReader
from skyshard.layout import Layout, Role, Striping, TableLayout
from skyshard.schema import Table

_DATA_ENDINGS = (".tsv", ".csv", ".txt")
_BY_ENDING = {".tsv": b"\t", ".csv": b",", ".txt": b"\t"}

Json = Mapping[str, Any]


def is_test_catalog(folder: Path) -> bool:
    """True for a folder in the layout of Qserv's integration test catalogs."""
    return (_data_folder(folder) / "description.yaml").is_file()


def open_test_catalog(folder: Path) -> Source:
    """Read a test catalog's description; opens data files only to see their first line.

    Raises:
        UserError: a file that is missing or cannot be read, or numbers that make no layout.
    """
    data = _data_folder(folder)
    description = _read_yaml(data / "description.yaml")
    common = _read_json(data / "partition" / "common.json", {})
    database = _read_json(data / "ingest" / "database.json", {})
    striping = _striping(common, database, data)
    schemas = sorted((data / "schema").glob("*" + _extension(description, "schema", ".schema")))
    if not schemas:
        raise UserError(f"'{data}/schema' holds no table definitions", remedy="give a Qserv test-catalog folder")
    tables: dict[str, SourceTable] = {}
    for path in schemas:
        name = path.name.split(".")[0]
        file = _data_file(data, name, description)
        table = parse_create_table(_read_text(path), str(path))
        table = Table(name, table.columns, table.primary_key, table.keys)
        config = _TableConfig.read(data, name, common)
        layout = _table_layout(table, config, description, str(path))
        dialect = _dialect(config, table, file)
        tables[name] = SourceTable(table, layout, (Part(str(file), file.stat().st_size),), TextReader(dialect))
    layouts = {name: table.layout for name, table in tables.items()}
    return Source(
        str(folder), "Qserv test catalog", str(database.get("database") or folder.name.replace("-", "_")),
        Layout(striping=striping, tables=layouts), tables,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _TableConfig:
    """What the JSON files say of one table."""

    ingest: Json
    partition: Json
    common: Json

    @staticmethod
    def read(data: Path, name: str, common: Json) -> _TableConfig:
        ingest = _read_json(data / "ingest" / f"{name}.json", {})
        return _TableConfig(ingest, _read_json(data / "partition" / f"{name}.json", {}), common)

    def csv(self, key: str) -> Any:
        """A key of the input dialect, the table's own before the common one."""
        for source in (self.partition, self.common):
            if key in (found := source.get("in", {}).get("csv", {})):
                return found[key]
        return None


def _data_folder(folder: Path) -> Path:
    return folder / "data" if (folder / "data").is_dir() else folder


def _striping(common: Json, database: Json, data: Path) -> Striping:
    part = common.get("part", {})
    try:
        return Striping(
            stripes=database.get("num_stripes", part.get("num-stripes")),
            substripes=database.get("num_sub_stripes", part.get("num-sub-stripes")),
            overlap_deg=database.get("overlap", part.get("default-overlap", part.get("overlap"))),
        )
    except ValueError:
        raise UserError(
            f"'{data}' does not say how to stripe the sky",
            remedy="give num_stripes, num_sub_stripes and overlap in ingest/database.json",
        ) from None


def _table_layout(table: Table, config: _TableConfig, description: Json, where: str) -> TableLayout:
    """A table's role: director, dependent (with its director's position, copied) or regular."""
    listed = description.get("tables", {}) or {}
    is_chunked = bool(int(config.ingest.get("is_partitioned", table.name in (listed.get("partitioned-tables") or ()))))
    if not is_chunked:
        return TableLayout(role=Role.REGULAR)
    if config.ingest.get("director_table2"):
        raise UserError(f"table '{table.name}' is a ref-match table", remedy="leave it out with --tables for now")
    director = _director(table.name, config, listed)
    key = str(config.ingest.get("director_key") or config.partition.get("dirColName") or "")
    position = _position(config)
    for column in (*position, key):
        if column and table.find(column) is None:
            raise UserError(f"'{where}': no column '{column}'", remedy="the ingest or partition JSON names it")
    if not director and not position:
        raise UserError(f"director '{table.name}' has no position columns", remedy="set latitude_key, longitude_key")
    names = tuple(table.column(column).name for column in position)
    return TableLayout(
        role=Role.DEPENDENT if director else Role.DIRECTOR,
        key=table.column(key).name if key else "",
        director=director,
        position=(names[0], names[1]) if names else None,
    )


def _director(name: str, config: _TableConfig, listed: Json) -> str:
    """Name of the director that a table follows; empty for a director."""
    if "director_table" in config.ingest:
        named = str(config.ingest["director_table"])
    elif name in (listed.get("directors") or ()):
        named = ""
    else:
        named = str(config.partition.get("dirTable") or config.common.get("dirTable") or "")
    named = named.rpartition(".")[2]
    return "" if named == name else named


def _position(config: _TableConfig) -> tuple[str, ...]:
    longitude, latitude = config.ingest.get("longitude_key"), config.ingest.get("latitude_key")
    if longitude and latitude:
        return str(longitude), str(latitude)
    text = config.partition.get("part", {}).get("pos")
    parts = tuple(part.strip() for part in str(text).split(",")) if text else ()
    return parts if len(parts) == 2 else ()


def _extension(description: Json, key: str, default: str) -> str:
    return str((description.get("extensions") or {}).get(key) or default)


def _data_file(data: Path, name: str, description: Json) -> Path:
    declared = _extension(description, "data", "") + _extension(description, "zip", "")
    endings = [declared] + [ending + zipped for ending in _DATA_ENDINGS for zipped in (".gz", "")]
    for ending in endings:
        if ending and (path := data / f"{name}{ending}").is_file():
            return path
    raise UserError(f"'{data}' holds no data file of table '{name}'", remedy=f"expected {name}{endings[0]} or the like")


def _dialect(config: _TableConfig, table: Table, file: Path) -> Dialect:
    """The dialect that the files declare; where they leave the separator open, the one that the first line shows."""
    ending = next((ending for ending in _DATA_ENDINGS if ending in file.name), ".tsv")
    declared = config.ingest.get("fields_terminated_by") or config.csv("delimiter")
    candidates = [_byte(declared)] if declared else []
    candidates += [_BY_ENDING[ending], b"\t", b",", b"|", b";"]
    quote = config.ingest.get("fields_enclosed_by", "" if config.csv("no-quote") else config.csv("quote"))
    escape = config.ingest.get("fields_escaped_by", config.csv("escape"))
    base = Dialect(
        quote=_byte(quote or ""),
        escape=_byte("\\" if escape is None else escape),
        null=str(config.csv("null") or "\\N").encode("latin1"),
    )
    line = _first_line(file)
    fitting = [mark for mark in candidates if line.count(mark) == len(table.columns) - 1]
    separator = (fitting or candidates)[0]
    return Dialect(separator, base.quote, base.escape, base.null)


def _byte(text: str) -> bytes:
    """One dialect mark as a byte; JSON files spell some with a backslash."""
    named = {"\\t": "\t", "\\n": "\n", "\\\\": "\\", '\\"': '"', "\\'": "'"}
    return named.get(text, text)[:1].encode("latin1")


def _first_line(file: Path) -> bytes:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            return stream.readline(1 << 20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"'{file}' is a broken gzip file: {error}", remedy="copy the file again") from None
    except OSError as error:
        raise UserError(f"cannot read '{file}': {error.strerror}", remedy="check the file") from None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the path") from None


def _read_json(path: Path, default: Json | None = None) -> Json:
    if default is not None and not path.exists():
        return default
    try:
        content = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"'{path}' line {error.lineno} is not JSON: {error.msg}", remedy="mend the file") from None
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is no JSON object", remedy="mend the file")
    return content


def _read_yaml(path: Path) -> Json:
    try:
        content = yaml.safe_load(_read_text(path))
    except yaml.YAMLError as error:
        raise UserError(f"'{path}' is not YAML: {' '.join(str(error).split())}", remedy="mend the file") from None
    return content if isinstance(content, dict) else {}
