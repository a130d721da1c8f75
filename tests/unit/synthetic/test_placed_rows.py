"""Rows where a layout puts them: every row once, in the chunk of its position, whatever the striping."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.recipes import changed

from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.rowimage.digest import RowDigest
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.rows.generate import SyntheticSky, open_sky
from skyshard.synthetic.placed_rows import Placement
from skyshard.synthetic.spread_digests import digest_of, spread_digests


@pytest.fixture(scope="module")
def sky() -> SyntheticSky:
    return open_sky(Recipe.model_validate(changed(tables__Reference={"share": 0.4})))


def placement(sky: SyntheticSky, striping: Striping, **layouts: TableLayout) -> Placement:
    return Placement(sky, 0.2, striping, {name: spec.layout for name, spec in sky.specs.items()} | layouts)


@pytest.mark.parametrize(("stripes", "substripes", "overlap"), [(85, 12, 0.01667), (340, 3, 0.0), (18, 10, 0.05)])
def test_rows_keep_their_number_and_digest(sky: SyntheticSky, stripes: int, substripes: int, overlap: float) -> None:
    """Spread over other chunks the rows of a table are the same; only matches of two chunks are there twice."""
    spread = placement(sky, Striping(stripes=stripes, substripes=substripes, overlap_deg=overlap))
    chunks = list(sky.expected_objects())[:3]
    found = spread_digests(spread, chunks, spread.tables)
    assert set(found.made) == {"Object", "Source", "ForcedSource", "RefObject", "RefMatch"}
    for name in set(found.made) - {"RefMatch"}:
        made = [digest_of(sky.chunk_tables(chunk, 0.2)[name], sky.specs[name].table) for chunk in chunks]
        assert found.made[name] == sum(made, RowDigest()), name
    assert found.made["RefMatch"].rows >= found.made["RefObject"].rows
    assert bool(sum(one.rows for one in found.overlap["Object"].values())) == (overlap > 0)


def test_followers_are_where_their_director_is(sky: SyntheticSky) -> None:
    """A source stands in the chunk of its object's position."""
    spread = placement(sky, Striping(stripes=340, substripes=3, overlap_deg=0.01))
    chunk = next(iter(sky.expected_objects()))
    for name, placed in spread.rows(chunk, {"Source"}):
        assert name == "Source"
        ra, decl = (placed.rows[column].to_numpy() for column in ("raObject", "declObject"))
        numbers = chunker_of(spread.striping).locate(ra, decl)
        assert (np.stack(numbers) == np.stack([placed.chunks, placed.sub_chunks])).all()


def test_tables_with_another_role_are_not_placed(sky: SyntheticSky) -> None:
    """Nor those that follow them."""
    regular = TableLayout(role=Role.REGULAR)
    striping = sky.recipe.striping
    assert "Source" not in placement(sky, striping, Source=regular).tables
    assert placement(sky, striping, Object=regular).tables == ("RefObject",)
