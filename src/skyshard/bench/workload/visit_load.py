"""The load of a phase of visits, as a strict model: fields, what a visit finds, what it reads, when it is due. No I/O.

Keys that ``ap_proto`` (l1dbproto) has mean the same here; ``docs/how-to/visits.md`` has both side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    StrictStr,
    Tag,
    model_serializer,
    model_validator,
)

from skyshard.apdb.sky.fields import draw_centres, least_distance
from skyshard.apdb.sky.sky_settings import SkySettings
from skyshard.basics.lazy import lazy_module
from skyshard.catalog.strict_files import NamedKeys, broken_rule
from skyshard.chunking.sphere import ang_sep

if TYPE_CHECKING:
    from skyshard.apdb.sky import recipe_objects
    from skyshard.synth.recipe.recipe import Recipe
else:
    recipe_objects = lazy_module("skyshard.apdb.sky.recipe_objects")

Position = tuple[Annotated[float, Field(ge=0, lt=360)], Annotated[float, Field(ge=-90, le=90)]]
Share = Annotated[float, Field(gt=0, le=1)]
MOST_TILES = 64
"""Tiles of a side: a number of a row has 12 bits for the tile."""


def _kind_of_fields(given: object) -> str:
    """Which of the two it is meant to be, so that its own fault is named."""
    return "centres" if isinstance(given, list | tuple) else "number"


class Finds(NamedKeys):
    """What one visit finds, in all of its tiles together."""

    variable: Annotated[int, Field(ge=0, le=1_000_000)]
    """Variable objects detected, on average."""
    transient: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """New objects that are seen again for ``transient_days``."""
    noise: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """New objects that are never seen again (``false_per_visit``)."""
    detected: Share = 1.0
    """Share of a field's variable objects that a visit detects (``detection_fraction``)."""
    transient_days: Annotated[float, Field(ge=0)] = 30.0

    @model_validator(mode="after")
    def _finds_something(self) -> Finds:
        if not self.variable + self.transient + self.noise:
            raise broken_rule("a visit finds nothing", ["variable"], "give objects above 0")
        return self


class History(NamedKeys):
    """How much of the past a visit reads, and how fast it fills."""

    months: Annotated[int, Field(ge=1, le=600)] = 12
    """Months of 30 days of sources and forced sources."""
    visits_per_month: Annotated[int, Field(ge=1, le=60_000)]
    """Visits of all fields in a month."""

    @property
    def window_visits(self) -> int:
        """Visits after which the history is as long as it will ever be."""
        return self.months * self.visits_per_month


class Forced(NamedKeys):
    """Which objects have their flux measured in images that do not show them."""

    min_sources: Annotated[int, Field(ge=1)] = 2
    """Sources that an object has, this visit's too."""
    cutoff_days: Annotated[float, Field(ge=0)] = 30.0
    """Days after its last source (``forced_cutoff_days``)."""


class BesideAction(NamedKeys):
    """Something that runs beside the visits, at every so many of them."""

    action: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$", max_length=40)]
    """Its name: one of ``skyshard.apdb.beside``."""
    every: Annotated[int, Field(ge=1)]
    """Visits from one start to the next; a start is left out while the one before still runs."""
    first: Annotated[int, Field(ge=1)] = 1
    """The visit that it starts with first."""


