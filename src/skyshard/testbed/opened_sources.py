"""Sources by their paths: folders of files, mappings, and recipes, whose rows are made where they are loaded."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import skyshard.ingest
import skyshard.synthetic
from skyshard.basics.errors import UserError

if TYPE_CHECKING:
    from skyshard.catalog.synth_manifest import Shrink


def source_at(
    source: Path | str | skyshard.ingest.Source,
    *,
    fraction: float = 1.0,
    shrink: Shrink = "coverage",
    tables: Collection[str] | None = None,
) -> skyshard.ingest.Source:
    """A source by its path: a folder of files, or a recipe, whose rows are made where they are loaded; a recipe that
    Skyshard brings is a source by its name, too, where there is no such path.

    Args:
        tables: the wanted ones; files of others may be missing.

    Raises:
        UserError: an unknown kind of source, or a fraction of a source that is not a recipe.
    """
    if not isinstance(source, Path | str):
        return source
    path = Path(source) if Path(source).exists() else skyshard.synthetic.shipped_recipe(str(source)) or Path(source)
    if skyshard.synthetic.is_recipe(path):
        return skyshard.synthetic.open_recipe(path, fraction=fraction, shrink=shrink)
    if path.exists():
        _refuse_parts(path, fraction, shrink)
    return skyshard.ingest.open_source(path, tables or None)


def _refuse_parts(path: Path, fraction: float, shrink: Shrink) -> None:
    if fraction != 1.0:
        raise UserError(f"'{path}' is not a recipe, a fraction of it cannot be made", remedy="leave --fraction out")
    if shrink != "coverage":
        raise UserError(f"'{path}' is not a recipe, it cannot be made with fewer rows", remedy="leave --shrink out")
