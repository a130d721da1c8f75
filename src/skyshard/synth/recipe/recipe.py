"""Recipes: strict models of ``synth/recipes/*.yaml``. The only I/O is reading the named file.

A recipe together with a seed decides every byte of a catalog. Angles in degrees, magnitudes AB, unless a name says
otherwise.
"""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Annotated, Literal

import xxhash
from pydantic import Field, field_validator, model_validator

from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Striping
from skyshard.catalog.strict_files import parse_model
from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.sky_rules import ChunkRows, Finite, MapFile, Positive, Share, Sky, StrictModel
from skyshard.synth.recipe.table_columns import (
    BAND_COLUMNS,
    BANDS,
    FORCED_SOURCE_COLUMNS,
    SOURCE_COLUMNS,
    object_columns,
)
from skyshard.synth.recipe.table_kinds import TableKind


class PopulationRules(StrictModel):
    """Brightness, kind and variability of the objects."""

    bright_mag: Finite = 15.0
    """Brightest r magnitude."""
    faint_mag: Finite = 25.0
    """Faintest r magnitude: number counts stop here."""
    slope: Annotated[float, Field(gt=0, le=2)] = 0.35
    """Number counts per magnitude rise as 10^(slope m)."""
    star_fraction: Share = 0.3
    """Share of point sources; the others are galaxies."""
    variable_fraction: Share = 0.03
    """Share of objects whose flux varies."""

    @model_validator(mode="after")
    def _has_range(self) -> PopulationRules:
        if self.bright_mag >= self.faint_mag:
            raise ValueError(f"bright_mag {self.bright_mag:g} is not below faint_mag {self.faint_mag:g}")
        return self


class Band(StrictModel):
    """One filter."""

    depth_mag: Finite
    """Magnitude of a point source at five sigma in one visit."""
    visit_share: Positive
    """Visits in this filter, in proportion to the other filters'."""
    missing_fraction: Share = 0.0
    """Share of objects that were never observed in this band: all its columns are NULL, and it has no children."""


class Visits(StrictModel):
    """When and where the telescope pointed: decides how many children an object has."""

    per_object: Positive
    """Mean number of visits that cover a point of the footprint (Poisson): ForcedSource rows per Object row."""
    field_radius_deg: Annotated[float, Field(gt=0, le=10)] = 1.75
    """Radius of the field of view."""
    first_mjd: Finite = 60_600.0
    """First night, TAI, modified Julian date in days."""
    nights: Annotated[int, Field(ge=1, le=10_000)] = 365
    """Nights that the visits are spread over."""
    detectors_per_side: Annotated[int, Field(ge=1, le=30)] = 15
    """The camera is a square of this many detectors a side: 15 LSSTCam, 12 HSC, 3 LSSTComCam."""


class ObjectTable(StrictModel):
    """The director table."""

    band_columns: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "psfFlux", "psfFluxSigma", "apFlux", "apFluxSigma", "instFlux", "shapeIxx",
    )  # fmt: skip
    """Measurements in each band; each becomes a column ``<band>_<name>``. Shapes in square pixels."""

    @model_validator(mode="after")
    def _columns_are_known(self) -> ObjectTable:
        unknown = [name for name in self.band_columns if name not in BAND_COLUMNS]
        if unknown:
            raise ValueError(f"unknown column '{unknown[0]}', known are {', '.join(BAND_COLUMNS)}")
        if len(set(self.band_columns)) != len(self.band_columns):
            raise ValueError("a column is named twice")
        return self


class RecipeSourceTable(StrictModel):
    """Detections: one row for each visit in which an object is above the noise. Depth and visits decide how many."""

    detection_snr: Positive = 5.0
    """Signal over noise in one visit above which an object is detected."""


class ForcedSourceTable(StrictModel):
    """A measurement for each object and each visit that covers it, detected or not."""


class ReferenceTables(StrictModel):
    """RefObject, a second director, and RefMatch, the ref-match table that links it to Object."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of the objects that the reference catalog has."""
    scatter_arcsec: Annotated[float, Field(ge=0, le=2)] = 0.1
    """Standard deviation of its positions from the objects', along each axis; the sides of a match stay within the
    overlap."""
    unmatched: Share = 0.05
    """Share of its rows that have no object."""


class Tables(StrictModel):
    """Which tables to make. Filter and Visit are always made."""

    Object: ObjectTable = ObjectTable()
    """The director table."""
    Source: RecipeSourceTable | None = RecipeSourceTable()
    """Detections; null for none."""
    ForcedSource: ForcedSourceTable | None = ForcedSourceTable()
    """Forced measurements; null for none."""
    Reference: ReferenceTables | None = None
    """A reference catalog and its matches; none unless asked for."""


