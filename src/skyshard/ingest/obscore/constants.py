"""What ObsCore says of all images of a kind, by camera: strict models of ``ingest/obscore/*.yaml`` and of users' own.

The shape is that of dax_obscore's configurations. Reading the file named is the only I/O.
"""

from __future__ import annotations

import string
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from skyshard.basics.errors import UserError
from skyshard.catalog.strict_files import NamedKeys, parse_model
from skyshard.host.shipped_data import data_folder

FIELDS = ("database", "dataset", "band", "filter", "visit", "detector", "tract", "patch")
"""What templates may name, in braces."""
Template = str
Word = Annotated[str, Field(max_length=128)]


class Dataset(NamedKeys):
    """One kind of image."""

    of: Literal["detector", "patch"]
    """One a detector of a visit, or one a patch and band."""
    dataproduct_type: Word = "image"
    """image, cube, spectrum, ... (ObsCore 1.1, section 3.3.1)."""
    dataproduct_subtype: Word
    """The kind in the release's own words."""
    calib_level: Annotated[int, Field(ge=0, le=4)]
    """0 as the telescope gave it, 1 raw in a standard format, 2 calibrated, 3 or 4 combined or derived."""
    obs_id: Template
    """Template of the observation's name; several images may have one."""
    obs_title: Template = ""
    """Template of a line for people."""
    o_ucd: Word = "phot.flux.density"
    """What a pixel means, as UCD."""
    s_xel: tuple[int, int] | None = None
    """Pixels across and up, where the visit table has no sizes."""

    @field_validator("obs_id", "obs_title")
    @classmethod
    def _names_known_fields(cls, value: str) -> str:
        return checked_template(value)


class Constants(NamedKeys):
    """Constants of a camera."""

    version: Literal[1]
    physical_filters: tuple[str, ...] = ()
    """Patterns: where all filters of a release match one, these constants are taken if none are named."""
    facility_name: Word
    instrument_name: Word
    obs_collection: Template
    """Template of the collection's name."""
    obs_publisher_did: Template
    """Template of an image's identifier, which has to differ from all others'."""
    access_url: Template = ""
    """Template of the address of an image; empty: there is none, and the column is NULL."""
    access_format: Word = ""
    """What is found there; only with ``access_url``."""
    datasets: Annotated[dict[str, Dataset], Field(min_length=1)]
    """By the name of the dataset type."""
    spectral_ranges: dict[str, tuple[float, float]]
    """From and to in metres, by physical filter or, where there is none of it, by band."""

    @field_validator("obs_collection", "obs_publisher_did", "access_url")
    @classmethod
    def _names_known_fields(cls, value: str) -> str:
        return checked_template(value)


def checked_template(value: str) -> str:
    """A template whose fields are known.

    >>> checked_template("{visit}-{detector}")
    '{visit}-{detector}'
    """
    for _, name, form, conversion in string.Formatter().parse(value):
        if name is not None and (name not in FIELDS or form or conversion):
            raise ValueError(f"'{{{name}}}' is no field of a template: there are {', '.join(FIELDS)}")
    return value


def read_constants(name: str, filters: Collection[str]) -> tuple[str, Constants]:
    """Constants by the name of a shipped file or a path; without a name, those that are for these physical filters.

    Raises:
        UserError: there are none, or the file is wrong; the key is named.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return name, parse_model(Constants, Path(name))
    shipped = {path.stem: path for path in sorted(data_folder("ingest", "obscore").glob("*.yaml"))}
    if name:
        if name not in shipped:
            known = ", ".join(shipped)
            raise UserError(f"no constants '{name}' are shipped", remedy=f"there are {known}; or give a file")
        return name, parse_model(Constants, shipped[name])
    for stem, path in shipped.items():
        constants = parse_model(Constants, path)
        patterns = constants.physical_filters
        if filters and all(any(fnmatchcase(one, pattern) for pattern in patterns) for one in filters):
            return stem, constants
    raise UserError(
        f"no shipped constants are for the filters {', '.join(sorted(filters)) or '(none)'}",
        remedy=f"name some: --constants {' | '.join(shipped)}, or a file of your own",
    )
