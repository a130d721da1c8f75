"""Writes a first mapping for a folder: tables, roles as they were inferred, and what was not understood."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from skyshard.catalog.layout import Role
from skyshard.catalog.nearest_schema import Annotation, nearest_schemas
from skyshard.catalog.strict_files import validate_model
from skyshard.ingest.source import Source, SourceTable
from skyshard.ingest.sources.database_name import require_database_name
from skyshard.ingest.sources.folder_mapping import FolderMapping, database_of, map_folder
from skyshard.ingest.sources.mapping import Mapping
from skyshard.ingest.sources.mapping_source import open_mapped

_HEAD = """\
# A first mapping of {folder}.
# Columns and types are the files' own (schema: infer); roles, keys and positions are as their columns show them.
"""


@dataclass(frozen=True, slots=True)
class FirstMapping:
    """A mapping that ingests as it is, and what is to be known about it."""

    text: str
    """The file's text."""
    source: Source
    annotations: dict[str, Annotation]
    """By table; none for a table that no shipped schema is like."""
    left: dict[str, str]
    """Files below the folder that no table has, and why."""

    def summary(self) -> dict[str, Any]:
        """All that was found, as plain values for JSON."""
        return {
            "database": self.source.database,
            "tables": [
                self._table(table, self.annotations.get(name)) for name, table in sorted(self.source.tables.items())
            ],
            "not_understood": [{"file": name, "why": why} for name, why in sorted(self.left.items())],
            "text": self.text,
        }

    def _table(self, table: SourceTable, like: Annotation | None) -> dict[str, Any]:
        described = like.columns if like is not None else {}
        columns = [
            {
                "name": column.name, "type": column.type.text, "is_nullable": column.is_nullable,
                "unit": described[column.name].unit if column.name in described else "",
                "description": described[column.name].description if column.name in described else "",
            }
            for column in table.table
        ]  # fmt: skip
        rows = [piece.rows for piece in table.slices]
        return {
            "table": table.name, "role": str(table.layout.role), "key": table.layout.key,
            "director": table.layout.director, "position": list(table.layout.position or ()),
            "files": len({piece.path for piece in table.slices}), "rows": sum(count or 0 for count in rows),
            "like": f"{like.schema}.{like.table}" if like is not None else "", "described": len(described),
            "notes": list(table.notes), "columns": columns,
        }  # fmt: skip


def first_mapping(folder: Path, database: str = "") -> FirstMapping:
    """Look at a folder and describe it.

    Raises:
        UserError: no folder, no Parquet file in it, runs that nothing orders, types of a column that none holds, a name
            that no database can have.
    """
    require_database_name(database or database_of(folder))
    found = map_folder(folder, database)
    path = folder / "mapping"
    source = open_mapped(validate_model(Mapping, found.content, path), path)
    annotations = nearest_schemas({name: table.table.column_names for name, table in source.tables.items()})
    return FirstMapping(_text(folder, found, source), source, annotations, found.left)


def _text(folder: Path, found: FolderMapping, source: Source) -> str:
    content = found.content | {
        "tables": {
            name: {**patterns, **_role(source.tables[name])}
            for name, patterns in found.content["tables"].items()
            if name in source.tables
        }
    }
    dumped = yaml.safe_dump(content, sort_keys=False, width=110, allow_unicode=True)
    return _HEAD.format(folder=folder.resolve()) + dumped


def _role(table: SourceTable) -> dict[str, Any]:
    layout = table.layout
    role: dict[str, Any] = {"role": str(layout.role)}
    if layout.role is not Role.REGULAR:
        role |= {"director": layout.director} if layout.director else {}
        role |= {"key": layout.key} if layout.key else {}
        role |= {"position": list(layout.position)} if layout.position else {}
    return role | ({"primary_key": list(table.table.primary_key)} if table.table.primary_key else {})
