"""Folders that ``skyshard synth`` wrote: Parquet files and a manifest.

Only the part of the manifest that ingest needs is read here; the generator's own model is none of ingest's business.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.errors import UserError
from skyshard.ingest.source import InputSlice, Source, SourceTable, asked_for
from skyshard.ingest.sources.parquet_files import ParquetReader
from skyshard.rowimage.sqltype import parse_type

_MANIFEST = "manifest.json"


class _Model(BaseModel):
    """Keys that ingest does not need are the generator's."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Column(_Model):
    name: str
    type: str
    nullable: bool


class _File(_Model):
    path: str
    chunk: int | None
    rows: int
    bytes: int
    digest: str = ""


class _Table(_Model):
    role: Role
    key: str
    director: str
    director2: str = ""
    key2: str = ""
    flag: str = ""
    position: tuple[str, str] | None
    columns: tuple[_Column, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    rows: int
    files: tuple[_File, ...]


class _Truth(_Model):
    chunks: dict[str, dict[str, Any]]


class _Manifest(_Model):
    recipe: dict[str, Any]
    seed: int = 0
    fraction: float = 1.0
    shrink: str = "coverage"
    striping: Striping
    tables: dict[str, _Table]
    truth: _Truth | None = None

    @property
    def known(self) -> dict[str, Any]:
        """What ``skyshard.synthetic.generator_truth`` reads."""
        share = self.fraction if self.shrink == "thinning" else 1.0
        return (
            {}
            if self.truth is None
            else {"recipe": self.recipe, "seed": self.seed, "share": share, "chunks": self.truth.chunks}
        )


def is_synth_folder(folder: Path) -> bool:
    return (folder / _MANIFEST).is_file()


def open_synth_folder(folder: Path, only: Collection[str] | None = None) -> Source:
    """Read a synthetic catalog's manifest; the files of ``only`` some of its tables have to be there, if so asked.

    Raises:
        UserError: an unreadable manifest, or a file of it that is missing or has another size.
    """
    path = folder / _MANIFEST
    try:
        manifest = _Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the path") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(piece) for piece in first["loc"]) or "top level"
        raise UserError(f"'{path}', key '{where}': {first['msg']}", remedy="make the catalog again") from None
    wanted = asked_for(folder, manifest.tables, only)
    tables = {name: _source_table(folder, name, manifest.tables[name]) for name in wanted}
    layout = Layout(striping=manifest.striping, tables={name: table.layout for name, table in tables.items()})
    truth = {name: manifest.tables[name].rows for name in wanted}
    unopened = frozenset(manifest.tables).difference(wanted)
    database = str(manifest.recipe["name"]).replace("-", "_").replace(".", "_")
    return Source(str(folder), "synthetic catalog", database, layout, tables, truth, manifest.known, unopened)


def _source_table(folder: Path, name: str, table: _Table) -> SourceTable:
    columns = tuple(Column(column.name, parse_type(column.type), column.nullable) for column in table.columns)
    layout = TableLayout(
        role=table.role,
        key=table.key,
        director=table.director,
        director2=table.director2,
        key2=table.key2,
        flag=table.flag,
        position=table.position,
        indexes=[list(index) for index in table.indexes],
    )
    slices = tuple(_part(folder, file) for file in table.files)
    return SourceTable(Table(name, columns, table.primary_key), layout, slices, ParquetReader())


def _part(folder: Path, file: _File) -> InputSlice:
    path = folder / file.path
    try:
        size = path.stat().st_size
    except OSError:
        raise UserError(f"'{path}' is missing", remedy="make or copy the catalog again") from None
    if size != file.bytes:
        raise UserError(f"'{path}' has {size} bytes where the manifest says {file.bytes}", remedy="copy it again")
    return InputSlice(str(path), size, file.rows, digest=file.digest)
