"""A file that says which columns were renamed. Version 1.

version: 1
tables:
  Object: {r_psfFlux: r_psf_flux}    # new name: old name
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from skyshard.catalog.strict_files import Strict, read_located


class Renamings(Strict):
    """Columns with another name than before."""

    version: Literal[1] = 1
    tables: dict[str, dict[str, str]]
    """By table: new name → old name."""


def read_renamings(path: Path) -> dict[str, dict[str, str]]:
    """By table the renamed columns, new name → old name.

    Raises:
        UserError: no such file, or a wrong key in it.
    """
    return read_located(Renamings, path).tables