class VisitLoad(NamedKeys):
    """Visits one after the other: each reads, associates and stores in all of its tiles at the same time."""

    count: Annotated[int, Field(ge=1, le=10_000_000)]
    """Visits."""
    fields: Annotated[
        Annotated[int, Field(ge=1, le=10_000), Tag("number")]
        | Annotated[list[Position], Field(min_length=1), Tag("centres")],
        Discriminator(_kind_of_fields),
    ]
    """How many fields, drawn (the first across right ascension 0, the second with the south pole in it), or their
    centres: right ascension and declination in degrees."""
    fov_deg: Annotated[float, Field(gt=0.01, le=10)] = 3.52
    """Side of the square field of view (``FOV_deg``)."""
    recipe: StrictStr = ""
    """A shipped recipe, or a file beside the workload's: its variable objects are those of the fields, ``variable`` of
    them detected on average at most, and fields that are drawn lie in its footprint. Absent: evenly at random."""
    tiles: Annotated[int, Field(ge=1, le=MOST_TILES)]
    """A visit has this many tiles squared (``divide``); each is a client."""
    padding_arcsec: Annotated[float, Field(ge=0.5, le=3600)] = 52.0
    """Margin of what a tile reads (``detector_region_padding``)."""
    order: Literal["round-robin", "random"] = "round-robin"
    """Fields in turn, or at random."""
    per_visit: Finds
    history: History
    forced: Forced = Forced()
    interval_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds from one visit's due time to the next one's (``interval``); absent: closed, the next begins when there is
    room for it."""
    overlap: Annotated[int, Field(ge=1, le=100)] = 1
    """Visits that may run at the same time; those of one field follow each other."""
    read_duty_cycle: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of visits in which sources and forced sources are read (``src_read_duty_cycle``)."""
    read_period: Annotated[int, Field(ge=1)] = 1000
    """Visits of one such cycle: its first ones read (``src_read_period``)."""
    columns: Literal["all", "needed"] = "all"
    """Columns of sources and forced sources that are read."""
    update: bool = True
    """Store what a visit finds; false: only read (``--no-update``)."""
    drop_months: bool = True
    """Drop months of sources and forced sources that are read no more."""
    purge_objects: bool = False
    """At each new month, delete objects from DiaObjectLast that have no source in the history."""
    retry_s: Annotated[float, Field(ge=0)] = 60.0
    """Seconds in which a failed tile is tried again."""
    target_s: Annotated[float, Field(gt=0)] | None = None
    """The time that a visit should stay below."""
    beside: tuple[BesideAction, ...] = ()

    @model_validator(mode="after")
    def _has_fields_apart(self) -> VisitLoad:
        if not isinstance(self.fields, list):
            return self
        apart = least_distance(self.fov_deg)
        for number, (ra, dec) in enumerate(self.fields):
            for other, (ra2, dec2) in enumerate(self.fields[:number]):
                if ang_sep(ra, dec, ra2, dec2) < apart:
                    remedy = f"move them {apart:.2f} degrees apart, or take a smaller fov_deg"
                    raise broken_rule(f"fields {other} and {number} touch", ["fields", number], remedy)
        return self

    @model_validator(mode="after")
    def _has_a_margin_within_tiles(self) -> VisitLoad:
        if self.padding_arcsec / 3600.0 > self.fov_deg / self.tiles:
            what = f"a margin of {self.padding_arcsec:g} arcsec is wider than a tile"
            raise broken_rule(what, ["padding_arcsec"], "take fewer tiles, or a smaller margin")
        return self

    @model_serializer(mode="wrap")
    def _as_before_recipes(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Visits without a recipe are written, and have the digest, as before there were any."""
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key != "recipe" or value}

    def reads_history(self, visit: int) -> bool:
        """Whether a visit, numbered from 1, reads sources and forced sources."""
        return (visit - 1) % self.read_period < self.read_duty_cycle * self.read_period

    @property
    def sky_keys(self) -> dict[str, object]:
        """What phases of one workload have in common."""
        keys = {
            "fields",
            "fov_deg",
            "recipe",
            "tiles",
            "padding_arcsec",
            "order",
            "per_visit",
            "history",
            "forced",
            "columns",
        }
        return self.model_dump(include=keys)

    def sky(self, seed: int, count: int, recipe: Recipe | None = None) -> SkySettings:
        """The sky of so many visits; ``recipe`` is what the load names.

        Raises:
            UserError: no room for so many fields, or a recipe that has no variable object in them.
        """
        finds = self.per_visit
        settings = SkySettings(
            seed=seed, count=count, centres=self._centres(seed, recipe), fov_deg=self.fov_deg, tiles=self.tiles,
            padding_arcsec=self.padding_arcsec, order=self.order, variable=finds.variable, detected=finds.detected,
            transient=finds.transient, transient_days=finds.transient_days, noise=finds.noise,
            visits_per_month=self.history.visits_per_month, history_months=self.history.months,
            min_sources=self.forced.min_sources, cutoff_days=self.forced.cutoff_days,
        )  # fmt: skip
        return settings if recipe is None else recipe_objects.with_variables_of(recipe, settings)

    def _centres(self, seed: int, recipe: Recipe | None) -> tuple[Position, ...]:
        if not isinstance(self.fields, int):
            return tuple(self.fields)
        if recipe is None:
            return draw_centres(self.fields, self.fov_deg, seed)
        return recipe_objects.draw_centres_in(recipe, self.fields, self.fov_deg, seed)
