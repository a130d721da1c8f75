"""Synthesis on Ray makes the bytes that it makes in this process."""

from pathlib import Path

import pytest
from tests.support.felis_skies import felis_recipe

from skyshard.runtime import open_runtime
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog

pytestmark = pytest.mark.integration


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_ray_and_inline_make_equal_catalogs(tmp_path: Path) -> None:
    """The manifests, with every file's hash and digest, are equal; those of a Felis schema too."""
    recipe, wide = read_recipe("mini"), felis_recipe("hsc", tables=["Object", "Source"])
    inline = write_catalog(recipe, tmp_path / "inline", fraction=0.4)
    all_columns = write_catalog(wide, tmp_path / "inline-wide", fraction=0.05, shrink="thinning")
    with open_runtime("ray", cpus=2) as runtime:
        assert write_catalog(recipe, tmp_path / "ray", fraction=0.4, runtime=runtime) == inline
        made = write_catalog(wide, tmp_path / "ray-wide", fraction=0.05, shrink="thinning", runtime=runtime)
        assert made == all_columns
