"""Sources by their path."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import UserError
from skyshard.testbed.opened_sources import source_at


def test_a_fraction_of_a_path_that_is_not_there_names_the_path(tmp_path: Path) -> None:
    """A wrong path is said before the fraction: leaving that out would not help."""
    with pytest.raises(UserError, match=r"no source '.*tiny\.yaml'; check the path"):
        source_at(tmp_path / "tiny.yaml", fraction=0.5)


def test_a_fraction_of_a_source_that_is_no_recipe_is_refused(tmp_path: Path) -> None:
    """Only recipes are made in part."""
    with pytest.raises(UserError, match="is not a recipe, a fraction of it cannot be made"):
        source_at(tmp_path, fraction=0.5)


def test_a_shipped_recipe_is_a_source_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever folder one works; a path of that name comes first."""
    monkeypatch.chdir(tmp_path)
    assert source_at("tiny").database == "tiny"
    (tmp_path / "tiny").mkdir()
    with pytest.raises(UserError, match="'tiny' is no source that Skyshard knows"):
        source_at("tiny")
