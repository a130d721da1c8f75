"""``skyshard completion``: the script of a shell that completes commands and options."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer


def completion(
    context: typer.Context,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="The shell.", show_default=False)],
) -> None:
    """Print the script that completes skyshard's words in a shell.

    bash and zsh read it with `eval`, fish with `source`. `skyshard --install-completion` sets it up for good.
    """
    name = "skyshard"
    os.environ["_SKYSHARD_COMPLETE"] = f"source_{shell}"  # the way in which a shell asks for its script
    context.find_root().command.main(args=[], prog_name=name)
