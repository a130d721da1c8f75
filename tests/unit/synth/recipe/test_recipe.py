"""Recipes and profiles: shipped ones load, wrong ones are refused by file and key."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.recipes import RECIPES, changed

from skyshard.basics.errors import UserError
from skyshard.host.shipped_data import data_folder
from skyshard.synth.recipe.recipe import Recipe, read_recipe
from skyshard.synth.recipe.release_profile import read_profile

PROFILES = sorted(path.stem for path in data_folder("synth", "profiles").glob("*.yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_survives_a_round_trip(name: str) -> None:
    """A shipped recipe is named like its file and is equal to itself after writing and reading."""
    recipe = read_recipe(name)
    assert recipe.name == name
    assert Recipe.model_validate_json(recipe.model_dump_json(by_alias=True)) == recipe


@pytest.mark.parametrize("name", PROFILES)
def test_profile_loads(name: str) -> None:
    """A shipped profile is named like its file, and its published tests are about the share that they state."""
    profile = read_profile(name)
    assert profile.name == name
    for test in profile.measured:
        for table, rows in test.rows.items():
            assert rows == pytest.approx(profile.tables[table].rows * test.fraction, rel=0.01)


def test_tiny_and_mini_are_shipped() -> None:
    """The recipes that the demo and the tests name are there."""
    assert {"tiny", "mini"} <= set(RECIPES)
    assert "kpm" in PROFILES


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"sky__density": 3}, "sky.density"),
        ({"sky__objects_per_sqdeg": -1}, "sky.objects_per_sqdeg"),
        ({"sky__objects_per_sqdeg": 0}, "sky.objects_per_sqdeg"),
        ({"sky__nside": 48}, "sky.nside"),
        ({"sky__footprint": []}, "sky.footprint"),
        ({"sky__footprint": [{"ra_deg": [0, 10], "dec_deg": [5, 5]}]}, "sky.footprint.0"),
        ({"sky__clusters__fraction": 1.5}, "sky.clusters.fraction"),
        ({"sky__plane__contrast": 0.5}, "sky.plane.contrast"),
        ({"striping__overlap_deg": 2.0}, "striping"),
        ({"bands__w": {"depth_mag": 24, "visit_share": 1}}, "bands"),
        ({"bands__u__visit_share": 0}, "bands.u.visit_share"),
        ({"population__faint_mag": 10}, "population"),
        ({"tables__Object__band_columns": ["psfFlux", "psfFlux"]}, "tables.Object"),
        ({"tables__Object__band_columns": ["colour"]}, "tables.Object"),
        ({"tables__Peak": {}}, "tables.Peak"),
        ({"visits__per_object": float("nan")}, "visits.per_object"),
        ({"seed": -1}, "seed"),
        ({"version": 2}, "version"),
        ({"truth": [{"table": "Object", "column": "x_flux", "is": ">", "values": [1]}]}, "x_flux"),
        ({"truth": [{"table": "Object", "column": "ra", "is": "between", "values": [1]}]}, "truth.0"),
    ],
)
def test_wrong_recipe_is_refused_by_file_and_key(tmp_path: Path, keys: dict[str, Any], named: str) -> None:
    """One line names the file and the key, whatever is wrong."""
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(changed(**keys)))
    with pytest.raises(UserError) as caught:
        read_recipe(path)
    assert "wrong.yaml" in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_recipe_name_lists_the_shipped() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(UserError, match=r"no recipe 'tinny'.*mini, tiny"):
        read_recipe("tinny")


def test_a_folder_called_as_a_recipe_hides_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is no recipe; a file of that name is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hsc").mkdir()
    assert read_recipe("hsc").name == "hsc"
    (tmp_path / "tiny").write_text("sky: {}")
    with pytest.raises(UserError, match="'tiny'"):
        read_recipe("tiny")


def test_unknown_profile_name_lists_the_shipped() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(UserError, match=r"no profile 'lsst'.*kpm"):
        read_profile("lsst")


def test_missing_recipe_file_is_named(tmp_path: Path) -> None:
    """A path that is not there is named."""
    with pytest.raises(UserError, match=r"cannot read '.*none.yaml'"):
        read_recipe(tmp_path / "none.yaml")
