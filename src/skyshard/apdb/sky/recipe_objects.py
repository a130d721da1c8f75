"""The variable objects of a recipe's sky as those of the fields of visits: known without a database. No I/O.

Which objects vary, and where they are, is what a catalog of that recipe has. Their density is as uneven as it is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from skyshard.apdb.sky.fields import Field, choose_apart, least_distance
from skyshard.apdb.sky.sky_settings import Places, SkySettings
from skyshard.basics.array_types import Flags, Floats
from skyshard.basics.errors import UserError
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synth.sky.density import in_footprint
from skyshard.synth.sky.population import draw_variable

_CENTRES, _CHOICE = 23, 29
"""Tell streams of random numbers from others of the same seed."""
_MOST_TRIES = 100_000
_AT_ONCE = 1_000


def draw_centres_in(recipe: Recipe, count: int, fov_deg: float, seed: int) -> tuple[tuple[float, float], ...]:
    """Centres of fields that do not touch, at random in a recipe's footprint, where it has any objects.

    Raises:
        UserError: there is no room for so many.
    """
    sky = open_sky(recipe)
    rng, apart = np.random.default_rng([seed, _CENTRES]), least_distance(fov_deg)
    chosen: list[tuple[float, float]] = []
    for _ in range(_MOST_TRIES // _AT_ONCE):
        if len(chosen) < count:
            choose_apart(chosen, count, apart, *_somewhere(sky, rng))
    if len(chosen) < count:
        what = f"recipe '{recipe.name}' has no room for {count} fields of {fov_deg:g} degrees that do not touch"
        raise UserError(what, remedy="take fewer, a smaller fov_deg, or a recipe of a larger footprint")
    return tuple(chosen)


def _somewhere(sky: SyntheticSky, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points in chunks that hold objects, evenly over these; without those outside the footprint."""
    edges = sky.chunker.chunk_edges(np.array(list(sky.expected_objects()), np.int64))
    heights = np.sin(np.radians(edges[2:]))
    area = (edges[1] - edges[0]) * (heights[1] - heights[0])
    chunk = rng.choice(edges.shape[1], _AT_ONCE, p=area / area.sum())
    across, up = rng.random((2, _AT_ONCE))
    ra = (edges[0, chunk] + (edges[1] - edges[0])[chunk] * across) % 360.0
    dec = np.degrees(np.arcsin(heights[0, chunk] + (heights[1] - heights[0])[chunk] * up))
    is_in = in_footprint(sky.recipe.sky.footprint, ra, dec) & (sky.density.at(ra, dec) > 0)
    return ra[is_in], dec[is_in]


def with_variables_of(recipe: Recipe, settings: SkySettings) -> SkySettings:
    """The same settings with a recipe's variable objects: of each field all, or ``population`` of them at random.

    Raises:
        UserError: no field has one.
    """
    found = _Variables(open_sky(recipe))
    places = tuple(found.of_field(settings, number) for number in range(len(settings.centres)))
    if not any(len(x) for x, _ in places):
        what = f"recipe '{recipe.name}' has no variable object in any of the {len(places)} fields"
        raise UserError(what, remedy="place the fields in its footprint, or take a larger fov_deg or a denser recipe")
    return replace(settings, places=places)


@dataclass(slots=True)
class _Variables:
    """Variable objects chunk by chunk; fields that share a chunk make it once."""

    sky: SyntheticSky
    known: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)

    def of_field(self, settings: SkySettings, number: int) -> Places:
        place = Field.of(settings, number)
        expected = self.sky.expected_objects()
        chunks = [one for one in self.sky.chunker.chunks_in(place.outline).tolist() if one in expected]
        parts = [self._of_chunk(one) for one in chunks]
        ra, dec = (np.concatenate([np.empty(0), *(part[axis] for part in parts)]) for axis in (0, 1))
        x, y, is_in = place.in_plane(ra, dec)
        x, y = x[is_in], y[is_in]
        if len(x) > settings.population:
            rng = np.random.default_rng([settings.seed, _CHOICE, number])
            kept = np.sort(rng.choice(len(x), settings.population, replace=False))
            x, y = x[kept], y[kept]
        return x, y

    def _of_chunk(self, chunk: int) -> tuple[Floats, Floats]:
        if chunk not in self.known:
            positions = self.sky.positions(chunk)
            is_variable: Flags = draw_variable(self.sky.recipe, self.sky.seed, chunk, len(positions))
            self.known[chunk] = positions.ra[is_variable], positions.dec[is_variable]
        return self.known[chunk]
