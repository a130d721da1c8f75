"""``skyshard serve``: the doors, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import skyshard
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption
from skyshard.cli.terminal.tell import tell


def serve(
    http: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where Qserv's REST is served.")] = "",
    mysql: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the MySQL protocol is served.")] = "",
    ingest: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where Qserv's ingest REST is served.")] = "",
    open: Annotated[bool, typer.Option("--open", help="Ask for no tokens; only on loopback addresses.")] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file for TLS, needed off loopback.", show_default=False)
    ] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.", show_default=False)] = None,
    quota: Annotated[
        list[str] | None, typer.Option("--quota", metavar="NAME=NUMBER", help="What each user may have at most.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="serve.yaml: all settings; options win over it.", show_default=False)
    ] = None,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """Answer clients until SIGTERM or Ctrl-C: Qserv's REST over HTTP, and what serve.yaml opens.

    One line on standard error says where each door is, and one that all are open. Port 0 takes any that is free.
    Answers that are under way at the end have some seconds, then they are cancelled. The exit code is 0.
    """
    from skyshard.host.malloc_limits import keep_one_store

    keep_one_store()  # before libraries are read that have threads
    from skyshard.cli.serving.open_services import open_services
    from skyshard.host.open_files import raise_open_files
    from skyshard.serve.doors import build_house
    from skyshard.serve.run_doors import run_doors
    from skyshard.serve.serve_file import ServeFile, read_serve_file

    given: dict[str, Any] = {
        "http": http, "mysql": mysql, "ingest": ingest, "open": open, "certificate": certificate, "key": key,
    }  # fmt: skip
    file = read_serve_file(config) if config else ServeFile()
    settings = file.with_options(given).with_quota(quota or ()).checked()
    with skyshard.Testbed(cluster) as testbed:
        before, now = raise_open_files()
        if now > before:
            tell(f"may have {now:,} files and sockets open, not {before:,} only")
        services = open_services(testbed, settings)
        run_doors(lambda: build_house(services, settings), tell, drain_s=settings.drain_s)
