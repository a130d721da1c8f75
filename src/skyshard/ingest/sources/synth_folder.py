"""Folders that ``skyshard synth`` wrote: Parquet files and a manifest (``catalog.synth_manifest``)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.catalog.synth_manifest import MANIFEST, ManifestFile, ManifestTable, SynthManifest, read_manifest
from skyshard.ingest.source import InputSlice, Source, SourceTable, asked_for
from skyshard.ingest.sources.parquet_files import ParquetReader
from skyshard.rowimage.sqltype import parse_type


def is_synth_folder(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def open_synth_folder(folder: Path, only: Collection[str] | None = None) -> Source:
    """Read a synthetic catalog's manifest; the files of ``only`` some of its tables have to be there, if so asked.

    Raises:
        UserError: an unreadable manifest, or a file of it that is missing or has another size.
    """
    manifest = read_manifest(folder)
    wanted = asked_for(folder, manifest.tables, only)
    tables = {name: _source_table(folder, name, manifest.tables[name]) for name in wanted}
    layout = Layout(striping=manifest.striping, tables={name: table.layout for name, table in tables.items()})
    truth = {name: manifest.tables[name].rows for name in wanted}
    unopened = frozenset(manifest.tables).difference(wanted)
    database = str(manifest.recipe["name"]).replace("-", "_").replace(".", "_")
    return Source(str(folder), "synthetic catalog", database, layout, tables, truth, _known(manifest), unopened)


def _known(manifest: SynthManifest) -> dict[str, Any]:
    """What ``skyshard.synthetic.generator_truth`` reads; empty where no one knows the rows."""
    if manifest.truth is None:
        return {}
    share = manifest.fraction if manifest.shrink == "thinning" else 1.0
    chunks = {chunk: truth.model_dump(mode="json") for chunk, truth in manifest.truth.chunks.items()}
    return {"recipe": manifest.recipe, "seed": manifest.seed, "share": share, "chunks": chunks}


def _source_table(folder: Path, name: str, table: ManifestTable) -> SourceTable:
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


def _part(folder: Path, file: ManifestFile) -> InputSlice:
    path = folder / file.path
    try:
        size = path.stat().st_size
    except OSError:
        raise UserError(f"'{path}' is missing", remedy="make or copy the catalog again") from None
    if size != file.bytes:
        raise UserError(f"'{path}' has {size} bytes where the manifest says {file.bytes}", remedy="copy it again")
    return InputSlice(str(path), size, file.rows, digest=file.digest)
