"""The output folder of a synthesis: which catalog it belongs to, what is finished, and files complete or absent.

While a synthesis is under way, ``.progress/`` holds its identity and one record per finished chunk; the manifest
replaces them at the end. A folder with another identity, or with other things in it, is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from pydantic import ValidationError

from skyshard.basics.errors import UserError
from skyshard.catalog.schema import Table
from skyshard.catalog.strict_files import validate_model
from skyshard.catalog.synth_manifest import (
    MANIFEST,
    ChunkTruth,
    ManifestFile,
    Shrink,
    SynthManifest,
    read_manifest,
    to_json,
)
from skyshard.host.atomic_files import write_atomically
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.record import Field
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.recipe.sky_rules import StrictModel

PROGRESS = ".progress"
PREVIEW = "preview.html"
"""A page about the recipe, which may be in the folder before any rows."""
_IDENTITY = "identity.json"
_COMPRESSION, _LEVEL = "zstd", 1


class ChunkRecord(StrictModel):
    """A finished chunk: its files by table, and its truth."""

    chunk: int
    files: dict[str, ManifestFile]
    truth: ChunkTruth

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files.values())

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides the content of a folder: two runs may share one only if these are equal."""

    recipe: Recipe
    seed: int
    fraction: float
    chunks: tuple[int, ...] | None
    shrink: Shrink = "coverage"

    @classmethod
    def of(cls, manifest: SynthManifest, path: Path) -> Identity:
        """What a manifest says; ``path`` is its file, for what errors say."""
        recipe = validate_model(Recipe, manifest.recipe, path)
        return cls(recipe, manifest.seed, manifest.fraction, manifest.chunks, manifest.shrink)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """From ``text``."""
        content = json.loads(text)
        chunks = None if content["chunks"] is None else tuple(content["chunks"])
        recipe = Recipe.model_validate({**content["recipe"], "seed": content["seed"]})
        return cls(recipe, content["seed"], content["fraction"], chunks, content["shrink"])

    @property
    def text(self) -> str:
        recipe = self.recipe.model_dump(mode="json", by_alias=True, exclude={"description", "seed"})
        chunks = None if self.chunks is None else list(self.chunks)
        how = {"seed": self.seed, "fraction": self.fraction, "chunks": chunks, "shrink": self.shrink}
        return to_json({"recipe": recipe, **how})


def take_folder(folder: Path, identity: Identity) -> None:
    """Make the folder this catalog's, or check that it is.

    Raises:
        UserError: it holds another catalog, or things that no synthesis wrote.
    """
    path = folder / PROGRESS / _IDENTITY
    if folder.exists() and not folder.is_dir():
        raise UserError(f"'{folder}' is not a folder", remedy="give another --out")
    if (folder / MANIFEST).exists():
        found = Identity.of(read_manifest(folder), folder / MANIFEST).text
    elif path.exists():
        found = path.read_text(encoding="utf-8")
    elif folder.exists() and any(path.name != PREVIEW for path in folder.iterdir()):
        raise UserError(f"'{folder}' is not empty and holds no synthetic catalog", remedy="give an empty or new folder")
    else:
        found = identity.text
    if found != identity.text:
        remedy = "give another --out, or the same recipe, seed, fraction and chunks as before"
        raise UserError(f"'{folder}' holds a catalog of another recipe, seed, fraction or chunks", remedy=remedy)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, identity.text)
    except OSError as error:
        raise UserError(f"cannot write in '{folder}': {error.strerror}", remedy="give another --out") from None


def finished(folder: Path) -> dict[int, ChunkRecord]:
    """Records of the chunks whose files are all present and unchanged."""
    records = {record.chunk: record for record in _recorded(folder)}
    return {chunk: record for chunk, record in records.items() if _is_whole(folder, record)}


def _recorded(folder: Path) -> list[ChunkRecord]:
    if (folder / MANIFEST).exists():
        return records_of(read_manifest(folder))
    records = []
    for path in (folder / PROGRESS).glob("chunk_*.json"):
        try:
            records.append(ChunkRecord.model_validate_json(path.read_bytes()))
        except ValidationError:
            path.unlink()
    return records


def records_of(manifest: SynthManifest) -> list[ChunkRecord]:
    """The records that a manifest was made from."""
    files: dict[int, dict[str, ManifestFile]] = {chunk: {} for chunk in manifest.known_truth.chunks}
    for name, table in manifest.tables.items():
        for file in table.files:
            if file.chunk is not None:
                files[file.chunk][name] = file
    return [
        ChunkRecord(chunk=chunk, files=files[chunk], truth=truth)
        for chunk, truth in manifest.known_truth.chunks.items()
    ]


def _is_whole(folder: Path, record: ChunkRecord) -> bool:
    return all(
        (folder / file.path).is_file()
        and (folder / file.path).stat().st_size == file.bytes
        and hash_file(folder / file.path) == file.xxh3
        for file in record.files.values()
    )


def hash_file(path: Path) -> str:
    """XXH3 of a file's bytes."""
    state = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            state.update(block)
    return state.hexdigest()


def write_record(folder: Path, record: ChunkRecord) -> None:
    """Note that a chunk is finished."""
    path = folder / PROGRESS / f"chunk_{record.chunk}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, record.model_dump_json())


def close(folder: Path) -> None:
    """Remove the records: the manifest holds them."""
    shutil.rmtree(folder / PROGRESS, ignore_errors=True)


def write_table(folder: Path, table: Table, chunk: int | None, rows: pa.Table) -> ManifestFile:
    """Write one Parquet file in one step, and return what it holds; see ``TableFile``."""
    with TableFile(folder, table, chunk) as file:
        file.add(rows)
        return file.finish()


class TableFile:
    """One Parquet file, written in runs; it gets its name when it is complete.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path, table: Table, chunk: int | None) -> None:
        self._path = Path(table.name) / ("all.parquet" if chunk is None else f"chunk_{chunk}.parquet")
        self._target = folder / self._path
        self._draft = self._target.with_name(self._target.name + ".tmp")
        self._chunk = chunk
        self._fields = [Field(column.name, column.type, column.is_nullable) for column in table]
        self._digest = RowDigest()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> TableFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._draft.unlink(missing_ok=True)

    def add(self, rows: pa.Table) -> None:
        """Append rows."""
        with self._writing():
            if self._writer is None:
                self._target.parent.mkdir(parents=True, exist_ok=True)
                how: dict[str, Any] = {"compression": _COMPRESSION, "compression_level": _LEVEL}
                self._writer = pq.ParquetWriter(self._draft, rows.schema, use_dictionary=False, **how)
            self._writer.write_table(rows)
        self._digest += digest(rows, self._fields)

    def finish(self) -> ManifestFile:
        """Give the file its name, and say what it holds."""
        with self._writing():
            if self._writer is not None:
                self._writer.close()
            checksum, size = hash_file(self._draft), self._draft.stat().st_size
            os.replace(self._draft, self._target)
        return ManifestFile(
            path=str(self._path), chunk=self._chunk, rows=self._digest.rows, bytes=size, xxh3=checksum,
            digest=str(self._digest),
        )  # fmt: skip

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"cannot write '{self._target}': {error.strerror or error}",
                remedy="free disk space or use another --out",
            ) from None
