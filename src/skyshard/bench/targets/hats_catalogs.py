"""HATS catalogs of a synthetic catalog: its Parquet files, imported once by hats-import into a folder.

Each director becomes a catalog with a margin, so that neighbours across partitions are found, and an index of its key.
Each dependent becomes a catalog whose rows are partitioned by their director's position, so that a join finds both in
one partition. The folder is complete when it holds ``skyshard.json``; it is made again when the catalog or the options
changed.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress, Watcher
from skyshard.catalog.layout import Role
from skyshard.catalog.strict_files import Strict
from skyshard.catalog.synth_manifest import ManifestTable, SynthManifest

RECORD = "skyshard.json"
PARTITION_ROWS = 1_000_000
"""Rows above which a partition is split; hats-import's default."""
MAPPING_ORDER = 9
"""HEALPix order of the histogram from which partitions are made: 0.1 degrees."""
POSITION = ("director_ra", "director_decl")
"""Columns added to a dependent without a position of its own."""


class HatsRecord(Strict):
    """What a folder of HATS catalogs was made from: ``skyshard.json``."""

    version: Literal[1]
    digests: dict[str, str]
    """Row digest of each table of the synthetic catalog."""
    partition_rows: int
    margin_arcsec: float
    elapsed_s: float
    """Seconds that the import took."""
    packages: dict[str, str]


@dataclass(frozen=True, slots=True)
class HatsOptions:
    """Where HATS catalogs are kept, and how large their partitions are."""

    folder: Path
    partition_rows: int = PARTITION_ROWS


