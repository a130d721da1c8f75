"""Folders of stores with a server of their own: who started the server stops it, and nobody else who lives."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import UserError

OWNER = "owner"
"""File with the number of the process that stops the server."""


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A folder of a store, and whether its server is this process's to stop."""

    folder: Path
    is_mine: bool

    def release(self) -> None:
        (self.folder / OWNER).unlink(missing_ok=True)


def take_folder(folder: Path, holds: str) -> OwnedFolder:
    """Make the folder, or take over one whose owner has ended.

    Args:
        holds: the name of what a folder of such a store has in it.

    Raises:
        UserError: it holds something else.
    """
    if folder.exists() and not (folder / holds).is_dir() and any(folder.iterdir()):
        raise UserError(f"'{folder}' holds something else", remedy="name a new folder, or one that a store made")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder / OWNER
    with suppress(OSError, ValueError):
        other = int(owner.read_text())
        if other != os.getpid() and Path(f"/proc/{other}").exists():
            return OwnedFolder(folder, is_mine=False)
    owner.write_text(str(os.getpid()))
    return OwnedFolder(folder, is_mine=True)
