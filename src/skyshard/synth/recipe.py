"""Recipes: strict models of ``synth/recipes/*.yaml``. No I/O but reading the file named.

A recipe together with a seed decides every byte of a catalog. Angles in degrees, magnitudes AB, unless a name says
otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from skyshard.chunking import Chunker
from skyshard.errors import UserError
from skyshard.layout import Striping, parse_model
from skyshard.resources import data_folder
from skyshard.sphere import Box
from skyshard.synth.columns import BAND_COLUMNS, BANDS, FORCED_SOURCE_COLUMNS, SOURCE_COLUMNS, object_columns

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Longitude: TypeAlias = Annotated[float, Field(ge=0, le=360)]
Latitude: TypeAlias = Annotated[float, Field(ge=-90, le=90)]


def _power_of_two(nside: int) -> int:
    if nside & (nside - 1):
        raise ValueError(f"{nside} is not a power of two")
    return nside


class StrictModel(BaseModel):
    """Frozen; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FootprintBox(StrictModel):
    """A piece of the footprint; points on its edges belong to it."""

    ra_deg: tuple[Longitude, Longitude] = (0.0, 360.0)
    """From and to, eastward; from > to passes through 0."""
    dec_deg: tuple[Latitude, Latitude] = (-90.0, 90.0)
    """South and north."""

    @model_validator(mode="after")
    def _has_area(self) -> FootprintBox:
        if self.dec_deg[0] >= self.dec_deg[1] or self.ra_deg[0] == self.ra_deg[1]:
            raise ValueError("the box has no area; give from < to, south < north")
        return self

    @property
    def box(self) -> Box:
        return Box(self.ra_deg[0], self.dec_deg[0], self.ra_deg[1], self.dec_deg[1])

    @property
    def ra_width_deg(self) -> float:
        low, high = self.ra_deg
        return high - low if high > low else high - low + 360.0


class Plane(StrictModel):
    """A great circle that objects crowd along, like the Galactic plane."""

    pole_ra_deg: Longitude = 192.85948
    """Right ascension of its pole (default: the north Galactic pole)."""
    pole_dec_deg: Latitude = 27.12825
    """Declination of its pole."""
    contrast: Annotated[float, Field(ge=1, le=1e6)]
    """Density on the plane over density far from it."""
    scale_deg: Positive
    """Distance from the plane over which the excess falls by e."""


class Clusters(StrictModel):
    """Arcminute-scale clusters: a near-neighbour query costs the square of the local density."""

    fraction: Share
    """Share of the objects that belong to a cluster."""
    richness: Annotated[float, Field(ge=1)] = 20.0
    """Mean number of objects in a cluster."""
    scale_arcmin: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Standard deviation of the members' offset from the centre, along each axis."""


class Sky(StrictModel):
    """How many objects there are, and where: a HEALPix density map, made from these numbers."""

    nside: Annotated[int, Field(ge=1, le=1024), AfterValidator(_power_of_two)] = 64
    """HEALPix resolution of the density map."""
    objects_per_sqdeg: Annotated[float, Field(gt=0, le=1e8)]
    """Mean over the footprint, objects per square degree."""
    footprint: Annotated[tuple[FootprintBox, ...], Field(min_length=1)]
    """Where there are objects: the union of these boxes."""
    plane: Plane | None = None
    """A band of high density."""
    patchiness: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Standard deviation of ln(density) from one map pixel to the next."""
    clusters: Clusters | None = None
    """Arcminute-scale clustering."""


class Population(StrictModel):
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
    def _has_range(self) -> Population:
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


class SourceTable(StrictModel):
    """Detections: the visits in which an object stands out. The number follows from depth and visits."""

    detection_snr: Positive = 5.0
    """Signal over noise in one visit above which an object is detected."""


class ForcedSourceTable(StrictModel):
    """A measurement for each object and each visit that covers it, detected or not."""


class Tables(StrictModel):
    """Which tables to make; Filter and Visit are always made."""

    Object: ObjectTable = ObjectTable()
    """The director table."""
    Source: SourceTable | None = SourceTable()
    """Detections; null for none."""
    ForcedSource: ForcedSourceTable | None = ForcedSourceTable()
    """Forced measurements; null for none."""


class TruthCount(StrictModel):
    """A count that the generator keeps, so that a query's answer is known: rows with ``column <is> values``."""

    table: Literal["Object", "Source", "ForcedSource"]
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


class Recipe(StrictModel):
    """Everything that decides a synthetic catalog but the seed, which may be given apart."""

    version: Literal[1]
    """Format of this file."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
    """Short name, as in the file's name."""
    description: str = ""
    """What it is for."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Seed of all random streams, unless another is given."""
    striping: Striping
    """Chunks are made, and written, by these numbers."""
    flux_unit: Literal["uJy", "nJy", "cgs"] = "uJy"
    """Unit of every flux: microjansky (AB zero point 23.9), nanojansky (31.4), erg/s/cm2/Hz (-48.6)."""
    sky: Sky
    """Number and places of objects."""
    population: Population = Population()
    """Brightness, kind and variability of objects."""
    bands: Annotated[dict[str, Band], Field(min_length=1)]
    """Filters by name."""
    visits: Visits
    """Pointings."""
    tables: Tables = Tables()
    """Tables and their columns."""
    truth: tuple[TruthCount, ...] = ()
    """Counts to keep in the manifest."""

    @field_validator("striping")
    @classmethod
    def _striping_is_possible(cls, striping: Striping) -> Striping:
        try:
            Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
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
        columns = {
            "Object": object_columns(self.band_names, self.tables.Object.band_columns),
            "Source": SOURCE_COLUMNS if self.tables.Source else [],
            "ForcedSource": FORCED_SOURCE_COLUMNS if self.tables.ForcedSource else [],
        }
        for count in self.truth:
            if count.column not in [name for name, _, _ in columns[count.table]]:
                raise ValueError(f"truth: table {count.table} has no column '{count.column}'")
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
    return parse_model(Recipe, find_shipped("recipes", source, "recipe"))


def find_shipped(folder: str, source: str | Path, what: str) -> Path:
    """The path given, or the shipped file of that name; UserError naming the shipped ones if there is neither."""
    path = Path(source)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    shipped = {file.stem: file for file in sorted(data_folder("synth", folder).glob("*.yaml"))}
    if str(source) not in shipped:
        known = ", ".join(shipped) or "none"
        raise UserError(f"no {what} '{source}'", remedy=f"give a file, or one of the shipped: {known}")
    return shipped[str(source)]
