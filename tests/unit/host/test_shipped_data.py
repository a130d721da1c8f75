"""Shipped files: found in the checkout, and in a tree that looks like an installed wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyshard.basics.errors import Bug
from skyshard.host import shipped_data as resources
from skyshard.host.shipped_data import checkout, data_file, data_folder

PROJECT = Path(__file__).resolve().parents[3]


def test_the_checkout_is_preferred() -> None:
    """In a checkout the data folders are the project's own."""
    assert checkout() == PROJECT
    assert data_folder("queries") == PROJECT / "queries"


def test_without_checkout_the_packaged_copy_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In site-packages, where no pyproject.toml stands above, the copies below skyshard/data are found."""
    package = tmp_path / "site-packages" / "skyshard"
    recipe = package / "data" / "synth" / "recipes" / "x.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("version: 1\n")
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert checkout() is None
    assert data_file("synth", "recipes", "x.yaml") == recipe


def test_a_missing_shipped_file_is_a_bug() -> None:
    """A file that we should have shipped is our fault, not the user's."""
    with pytest.raises(Bug, match="is missing"):
        data_file("synth", "no-such-recipe.yaml")
