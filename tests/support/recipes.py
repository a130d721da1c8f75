"""Shipped recipes by name, and the content of one with some of its keys changed."""

from __future__ import annotations

from typing import Any

from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.recipe import read_recipe

RECIPES = sorted(path.stem for path in data_folder("synth", "recipes").glob("*.yaml"))


def changed(**keys: Any) -> dict[str, Any]:
    """The content of mini.yaml with dotted keys (``sky__nside``) replaced."""
    content = read_recipe("mini").model_dump(mode="json", by_alias=True)
    for key, value in keys.items():
        *path, last = key.split("__")
        inner = content
        for part in path:
            inner = inner[part]
        inner[last] = value
    return content
