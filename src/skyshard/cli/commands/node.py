"""``skyshard node run``, ``skyshard head run``: what runs on the hosts of a cluster, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from skyshard.cli.terminal.tell import tell

File = Annotated[Path, typer.Option("--file", help="The cluster file, the same on every host.", show_default=False)]
Server = Annotated[
    Literal["own", "given"], typer.Option(help="own: MariaDB is run, too; given: somebody else runs it.")
]
Ip = Annotated[str, typer.Option(help="This host's address, as the others reach it; found out if left out.")]


def run_node(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The node, as the cluster file names it.")],
    file: File,
    server: Server = "own",
    ip: Ip = "",
) -> None:
    """Run a node on its host, in the foreground: MariaDB and Ray, started again when they end.

    For systemd, a pod, or a terminal: SIGTERM or Ctrl-C ends both, and the exit code is 0. The data folder is made at
    the first start. Accounts get the passwords of the password files at each start.
    """
    from skyshard.catalog.cluster_file import read_named_file
    from skyshard.cluster.run_host import run_node as run

    run(read_named_file(file), name, server=server, ip=ip, report=tell)


def run_head(file: File, server: Server = "own", ip: Ip = "") -> None:
    """Run the czar's MariaDB and the Ray head on the host of the commands, in the foreground.

    As `skyshard node run` does it on the hosts of the nodes. No task runs on this host.
    """
    from skyshard.catalog.cluster_file import read_named_file
    from skyshard.cluster.run_host import run_head as run

    run(read_named_file(file), server=server, ip=ip, report=tell)
