"""Checks and makes the folder of a trial before anything is measured."""

from __future__ import annotations

import tempfile
from pathlib import Path

from skyshard.basics.errors import UserError


def check_folder(out: Path) -> None:
    """Check that a trial can be written here; makes nothing.

    Raises:
        UserError: the folder is not empty, or cannot be written.
    """
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"'{out}' is not an empty folder", remedy="choose another --out, or remove it")
        require_writable(out)
    except OSError as error:
        raise UserError(f"cannot write '{out}': {error.strerror}", remedy="choose another --out") from None


def require_writable(out: Path) -> Path:
    """The folder, or the nearest existing one above it, after trying to write there. Raises OSError."""
    above = next((one for one in (out, *out.absolute().parents) if one.exists()), Path("/"))
    with tempfile.TemporaryDirectory(dir=above, prefix=".skyshard-"):
        return above


def prepare_folder(out: Path) -> None:
    """Make the trial folder. Raises UserError when it is not empty, or cannot be written."""
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