def provide_catalogs(sky: Path, manifest: SynthManifest, options: HatsOptions, watcher: Watcher) -> HatsRecord:
    """Import a synthetic catalog unless that was done before.

    Raises:
        UserError: the folder exists and was not made by Skyshard.
    """
    wanted = _wanted(manifest, options)
    folder = options.folder
    if (found := _read_record(folder)) is not None:
        if (found.digests, found.partition_rows, found.margin_arcsec) == wanted:
            return found
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"'{folder}' holds no HATS catalogs made by Skyshard", remedy="name another folder: lsdb:SKY?hats=DIR"
        )
    draft = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    try:
        start = time.monotonic()
        _import_all(sky, manifest, draft, options.partition_rows, wanted[2], watcher)
        record = HatsRecord(
            version=1,
            digests=wanted[0], partition_rows=wanted[1], margin_arcsec=wanted[2],
            elapsed_s=round(time.monotonic() - start, 3), packages=_packages(),
        )  # fmt: skip
        (draft / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return record


def catalog_tables(manifest: SynthManifest) -> dict[str, ManifestTable]:
    """The tables that become HATS catalogs: directors and dependents with rows."""
    roles = (Role.DIRECTOR, Role.DEPENDENT)
    return {name: table for name, table in manifest.tables.items() if table.role in roles and table.rows}


def index_folder(folder: Path, table: str) -> Path:
    """The folder of the index of a director's key."""
    return folder / table / f"{table}_index"


def _wanted(manifest: SynthManifest, options: HatsOptions) -> tuple[dict[str, str], int, float]:
    digests = {name: table.digest for name, table in catalog_tables(manifest).items()}
    return digests, options.partition_rows, round(manifest.striping.overlap_deg * 3600, 6)


def _read_record(folder: Path) -> HatsRecord | None:
    try:
        return HatsRecord.model_validate_json((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _packages() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("hats", "hats-import")}


def _import_all(
    sky: Path, manifest: SynthManifest, out: Path, rows: int, margin_arcsec: float, watcher: Watcher
) -> None:
    from dask.distributed import Client

    out.mkdir(parents=True)
    tables = catalog_tables(manifest)
    logging.disable(logging.WARNING)  # hats-import logs every step to the root logger
    threads = os.cpu_count() or 1
    try:
        with Client(processes=False, n_workers=1, threads_per_worker=threads, dashboard_address=None) as client:
            for done, (name, table) in enumerate(tables.items()):
                watcher(Progress(f"importing {name} to HATS", done, len(tables)))
                margin = margin_arcsec if table.role is Role.DIRECTOR else None
                _import_table(sky, manifest, name, out, rows, margin, client)
                if table.role is Role.DIRECTOR:
                    write_index(out, name, table.key)
            watcher(Progress("importing to HATS", len(tables), len(tables)))
    finally:
        logging.disable(logging.NOTSET)


def _import_table(
    sky: Path, manifest: SynthManifest, name: str, out: Path, rows: int, margin_arcsec: float | None, client: Any
) -> None:
    """Import one table as a collection, with a margin unless it is None."""
    from hats_import import pipeline_with_client
    from hats_import.collection.arguments import CollectionArguments

    table = manifest.tables[name]
    files = [str((sky / file.path).resolve()) for file in table.files if file.rows]
    position = table.position or POSITION
    arguments = CollectionArguments(output_path=str(out), output_artifact_name=name, progress_bar=False).catalog(
        input_file_list=files, file_reader=_reader(sky, manifest, name), ra_column=position[0], dec_column=position[1],
        catalog_type="object" if table.role is Role.DIRECTOR else "source", pixel_threshold=rows,
        mapping_healpix_order=MAPPING_ORDER, expected_total_rows=table.rows,
    )  # fmt: skip
    if margin_arcsec is not None:
        arguments = arguments.add_margin(margin_threshold=margin_arcsec, is_default=True)
    pipeline_with_client(arguments, client)


def _reader(sky: Path, manifest: SynthManifest, name: str) -> Any:
    """The reader that hats-import uses for a table's files."""
    from hats_import.catalog.file_readers import InputReader

    class PlacedReader(InputReader):  # type: ignore[misc]
        """Reads whole files and adds the director's position where a table has none."""

        def __init__(self, directors: Mapping[str, str], keys: tuple[str, str], position: tuple[str, str]) -> None:
            self.directors, self.keys, self.position = directors, keys, position

        def read(self, input_file: Any, read_columns: list[str] | None = None) -> Iterator[pa.Table]:
            table = pq.read_table(str(input_file)).replace_schema_metadata()
            if director := self.directors.get(str(input_file)):
                table = _with_position(
                    table, pq.read_table(director, columns=[self.keys[1], *self.position]), self.keys
                )
            yield table.select(read_columns) if read_columns else table

    table = manifest.tables[name]
    if table.position:
        return PlacedReader({}, ("", ""), ("", ""))
    director = manifest.tables[table.director]
    by_chunk = {file.chunk: str((sky / file.path).resolve()) for file in director.files}
    directors = {str((sky / file.path).resolve()): by_chunk[file.chunk] for file in table.files if file.rows}
    return PlacedReader(directors, (table.key, director.key), director.position or ("", ""))


def _with_position(child: pa.Table, director: pa.Table, keys: tuple[str, str]) -> pa.Table:
    """Add the position of their director's row to a dependent's rows."""
    rows = pc.index_in(child[keys[0]], director[keys[1]].combine_chunks())
    for place, name in enumerate(POSITION, 1):
        child = child.append_column(name, director.column(place).take(rows))
    return child


def write_index(folder: Path, name: str, key: str) -> None:
    """Write an index catalog: each key with the partition of its row, sorted by key.

    Same layout as hats-import's, whose own step does not run on Python 3.11 with the dask version that LSDB needs.
    """
    import hats
    from hats.catalog import TableProperties
    from hats.io import file_io, parquet_metadata, paths

    base = folder / name / name
    catalog = hats.read_hats(base)
    parts = []
    for pixel in catalog.get_healpix_pixels():
        keys = pq.read_table(str(paths.pixel_catalog_file(base, pixel)), columns=[key], partitioning=None)
        keys = keys.append_column("Norder", pa.array(np.full(len(keys), pixel.order, np.uint8)))
        parts.append(keys.append_column("Npix", pa.array(np.full(len(keys), pixel.pixel, np.uint64))))
    index = pa.concat_tables(parts).sort_by(key)
    target = index_folder(folder, name)
    (target / "dataset" / "index").mkdir(parents=True)
    written = file_io.get_parquet_write_table_kwargs(index.schema, write_table_kwargs={"data_page_size": 16 * 1024})
    pq.write_table(index, target / "dataset" / "index" / "part.0.parquet", **written)
    TableProperties(
        catalog_name=target.name, catalog_type="index", total_rows=len(index), primary_catalog=name,
        indexing_column=key, extra_columns=[],
    ).to_properties_file(target)  # fmt: skip
    parquet_metadata.write_parquet_metadata(target, order_by_healpix=False)
