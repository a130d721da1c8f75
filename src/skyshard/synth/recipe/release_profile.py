"""Profiles, which say what "50 % of DR1" is: strict models of ``synth/profiles/*.yaml``. Reads the named file only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from skyshard.catalog.strict_files import parse_model
from skyshard.synth.recipe.recipe import find_shipped
from skyshard.synth.recipe.sky_rules import StrictModel


class ProfileTable(StrictModel):
    """The full size of one table."""

    rows: Annotated[int, Field(gt=0)]
    """Rows of the whole catalog."""
    bytes_per_row: Annotated[float, Field(gt=0)]
    """Bytes of a row in the data file, indexes apart."""


class Measurement(StrictModel):
    """Row counts of a test that was run."""

    fraction: Annotated[float, Field(gt=0, le=1)]
    """Share of the full size, as the test states it."""
    rows: dict[str, int]
    """Rows by table."""
    source: str
    """Where it was published."""


class Profile(StrictModel):
    """Named row counts of a full catalog."""

    version: Literal[1]
    """Format of this file."""
    name: str
    """Short name, as in the file's name."""
    description: str = ""
    """Which catalog this is."""
    tables: Annotated[dict[str, ProfileTable], Field(min_length=1)]
    """Full size by table."""
    bounds: tuple[str, str] | None = None
    """Names of the profiles below and above which the real catalog is not expected."""
    measured: tuple[Measurement, ...] = ()
    """Published tests at a share of it."""


def read_profile(source: str | Path) -> Profile:
    """Read a profile from a file, or a shipped one by its name.

    Raises:
        UserError: no such file or name, or a key that is unknown or wrong.
    """
    return parse_model(Profile, find_shipped("profiles", source, "profile"))
