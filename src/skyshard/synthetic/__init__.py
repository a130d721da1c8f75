"""Bridges between synthesis and ingest: a recipe as a source, and what its generator knows of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.synthetic.generator_truth import known_truth as known_truth
    from skyshard.synthetic.recipe_source import is_recipe as is_recipe
    from skyshard.synthetic.recipe_source import open_recipe as open_recipe
    from skyshard.synthetic.recipe_source import shipped_recipe as shipped_recipe
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "is_recipe": "recipe_source",
            "known_truth": "generator_truth",
            "open_recipe": "recipe_source",
            "shipped_recipe": "recipe_source",
        },
    )