class ColumnRecipe(StrictModel):
    """How one column of a Felis schema is made, instead of by its inferred meaning: one of these."""

    constant: int | float | str | None = None
    """One value for all rows."""
    uniform: tuple[Finite, Finite] | None = None
    """From, to."""
    normal: tuple[Finite, Positive] | None = None
    """Mean and standard deviation."""
    lognormal: tuple[Positive, Positive] | None = None
    """Median, and standard deviation of the logarithm."""
    poisson: Positive | None = None
    """Mean of a count."""
    choice: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Words, equally likely."""
    nulls: Share = 0.0
    """Share of rows that are NULL; also alone, with the inferred values."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> ColumnRecipe:
        given = [name for name in type(self).model_fields if name != "nulls" and getattr(self, name) is not None]
        if len(given) > 1 or not (given or self.nulls):
            raise ValueError(f"give one of constant, uniform, normal, lognormal, poisson, choice; not {given}")
        return self


class SchemaTables(StrictModel):
    """Tables with all columns of a Felis schema, instead of ``tables``."""

    catalog: Annotated[str, Field(min_length=1)]
    """Name of the schema: hsc, dp02_dc2, dp1, dp2, or another that ``skyshard schema list`` shows."""
    tables: tuple[str, ...] | None = None
    """Which of its tables to make; null for all."""
    kinds: dict[str, TableKind] = Field(default={})
    """What a table holds, for tables where the columns would suggest something else."""
    columns: dict[str, ColumnRecipe] = Field(default={})
    """Rules for single columns, by ``Table.column``."""
    detection_snr: Positive = 5.0
    """Signal over noise in one visit above which there is a Source row."""
    dia_share: Share = 0.3
    """Share of the objects, besides the variable ones, that difference imaging finds: DiaObject rows."""
    dia_detections: Annotated[float, Field(ge=1)] = 2.8
    """Mean detections of such an object that does not vary: DiaSource rows per DiaObject row."""
    instrument: str = "LSSTCam"
    """Value of instrument columns."""
    other_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    """Rows of regular tables that no rule knows."""


class TruthCount(StrictModel):
    """A count that the generator keeps, so that a query's answer is known: rows with ``column <is> values``."""

    table: str
    """The table to count in."""
    column: str
    """The column compared."""
    comparison: Literal[">", "<", ">=", "<=", "between"] = Field(alias="is")
    """The comparison, as in SQL: between includes both ends."""
    values: Annotated[tuple[Finite, ...], Field(min_length=1, max_length=2)]
    """One number, or two for between, in the column's unit."""

    @model_validator(mode="after")
    def _has_enough_values(self) -> TruthCount:
        expected = 2 if self.comparison == "between" else 1
        if len(self.values) != expected:
            raise ValueError(f"'{self.comparison}' takes {expected} value(s), not {len(self.values)}")
        return self

    @property
    def sql(self) -> str:
        """The statement whose answer this is."""
        bounds = " AND ".join(f"{value!r}" for value in self.values)
        return f"SELECT COUNT(*) FROM {self.table} WHERE {self.column} {self.comparison.upper()} {bounds}"


class TruthColumn(StrictModel):
    """A column to keep COUNT, SUM, MIN and MAX of."""

    table: str
    """The table."""
    column: str
    """A column of numbers."""


class TruthHistogram(TruthColumn):
    """A histogram to keep."""

    edges: Annotated[tuple[Finite, ...], Field(min_length=2, max_length=1001)]
    """Rising; a bin holds its lower edge, the last bin both."""

    @model_validator(mode="after")
    def _edges_rise(self) -> TruthHistogram:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges must rise")
        return self


class Neighbours(StrictModel):
    """Pairs of director rows to count: what near-neighbour queries find."""

    radii_deg: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=10)]
    """Pairs closer than each of these; none above the overlap."""


