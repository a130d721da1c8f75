"""Checks and makes the folder of a trial before anything is measured."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from skyshard.basics.errors import UserError

REMEDY = "choose another --out"


@contextlib.contextmanager
def writing_to(out: Path) -> Iterator[None]:
    """What the system refuses while a folder is looked at or written is one line that names the folder.

    Raises:
        UserError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write '{out}': {error.strerror}", remedy=REMEDY) from None


def check_folder(out: Path) -> None:
    """Check that a trial can be written here; makes nothing.

    Raises:
        UserError: the folder is not empty, or cannot be written.
    """
    with writing_to(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UserError(f"'{out}' is not an empty folder", remedy=f"{REMEDY}, or remove it")
        require_writable(out)


def require_writable(out: Path) -> Path:
    """The folder, or the nearest existing one above it, after trying to write there. Raises OSError."""
    above = next((one for one in (out, *out.absolute().parents) if one.exists()), Path("/"))
    with tempfile.TemporaryDirectory(dir=above, prefix=".skyshard-"):
        return above


def prepare_folder(out: Path) -> None:
    """Make the trial folder. Raises UserError when it is not empty, or cannot be written."""
    check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
