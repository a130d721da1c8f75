"""What a benchmark that was killed has left failing in a cluster is said by whatever command comes next."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import typer

from skyshard.cli.terminal.tell import tell

FOLDER = "faults"
"""As ``cluster.left_faults`` has it, which is imported only where there is such a folder."""
F = TypeVar("F", Path, Path | None)


def tell_left_faults(context: typer.Context, folder: F) -> F:
    """The option's value; what was left is said on standard error. ``cluster start`` undoes it, and says so itself."""
    if folder is not None and (folder / FOLDER).is_dir() and context.info_name != "start":
        from skyshard.basics.errors import SkyshardError
        from skyshard.cluster.left_faults import left_faults

        try:
            for fault in left_faults(folder):
                tell(
                    f"a benchmark that was ended has left a fault: {fault.sentence}; `skyshard cluster start` undoes it"
                )
        except SkyshardError as error:
            tell(str(error))
    return folder