class Recipe(StrictModel):
    """Everything that decides a synthetic catalog, except a seed given on the command line."""

    version: Literal[1]
    """Format of this file."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
    """Short name, as in the file's name."""
    description: str = ""
    """What it is for."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Seed of all random streams, unless another is given."""
    striping: Striping
    """The striping by which chunks are made and files are cut."""
    flux_unit: Literal["uJy", "nJy", "cgs"] = "uJy"
    """Unit of every flux: microjansky (AB zero point 23.9), nanojansky (31.4), erg/s/cm2/Hz (-48.6)."""
    sky: Sky
    """Number and places of objects."""
    population: PopulationRules = PopulationRules()
    """Brightness, kind and variability of objects."""
    bands: Annotated[dict[str, Band], Field(min_length=1)]
    """Filters by name."""
    visits: Visits
    """Pointings."""
    tables: Tables = Tables()
    """Tables and their columns."""
    felis: SchemaTables | None = Field(default=None, alias="schema")
    """All columns of a Felis schema, instead of ``tables``."""
    truth: tuple[TruthCount, ...] = ()
    """Counts to keep in the manifest."""
    histograms: tuple[TruthHistogram, ...] = ()
    """Histograms to keep: filtered counts follow from them."""
    aggregates: tuple[TruthColumn, ...] = ()
    """Columns whose count, sum, least and greatest value are kept."""
    neighbours: Neighbours | None = None
    """Pairs to count."""

    @field_validator("striping")
    @classmethod
    def _striping_is_possible(cls, striping: Striping) -> Striping:
        try:
            chunker_of(striping)
        except UserError as error:
            raise ValueError(str(error)) from None
        return striping

    @field_validator("bands")
    @classmethod
    def _bands_are_known(cls, bands: dict[str, Band]) -> dict[str, Band]:
        unknown = [name for name in bands if name not in BANDS]
        if unknown:
            raise ValueError(f"unknown band '{unknown[0]}', known are {', '.join(BANDS)}")
        return bands

    @model_validator(mode="after")
    def _truth_has_columns(self) -> Recipe:
        if self.felis is not None:
            return self
        columns = {
            "Object": object_columns(self.band_names, self.tables.Object.band_columns),
            "Source": SOURCE_COLUMNS if self.tables.Source else [],
            "ForcedSource": FORCED_SOURCE_COLUMNS if self.tables.ForcedSource else [],
        }
        for count in self.truth:
            if count.column not in [name for name, _, _ in columns.get(count.table, [])]:
                raise ValueError(f"truth: table {count.table} has no column '{count.column}'")
        return self

    @model_validator(mode="after")
    def _pairs_lie_within_overlap(self) -> Recipe:
        if self.neighbours is not None and max(self.neighbours.radii_deg) > self.striping.overlap_deg:
            raise ValueError(f"neighbours: a radius is above the overlap, {self.striping.overlap_deg:g} degrees")
        return self

    @property
    def band_names(self) -> tuple[str, ...]:
        """The recipe's bands, blue to red."""
        return tuple(band for band in BANDS if band in self.bands)


def read_recipe(source: str | Path) -> Recipe:
    """Read a recipe from a file, or a shipped one by its name.

    Raises:
        UserError: no such file or name, or a key that is unknown or wrong.
    """
    path = find_shipped("recipes", source, "recipe")
    recipe = parse_model(Recipe, path)
    sky = recipe.sky.model_copy(
        update={
            "from_map": recipe.sky.from_map and _located(recipe.sky.from_map, path, "sky.from_map.file"),
            "from_chunks": recipe.sky.from_chunks and _located(recipe.sky.from_chunks, path, "sky.from_chunks.file"),
        }
    )
    return recipe.model_copy(update={"sky": sky})


def _located(rule: MapFile | ChunkRows, recipe: Path, key: str) -> MapFile | ChunkRows:
    """The file's whole path, and its hash: what it holds decides the sky as the recipe itself does."""
    path = (recipe.parent / rule.file).resolve()
    try:
        found = xxhash.xxh3_128(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(
            f"'{recipe}', key '{key}': cannot read '{path}': {error.strerror}", remedy="check path and permissions"
        ) from None
    if rule.xxh3 not in ("", found):
        raise UserError(
            f"'{recipe}', key '{key}': '{path}' has changed since the recipe was read",
            remedy="use the file that the catalog was made with",
        )
    return rule.model_copy(update={"file": str(path), "xxh3": found})


def find_shipped(folder: str, source: str | Path, what: str) -> Path:
    """The path given, or the shipped file of that name; UserError naming the shipped ones if there is neither."""
    path = Path(source)
    if path.suffix in (".yaml", ".yml") or os.path.isfile(path):
        return path
    shipped = shipped_files(folder)
    if str(source) not in shipped:
        known = ", ".join(shipped) or "none"
        raise UserError(f"no {what} '{source}'", remedy=f"give a file, or one of the shipped: {known}")
    return shipped[str(source)]


def shipped_files(folder: str) -> dict[str, Path]:
    """What Skyshard brings in a folder of ``synth/``, by name."""
    return {file.stem: file for file in sorted(data_folder("synth", folder).glob("*.yaml"))}
