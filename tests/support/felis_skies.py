"""Small skies with all columns of a Felis schema, made once for all tests that look at them."""

from functools import lru_cache
from typing import Any

import pyarrow as pa

from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.rows.generate import SyntheticSky, open_sky

CATALOGS = ("hsc", "dp02_dc2", "dp1", "dp2")


def felis_recipe(name: str, /, **schema: Any) -> Recipe:
    """The shipped HSC recipe, thin, with the tables of another schema."""
    content = read_recipe("hsc").model_dump(mode="json", by_alias=True)
    content["schema"] |= {"catalog": name, **schema}
    content["sky"]["objects_per_sqdeg"] = 1500.0
    return Recipe.model_validate(content)


@lru_cache(maxsize=4)
def felis_sky(catalog: str) -> SyntheticSky:
    return open_sky(felis_recipe(catalog))


@lru_cache(maxsize=4)
def felis_chunk(catalog: str) -> tuple[int, dict[str, pa.Table]]:
    """The fullest chunk with its tables, and the regular tables."""
    sky = felis_sky(catalog)
    expected = sky.expected_objects()
    chunk = max(expected, key=lambda one: expected[one])
    return chunk, sky.chunk_tables(chunk) | sky.regular_tables()
