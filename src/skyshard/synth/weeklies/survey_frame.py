"""What all tables of a sky share: its pool, its light in every band, its visits and their detectors. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from skyshard.basics.array_types import Flags, Floats, Integers, RowIndexes
from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.fluxes import Light
from skyshard.synth.rows.kpm_columns import Patch, coadd_sigma, compactness
from skyshard.synth.sky.population import draw_population
from skyshard.synth.sky.positions import SkyPositions
from skyshard.synth.weeklies.fates import Step, live
from skyshard.synth.weeklies.sky_pool import SkyPool, make_pool
from skyshard.synth.weeklies.weekly_order import WeeklyOrder

DETECTORS_PER_SIDE = 4
_VISIT_REACH = 0.62
"""Half the side of a visit's square, in the field's larger side."""
_FIRST_MJD = {"HSC": 56_744.0, "LSSTCam": 60_840.0}
_RARELY_SEEN = 0.01
_VISITS_OF_BAND = 2


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits of a sky, one row each."""

    number: Integers
    slot: Integers
    """A small number of the visit, which ids of sources embed."""
    band: RowIndexes
    ra: Floats
    dec: Floats
    mjd: Floats
    day: Integers
    """yyyymmdd of the night."""
    reach_deg: float

    def __len__(self) -> int:
        return len(self.number)


@dataclass
class SurveyFrame:
    """The sky of an order up to its weekly."""

    order: WeeklyOrder
    recipe: Recipe
    patch: Patch
    pool: SkyPool
    alive: list[Flags]
    """By weekly less one, of objects."""
    step: Step
    visits: Visits
    lights: dict[str, Light] = field(default_factory=dict)

    @property
    def bands(self) -> list[str]:
        return list(self.recipe.band_names)

    def present(self, weekly: int) -> Flags:
        """Rows of the pool that a weekly has; 0 stands for the weekly before the first: none."""
        if weekly < 1:
            return np.zeros(self.pool.rows, np.bool_)
        return np.asarray(self.alive[weekly - 1][self.pool.of])

    def light(self, band: str) -> Light:
        """All objects in a band, by object."""
        if band not in self.lights:
            self.lights[band] = self._light(self.bands.index(band))
        return self.lights[band]

    def _light(self, place: int) -> Light:
        population, patch, count = self.patch.population, self.patch, len(self.pool)
        band, total = self.bands[place], population.flux[place]
        sigma = coadd_sigma(self.recipe, band, total, patch.uniform("Object", f"{band}_sigma", count))
        point = total * compactness(population)
        edge = patch.uniform("population", "edge", count) < np.float32(0.02)
        luck = patch.uniform("population", f"{band}_luck", count)
        return Light(
            total, point, point, sigma, luck, edge, population.is_variable, ~self.pool.is_single,
            population.is_star, None,
        )  # fmt: skip

    def unseen(self, band: str, of: RowIndexes) -> Callable[[int], Flags]:
        """Rows whose object was never observed in a band, as each weekly sees it."""
        place = self.bands.index(band)

        def missing(weekly: int) -> Flags:
            seen = self.patch.population.is_missing[place].copy()
            for number in range(2, weekly + 1):
                if number % len(self.bands) == place:
                    luck = stream(self.order.seed, "unseen", number, band).random(len(seen))
                    seen ^= luck < _RARELY_SEEN
            return np.asarray(seen[of])

        return missing


def taken(light: Light, rows: RowIndexes) -> Light:
    """The light of some objects, in their order; one may come several times."""
    return replace(
        light, total=light.total[rows], point=light.point[rows], mean=light.mean[rows], sigma=light.sigma[rows],
        luck=light.luck[rows], is_edge=light.is_edge[rows], is_variable=light.is_variable[rows],
        is_blend=light.is_blend[rows], is_point=light.is_point[rows], made={},
    )  # fmt: skip


def open_survey(order: WeeklyOrder) -> SurveyFrame:
    """The sky of an order."""
    recipe = read_recipe(data_folder("synth", "recipes") / ("dp1.yaml" if order.kind == "dp2" else "hsc.yaml"))
    pool = make_pool(order)
    visits = _visits(order, recipe, pool)  # before fates move objects: all weeklies have the same visits
    alive, step = live(pool, order.seed, order.weekly)
    population = draw_population(recipe, order.seed, WHOLE_SKY, len(pool))
    positions = SkyPositions(pool.ra[: len(pool)], pool.dec[: len(pool)])
    patch = Patch(recipe, order.seed, WHOLE_SKY, positions, population)
    return SurveyFrame(order, recipe, patch, pool, alive, step, visits)


def _visits(order: WeeklyOrder, recipe: Recipe, pool: SkyPool) -> Visits:
    """Two visits a band, each a square about the field's middle, a little beside it."""
    bands = np.repeat(np.arange(len(recipe.band_names)), _VISITS_OF_BAND)
    count = len(bands)
    high = float(np.ptp(pool.dec[: len(pool)]))
    random = stream(order.seed, "visits", WHOLE_SKY, "middles")
    dec: Floats = order.centre[1] + random.uniform(-0.1, 0.1, count) * high
    ra: Floats = (order.centre[0] + random.uniform(-0.1, 0.1, count) * high / np.cos(np.radians(dec))) % 360.0
    instrument = "LSSTCam" if order.kind == "dp2" else "HSC"
    mjd = np.asarray(_FIRST_MJD[instrument] + np.arange(count) * 3 + 0.3, np.float64)
    day = np.array([str(one).replace("-", "") for one in _dates(mjd)]).astype(np.int64)
    number = day * 100_000 + 100 + np.arange(count) * 7 if order.kind == "dp2" else 1228 + np.arange(count) * 2
    slot = 1228 + np.arange(count) * 2
    return Visits(number.astype(np.int64), slot, bands, ra, dec, mjd, day, _VISIT_REACH * max(0.9, high * 1.5))


def _dates(mjd: Floats) -> list[np.datetime64]:
    return list((np.floor(mjd).astype(np.int64) - 40_587).astype("datetime64[D]"))
