"""Variable objects of a recipe as those of fields of visits, beside what a catalog of the recipe has."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.visit_skies import small_sky

from skyshard.apdb.sky.fields import Field, least_distance
from skyshard.apdb.sky.recipe_objects import draw_centres_in, with_variables_of
from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import ang_sep
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import open_sky
from skyshard.synth.sky.population import draw_population

MINI = read_recipe("mini")
WIDE = {"centres": ((0.0, 0.0), (1.2, -2.2)), "fov_deg": 1.0, "variable": 1000}
"""One across right ascension 0, one that reaches beyond the footprint's southern edge."""


def _variables(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Positions of all variable objects, chunk by chunk, as the catalog's rows are made."""
    sky = open_sky(recipe)
    parts = []
    for chunk in sky.expected_objects():
        positions = sky.positions(chunk)
        is_variable = draw_population(recipe, sky.seed, chunk, len(positions)).is_variable
        parts.append(np.stack([positions.ra[is_variable], positions.dec[is_variable]]))
    ra, dec = np.concatenate(parts, axis=1)
    return ra, dec


def test_a_field_has_the_variable_objects_of_the_catalog() -> None:
    """All of those that lie in it, and no others, wherever chunks and right ascension 0 run through it."""
    ra, dec = _variables(MINI)
    settings = with_variables_of(MINI, small_sky(**WIDE))
    for number, (x, y) in enumerate(settings.places):
        place = Field.of(settings, number)
        is_in = place.outline.contains(ra, dec)
        mine = place.on_sky(x, y)
        apart = ang_sep(mine[0][:, None], mine[1][:, None], ra[is_in], dec[is_in])
        assert len(x) == is_in.sum() > 0
        assert apart.min(axis=1).max() < 1e-9
        assert len(set(apart.argmin(axis=1))) == len(x)


def test_no_more_objects_than_visits_ask_for() -> None:
    """A share of them at random, the same each time; where the sky has fewer, all."""
    whole = with_variables_of(MINI, small_sky(**WIDE)).places
    few = with_variables_of(MINI, small_sky(**(WIDE | {"variable": 2, "detected": 1.0}))).places
    again = with_variables_of(MINI, small_sky(**(WIDE | {"variable": 2, "detected": 1.0}))).places
    for all_of, some, same in zip(whole, few, again, strict=True):
        assert len(some[0]) == min(2, len(all_of[0]))
        assert set(some[0]) <= set(all_of[0])
        assert (some[0] == same[0]).all()


def test_visits_find_them_and_know_what_they_must_read() -> None:
    """Sources lie within a second of arc of the recipe's objects; nothing else is drawn without noise."""
    settings = with_variables_of(MINI, small_sky(**(WIDE | {"transient": 0, "noise": 0, "detected": 1.0})))
    sky = VisitSky(settings)
    drawn = sky.draw(1)
    ra, dec = (drawn.sources.rows.column(name).to_numpy() for name in ("ra", "dec"))
    known = _variables(MINI)
    assert len(ra) == len(settings.places[0][0])
    assert ang_sep(ra[:, None], dec[:, None], *known).min(axis=1).max() < 1.0 / 3600


def test_drawn_fields_lie_apart_in_the_footprint() -> None:
    """Where the recipe has objects, and no two of them touch."""
    centres = draw_centres_in(MINI, 5, 0.7, 3)
    for number, (ra, dec) in enumerate(centres):
        assert (ra >= 357.5 or ra <= 2.5) and -2.7 <= dec <= 3.0  # noqa: PT018
        assert all(ang_sep(ra, dec, *other) >= least_distance(0.7) for other in centres[:number])
    assert centres == draw_centres_in(MINI, 5, 0.7, 3)


def test_fields_without_room_or_objects_are_refused() -> None:
    """With the recipe's name and a remedy."""
    with pytest.raises(UserError, match="recipe 'mini' has no room for 60 fields"):
        draw_centres_in(MINI, 60, 0.7, 3)
    with pytest.raises(UserError, match="no variable object in any of the 1 fields; place the fields"):
        with_variables_of(MINI, small_sky(centres=((90.0, 40.0),)))
