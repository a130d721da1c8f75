"""Opens folders with ``metadata.json``, as data centres give catalogs to Qserv: chunk files made in advance.

``metadata.json`` names the database's JSON file, the dialects by file ending, and per table its JSON schema, index
files and data: directories with ``chunk_<id>.txt`` and ``chunk_<id>_overlap.txt``, or whole files of regular tables.
Chunk numbers are checked while partitioning (``given_chunks``); overlap is computed and compared with what is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.catalog.dialect_marks import mark_of, require_line_end
from skyshard.catalog.layout import Layout, Role
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Column, Key, Table, is_chunk_column
from skyshard.ingest.source import InputSlice, Source, SourceTable, asked_for, without_chunk_columns
from skyshard.ingest.sources.mysql_ddl import parse_column
from skyshard.ingest.sources.qserv_files import NO_TEXT, Json, loaded_dialect, read_json, separator_of, striping_of
from skyshard.ingest.sources.qserv_layout import TableConfig, table_layout
from skyshard.ingest.text.delimited_text import Dialect, Fields, TextReader
from skyshard.ingest.values.encoded_text import Given
from skyshard.rowimage.sqltype import parse_type

_METADATA = "metadata.json"
_LATIN1 = ("latin1", "ascii", "binary")
_CHUNK_COLUMNS = tuple(Column(name, parse_type("int(11)")) for name in (CHUNK_COLUMN, SUB_CHUNK_COLUMN))
_UTF8 = ("utf8", "utf8mb3", "utf8mb4", "utf-8")


def is_metadata_folder(folder: Path) -> bool:
    return (folder / _METADATA).is_file()


def open_metadata_folder(folder: Path, only: Collection[str] | None = None) -> Source:
    """Read the description of all tables or ``only`` of some; opens data files only to see their first line.

    Raises:
        UserError: a file that is missing or wrong; an overlap file where none can be.
    """
    metadata = read_json(folder / _METADATA)
    file = str(_required(metadata, "database", folder / _METADATA))
    database = read_json(folder / file)
    name = str(_required(database, "database", folder / file))
    striping = striping_of(database, {}, folder / file)
    named: dict[str, Json] = {}
    for entry in _required(metadata, "tables", folder / _METADATA):
        if (table := _name(folder, entry)) in named:
            raise UserError(f"'{folder / _METADATA}' names table '{table}' twice", remedy="name it once")
        named[table] = entry
    wanted = asked_for(folder, named, only)
    tables = {table: _source_table(folder, metadata, named[table], name) for table in wanted}
    layouts = {name: table.layout for name, table in tables.items()}
    layout = Layout(striping=striping, tables=layouts)
    unopened = frozenset(named).difference(wanted)
    return Source(str(folder), "folder with metadata.json", name, layout, tables, unopened=unopened)


def _name(folder: Path, entry: Json) -> str:
    """The table's name as its schema file says it, which need not be readable: then the file's."""
    path = folder / str(_required(entry, "schema", folder / _METADATA))
    with suppress(UserError):
        return str(read_json(path).get("table") or path.stem)
    return path.stem


def _required(content: Json, key: str, path: Path) -> Any:
    if key not in content:
        raise UserError(f"'{path}' has no key '{key}'", remedy="see docs/reference/sources.md for the format")
    return content[key]


def _source_table(folder: Path, metadata: Json, entry: Json, database: str) -> SourceTable:
    path = folder / str(_required(entry, "schema", folder / _METADATA))
    config = read_json(path)
    name = str(config.get("table") or path.stem)
    columns = tuple(_column(item, path) for item in _required(config, "schema", path))
    keys = tuple(_index(folder / file, name, columns) for file in entry.get("indexes") or ())
    declared = Table(name, columns, (), keys)
    layout = table_layout(declared, TableConfig(name, config, database=database), str(path))
    slices = tuple(_parts(folder, entry, name, layout.role))
    if not layout.role.is_chunked:
        return SourceTable(declared, layout, slices, _reader(metadata, config, declared.columns, (), slices))
    table, declared = without_chunk_columns(declared), _canonical(declared)
    extra = () if len(declared.columns) > len(table.columns) else _CHUNK_COLUMNS
    reader = _reader(metadata, config, (*declared.columns, *extra), table.columns, slices)
    return SourceTable(table, layout, slices, reader)


def _column(item: Json, path: Path) -> Column:
    return parse_column(str(_required(item, "name", path)), str(_required(item, "type", path)), str(path))


def _canonical(table: Table) -> Table:
    """Chunk columns by their usual names; NULL is read, to be refused with its row."""
    names = {name.lower(): name for name in (CHUNK_COLUMN, SUB_CHUNK_COLUMN)}
    columns = tuple(
        Column(names[column.name.lower()], parse_type("int(11)")) if is_chunk_column(column.name) else column
        for column in table
    )
    return replace(table, columns=columns)


def _index(path: Path, table: str, columns: Iterable[Column]) -> Key:
    """One index file: name, uniqueness and columns, some with a prefix length."""
    content = read_json(path)
    if str(content.get("table") or table) != table:
        raise UserError(f"'{path}' describes an index of table '{content['table']}'", remedy=f"name '{table}' in it")
    names: list[str] = []
    known = {column.name.lower(): column.name for column in columns}
    known |= {name.lower(): name for name in (CHUNK_COLUMN, SUB_CHUNK_COLUMN)}
    for item in _required(content, "columns", path):
        named = item if isinstance(item, Mapping) else {"column": item}
        column = str(named.get("column") or named.get("name") or "")
        if column.lower() not in known:
            raise UserError(f"'{path}': table '{table}' has no column '{column}'", remedy="fix the index file")
        length = int(named.get("length") or 0)
        names.append(known[column.lower()] + (f"({length})" if length else ""))
    name = str(content.get("index") or content.get("index_name") or "_".join(names))
    return Key(name[:60], tuple(names), str(content.get("spec") or "").upper() == "UNIQUE")


@dataclass(frozen=True, slots=True)
class _Listed:
    """Files that one ``data`` entry lists."""

    folder: Path
    own: tuple[int, ...]
    overlap: tuple[int, ...]
    files: tuple[str, ...]

    @staticmethod
    def of(folder: Path, item: Json) -> _Listed:
        own, overlap = (tuple(map(int, item.get(key) or ())) for key in ("chunks", "overlaps"))
        return _Listed(folder / str(item.get("directory") or ""), own, overlap, tuple(item.get("files") or ()))


def _parts(folder: Path, entry: Json, table: str, role: Role) -> Iterable[InputSlice]:
    """The files of a table in the order of their description.

    A director without any list of overlaps has the overlap files that are next to its chunk files.
    """
    listed = [_Listed.of(folder, item) for item in entry.get("data") or ()]
    has_lists = any(item.overlap for item in listed)
    seen: Counter[str] = Counter()
    for item in listed:
        for piece in [*_own_slices(item), *_overlap_slices(item, table, role, has_lists=has_lists)]:
            seen[piece.path] += 1
            if seen[piece.path] > 1:
                raise UserError(f"'{folder / _METADATA}' lists '{piece.path}' twice", remedy="list each file once")
            if piece.chunk is not None and not role.is_chunked:
                raise UserError(f"regular table '{table}' has chunk files", remedy="set is_partitioned in its schema")
            yield piece


def _own_slices(item: _Listed) -> Iterable[InputSlice]:
    for chunk in item.own:
        yield _part(item.folder / f"chunk_{chunk}.txt", chunk)
    for name in item.files:
        yield _part(item.folder / name)


def _overlap_slices(item: _Listed, table: str, role: Role, *, has_lists: bool) -> Iterable[InputSlice]:
    if role is not Role.DIRECTOR:
        if item.overlap:
            raise UserError(
                f"table '{table}' is no director but has overlap files (chunk {item.overlap[0]})",
                remedy="take 'overlaps' out of metadata.json: only directors have overlap",
            )
        return
    for chunk in item.overlap if has_lists else item.own:
        path = item.folder / f"chunk_{chunk}_overlap.txt"
        if has_lists or _find(path) is not None:
            yield _part(path, chunk, is_overlap=True)


def _find(path: Path) -> Path | None:
    """The file, or the same compressed."""
    return next((p for p in (path, path.with_name(f"{path.name}.gz")) if p.is_file()), None)


def _part(path: Path, chunk: int | None = None, *, is_overlap: bool = False) -> InputSlice:
    found = _find(path)
    if found is None:
        raise UserError(f"metadata.json names '{path}', which is missing", remedy="copy the file, or take it out")
    return InputSlice.of(found, chunk=chunk, is_overlap=is_overlap)


def _reader(
    metadata: Json, config: Json, fields: Fields, without: Fields, slices: tuple[InputSlice, ...]
) -> TextReader:
    """The dialect of a table's files; they hold ``fields``, or ``without`` where their first line shows that."""
    sample = next((piece for piece in slices if piece.bytes), None)
    if sample is None:
        return TextReader(Dialect(charset=_charset(metadata)), fields)
    ending = Path(sample.path.removesuffix(".gz")).suffix.lstrip(".")
    given = {**(metadata.get("formats") or {}).get(ending, {}), **config}
    widths = [len(fields), len(without)] if without else [len(fields)]
    escape = mark_of("fields_escaped_by", str(given.get("fields_escaped_by", "\\")))
    require_line_end(str(given.get("lines_terminated_by") or ""))
    dialect = loaded_dialect(
        str(given.get("fields_enclosed_by") or ""),
        escape,
        "" if escape else NO_TEXT,
        header_lines=int(given.get("header_lines") or 0),
        charset=_charset(metadata),
    )
    separator, found = separator_of(Path(sample.path), given.get("fields_terminated_by"), widths, dialect)
    dialect = replace(dialect, separator=separator)
    return TextReader(dialect, without if without and found == len(without) else fields)


def _charset(metadata: Json) -> Given:
    named = str(metadata.get("charset_name") or "latin1").lower()
    if named not in (*_LATIN1, *_UTF8):
        raise UserError(f"metadata.json: charset_name '{named}'", remedy="latin1 and utf8 can be read")
    return "utf8" if named in _UTF8 else "latin1"
