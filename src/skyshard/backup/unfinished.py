"""A note in the cluster's folder that a restore or a rebuild is under way: the same one goes on after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.host.atomic_files import write_atomically

NOTE = "registry-restore.json"


def is_under_way(folder: Path, what: str) -> bool:
    """Whether this very work was begun and has not ended."""
    try:
        return bool(json.loads((folder / NOTE).read_bytes())["from"] == what)
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def noted(folder: Path, what: str) -> Iterator[None]:
    """Note it, until the block ends; where that raises, the note stays."""
    write_atomically(folder / NOTE, json.dumps({"version": 1, "from": what}), is_synced=True)
    yield
    (folder / NOTE).unlink(missing_ok=True)


def require_nothing_known(databases: list[str], folder: Path, what: str, *, force: bool) -> None:
    """Refuse to take the place of rows that are there.

    Raises:
        UserError: says what there is.
    """
    if databases and not force and not is_under_way(folder, what):
        raise UserError(
            f"the registry of cluster {folder} knows {len(databases)} databases ({', '.join(databases[:5])})",
            remedy="give --force to have all it knows replaced; take a dump of it before",
        )
