"""Finds what a name on the command line stands for: files, a Felis schema, a mapping, or a database.

Rules: ``db:NAME`` is a database, ``felis:NAME`` a shipped schema or a Felis file, ``file:PATH`` a file or folder. A
bare name is what there is of that name; where there are two, it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from skyshard.basics.errors import UserError
from skyshard.catalog.felis_schemas import FelisTable, read_schema, read_schema_file, schema_names
from skyshard.catalog.strict_files import load_yaml, validate_model
from skyshard.ingest.sources.butler_paths import read_butler_path
from skyshard.ingest.sources.columnar_files import is_columnar
from skyshard.ingest.sources.folder_mapping import DATASET_TYPES, map_folder
from skyshard.ingest.sources.mapping import Mapping as MappingFile
from skyshard.ingest.sources.mapping_source import open_mapped, open_mapping
from skyshard.ingest.sources.open_source import is_source_folder, open_source
from skyshard.releases.schema_changes.schema_side import (
    SchemaSide,
    SideTable,
    side_of_database,
    side_of_source,
)

_KINDS = ("db", "felis", "file")


class DatabaseTables(Protocol):
    """The databases of a running cluster."""

    def names(self) -> list[str]:
        """Names and aliases of the published ones."""
        ...

    def tables(self, database: str) -> dict[str, SideTable]:
        """The tables of one, whose rows may be asked for."""
        ...


def open_side(text: str, databases: DatabaseTables | None) -> SchemaSide:
    """The side that a name stands for.

    Args:
        databases: None without a running cluster.

    Raises:
        UserError: nothing of that name, or two things; a file that is neither schema, mapping, Parquet nor FITS.
    """
    kind, colon, name = text.partition(":")
    if colon and kind in _KINDS:
        return _open(kind, name, databases)
    names = databases.names() if databases is not None else []
    there = {"file": Path(text).exists(), "felis": text in schema_names(), "db": text in names}
    kinds = [kind for kind, is_there in there.items() if is_there]
    if len(kinds) == 1:
        return _open(kinds[0], text, databases)
    if kinds:
        raise UserError(
            f"'{text}' is {' and '.join(_WORDS[kind] for kind in kinds)}",
            remedy=f"say which: {' or '.join(f'{kind}:{text}' for kind in kinds)}",
        )
    where = f"it has {', '.join(names) or 'none'}" if databases is not None else "no cluster is running here"
    raise UserError(
        f"'{text}' is no file or folder, no schema, and no database of the cluster ({where})",
        remedy="skyshard schema list shows the schemas; give a path, or start the cluster",
    )


_WORDS = {"file": "a file or folder", "felis": "a shipped schema", "db": "a database"}


def _open(kind: str, name: str, databases: DatabaseTables | None) -> SchemaSide:
    if kind == "db":
        if databases is None:
            raise UserError(f"database '{name}' is asked for, and no cluster is running", remedy="start it")
        return side_of_database(f"database {name}", databases.tables(name))
    path = Path(name)
    if kind == "felis":
        return _felis(name, read_schema_file(path) if name not in schema_names() else read_schema(name))
    if not path.exists():
        raise UserError(f"no file or folder '{path}'", remedy="check the path")
    return _of_file(path)


def _felis(name: str, tables: tuple[FelisTable, ...]) -> SchemaSide:
    return SchemaSide(
        f"schema {name}", {table.table.name: SideTable(table.table) for table in tables}, is_declared=True
    )


def _of_file(path: Path) -> SchemaSide:
    if path.is_dir():
        if is_source_folder(path):
            return side_of_source(f"folder {path}", open_source(path).tables)
        return _inferred(f"folder {path}", map_folder(path).content, path / "mapping")
    if path.suffix in (".yaml", ".yml"):
        content: Any = load_yaml(path)
        if isinstance(content, Mapping) and isinstance(content.get("tables"), list):
            return _felis(str(path), read_schema_file(path))
        return side_of_source(f"mapping {path}", open_mapping(path).tables)
    if not is_columnar("", path):
        raise UserError(f"'{path}' is no Parquet file, FITS file, mapping or Felis schema", remedy="give one of these")
    return _single_file(path)


def _single_file(path: Path) -> SchemaSide:
    """One file of a table, which is called as its dataset type or folder says; others are not missed."""
    found = read_butler_path(path.resolve())
    kind = found.dataset.dataset_type if found is not None else ""
    name = next((name for name, types in DATASET_TYPES.items() if any(kind in choice for choice in types)), "file")
    content = {
        "version": 1, "database": "file", "schema": "infer", "layout": "qserv-340-3",
        "input": str(path.parent.resolve()), "tables": {name: {"files": [_literal(path.name)]}},
    }  # fmt: skip
    side = _inferred(f"file {path}", content, path)
    return SchemaSide(side.what, side.tables, side.is_declared, is_whole=False)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _inferred(what: str, content: dict[str, Any], path: Path) -> SchemaSide:
    return side_of_source(what, open_mapped(validate_model(MappingFile, content, path), path).tables)
