"""Checks and makes the folder of a trial before anything is measured."""

from __future__ import annotations

from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.host.output_folder import REMEDY, require_writable, writing_to


def check_folder(out: Path) -> None:
    """Check that a trial can be written here; makes nothing.

    Raises:
        UserError: the folder is not empty, or cannot be written.
    """
    with writing_to(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"'{out}' is not an empty folder", remedy=f"{REMEDY}, or remove it")
        require_writable(out)


def prepare_folder(out: Path) -> None:
    """Make the trial folder. Raises UserError when it is not empty, or cannot be written."""
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
