"""Rules of the sky: strict models of a recipe's ``sky``. No I/O. Angles in degrees."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from skyshard.catalog.layout import Striping
from skyshard.chunking.sphere import Box
from skyshard.synth.recipe.frames import Frame

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


class Spot(StrictModel):
    """A round region of higher density, or of none: the bulge, a Magellanic cloud, a deep field, a hole."""

    ra_deg: Longitude
    """Right ascension of its centre."""
    dec_deg: Latitude
    """Declination of its centre."""
    scale_deg: Positive
    """Distance from the centre over which the excess falls by e; a disc's radius."""
    contrast: Annotated[float, Field(ge=0, le=1e6)]
    """Density at the centre over density without it; in a disc 0 is a hole."""
    shape: Literal["exponential", "disc"] = "exponential"
    """An excess that fades outward, or a sharp disc."""

    @model_validator(mode="after")
    def _excess_is_positive(self) -> Spot:
        if self.shape == "exponential" and self.contrast < 1:
            raise ValueError("an exponential spot needs a contrast of at least 1; use shape: disc for a hole")
        return self


class MapFile(StrictModel):
    """A density map from a file: relative density in each HEALPix pixel; its resolution is the file's own."""

    file: str
    """FITS, or .npy; relative to the recipe."""
    is_nested: bool | None = None
    """Order of the pixels where the file does not say it (.npy, FITS without ORDERING); a .npy is ring else."""
    coordinates: Frame | None = None
    """Of a file that does not say it (.npy, FITS without COORDSYS); equatorial else."""
    xxh3: str = ""
    """Hash of the file, noted when a recipe is read; another content is refused."""


class ChunkRows(StrictModel):
    """Density from the rows in each chunk of a real catalog."""

    file: str
    """Text, ``chunkId<TAB>rows`` with a header line, .gz or not; relative to the recipe."""
    striping: Striping = Striping(stripes=340, substripes=3, overlap_deg=0.01667)
    """Striping of its chunks; the recipe's own may be another."""
    xxh3: str = ""
    """Hash of the file, noted when a recipe is read; another content is refused."""


class Skew(StrictModel):
    """The spread of rows per chunk: the model says which chunks are denser, these numbers by how much."""

    striping: Striping = Striping(stripes=340, substripes=3, overlap_deg=0.01667)
    """Striping of the chunks that are meant."""
    quantiles: Annotated[tuple[tuple[Share, Positive], ...], Field(min_length=2)]
    """(share of the chunks, rows), both rising, shares from 0 to 1; only ratios count; ln(rows) is linear between."""

    @model_validator(mode="after")
    def _quantiles_rise(self) -> Skew:
        shares, rows = zip(*self.quantiles, strict=True)
        if (shares[0], shares[-1]) != (0, 1) or sorted(set(shares)) != list(shares) or sorted(rows) != list(rows):
            raise ValueError("quantiles must begin at 0, end at 1, and rise")
        return self


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
    objects_per_sqdeg: Annotated[float, Field(gt=0, le=1e8)] | None = None
    """Mean over the footprint, objects per square degree; or give ``objects_total``."""
    objects_total: Annotated[float, Field(gt=0, le=1e13)] | None = None
    """Expected number of objects in all chunks together."""
    footprint: Annotated[tuple[FootprintBox, ...], Field(min_length=1)]
    """Where there are objects: the union of these boxes."""
    plane: Plane | None = None
    """A band of high density."""
    spots: tuple[Spot, ...] = ()
    """Round regions of other density; excesses add, discs multiply."""
    from_map: MapFile | None = None
    """A density map instead of plane and spots."""
    from_chunks: ChunkRows | None = None
    """Rows per chunk of a real catalog, instead of plane and spots."""
    skew: Skew | None = None
    """The spread of rows per chunk that plane, spots and patchiness are brought to."""
    patchiness: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Standard deviation of ln(density) from one map pixel to the next."""
    clusters: Clusters | None = None
    """Arcminute-scale clustering."""
    blends: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the objects that lie within two arcseconds of another, their parent."""

    @model_validator(mode="after")
    def _has_one_density(self) -> Sky:
        if (self.objects_per_sqdeg is None) == (self.objects_total is None):
            raise ValueError("give objects_per_sqdeg or objects_total, one of them")
        if self.from_map is not None and self.from_chunks is not None:
            raise ValueError("give from_map or from_chunks, not both")
        return self
