"""The manifest of a synthetic catalog: what the folder holds, how it was made, and the truth about it.

The one model of ``manifest.json``, the file in which synthesis and ingest meet; no I/O but reading and writing it.
The folder is complete exactly when this file is there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role, Striping
from skyshard.catalog.strict_files import Strict, read_written
from skyshard.host.atomic_files import write_atomically

MANIFEST = "manifest.json"

Count = Annotated[int, Field(ge=0)]
Shrink: TypeAlias = Literal["coverage", "thinning"]
"""The two ways to make less than all."""


class ManifestColumn(Strict):
    """One column, in declared order."""

    name: str
    type: str
    """Type as MariaDB reads it, e.g. ``bigint(20)``."""
    nullable: bool
    """False: NOT NULL."""


class ManifestFile(Strict):
    """One Parquet file."""

    path: str
    """Relative to the manifest's folder."""
    chunk: int | None
    """The chunk that holds all its rows; null for a regular table."""
    rows: Count
    """Rows in the file."""
    bytes: Count
    """Size of the file."""
    xxh3: str = ""
    """XXH3 hash of the file's bytes, 128 bits in hexadecimal; empty where it is not known."""
    digest: str = ""
    """Row digest, ``rows:hex``: independent of order and format; empty where it is not known."""


class ManifestTable(Strict):
    """One table."""

    role: Role
    """director, dependent, ref-match or regular."""
    key: str
    """Director: its key. Dependent: the column that holds the director's key."""
    director: str
    """Dependent: the director table. Ref-match: the first."""
    director2: str = ""
    """Ref-match: the second director table."""
    key2: str = ""
    """Ref-match: the column that holds the second director's key."""
    flag: str = ""
    """Ref-match: the column that says which side is in the chunk."""
    position: tuple[str, str] | None
    """Longitude and latitude columns, degrees: the director's own, or copied from it; null where there are none."""
    columns: tuple[ManifestColumn, ...]
    """All columns in order."""
    primary_key: tuple[str, ...]
    """Columns of the primary key."""
    indexes: tuple[tuple[str, ...], ...]
    """Secondary indexes to make."""
    rows: Count
    """Rows in all files."""
    digest: str = ""
    """Sum of the files' row digests; empty where they are not known."""
    files: tuple[ManifestFile, ...]
    """Sorted by chunk number."""


class Aggregate(Strict):
    """COUNT, SUM, MIN and MAX of one column, NULL left out."""

    rows: Count
    """Rows that are not NULL."""
    sum: int | float
    """Exact for whole numbers; else the exact sum rounded once, in a chunk and again over chunks."""
    least: int | float | None
    """Null without rows."""
    greatest: int | float | None


class TableTruth(Strict):
    """What the generator knows of one table in one chunk; ``merged`` makes a chunk's truth of those of its tables."""

    rows: Count
    extent_deg: tuple[float, float, float, float] | None = None
    """The director's only; see ``ChunkTruth``."""
    counts: dict[int, Count] = Field(default_factory=dict)
    """By place of the rule in the recipe's ``truth``; likewise the next two."""
    histograms: dict[int, tuple[Count, ...]] = Field(default_factory=dict)
    aggregates: dict[int, Aggregate] = Field(default_factory=dict)
    pairs: tuple[Count, ...] = ()
    """The director's only."""


class ChunkTruth(Strict):
    """What the generator knows of one chunk."""

    rows: dict[str, Count]
    """Rows by table."""
    extent_deg: tuple[float, float, float, float] | None
    """Least and greatest ra, least and greatest decl of the director's rows; null without rows."""
    counts: tuple[Count, ...]
    """One for each entry of the recipe's ``truth``, in that order."""
    histograms: tuple[tuple[Count, ...], ...] = ()
    """For each entry of the recipe's ``histograms`` the rows in each bin; below, above and NULL are not counted."""
    aggregates: tuple[Aggregate, ...] = ()
    """One for each entry of the recipe's ``aggregates``."""
    pairs: tuple[Count, ...] = ()
    """For each of the recipe's ``neighbours.radii_deg``: pairs (a, b) of director rows closer than it, a in this chunk,
    b in any chunk of the catalog, a and b not one row; over the whole catalog (a, b) and (b, a) both count."""


class ManifestAnswer(Strict):
    """A statement, and the one row that it must return."""

    sql: str
    """A statement over the whole catalog."""
    row: tuple[int | float | None, ...]
    """Its answer, exact."""


class ManifestTruth(Strict):
    """What answers must be."""

    rows: dict[str, Count]
    """Rows by table, regular tables too."""
    chunks: dict[int, ChunkTruth]
    """By chunk number."""
    answers: tuple[ManifestAnswer, ...]
    """Statements with their answers."""


class ManifestGenerator(Strict):
    """What made the rows; the same recipe and seed give the same bytes under the same versions."""

    skyshard: str
    numpy: str
    pyarrow: str


class SynthManifest(Strict):
    """A complete synthetic catalog.

    Keys with a default may be missing where another program made the folder; synthesis writes them all.
    """

    version: Literal[1]
    """Format of this file."""
    kind: Literal["skyshard-synth"] = "skyshard-synth"
    """Marks the file as ours."""
    recipe: dict[str, Any]
    """The whole recipe, as it was read; only synthesis knows what is in it. Ingest takes its ``name``."""
    seed: int = 0
    """The seed used: the recipe's own unless another was given."""
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the recipe's sky that was asked for, by expected objects."""
    shrink: Shrink = "coverage"
    """How the catalog was shrunk to the fraction: coverage = real density, fewer chunks; thinning = all chunks, fewer
    rows."""
    chunks: tuple[int, ...] | None = None
    """The chunks asked for; null = all of the fraction."""
    striping: Striping
    """The striping that the files are cut by."""
    generator: ManifestGenerator | None = None
    """Versions."""
    tables: dict[str, ManifestTable]
    """By name; the director first."""
    truth: ManifestTruth | None = None
    """Known answers; null where no one knows them."""

    @property
    def known_truth(self) -> ManifestTruth:
        """The truth of a folder that synthesis wrote.

        Raises:
            UserError: another program made the folder, and says none.
        """
        if self.truth is None:
            raise UserError("the manifest says no truth", remedy="make the folder again with skyshard synth")
        return self.truth


def read_manifest(folder: Path) -> SynthManifest:
    """The manifest of a synthetic catalog's folder.

    Raises:
        UserError: a manifest that is missing, of a later version or not of Skyshard; names file and key.
    """
    finished = "give the --out folder of a finished skyshard synth"
    again = "make the folder again with skyshard synth"
    return read_written(SynthManifest, folder / MANIFEST, again, if_missing=finished)


def write_manifest(folder: Path, manifest: SynthManifest) -> None:
    """Write it as one step: the file is complete or absent."""
    write_atomically(folder / MANIFEST, manifest.model_dump_json(by_alias=True, indent=1) + "\n")


def to_json(content: object) -> str:
    """Canonical JSON: keys sorted, no spaces; equal texts for equal contents."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
