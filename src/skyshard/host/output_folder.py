"""Folders that people ask for by ``--out``: looked at before work begins, and refused in one line."""

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


def require_writable(out: Path) -> Path:
    """The folder, or the nearest existing one above it, after trying to write there. Raises OSError."""
    above = next((one for one in (out, *out.absolute().parents) if one.exists()), Path("/"))
    with tempfile.TemporaryDirectory(dir=above, prefix=".skyshard-"):
        return above
