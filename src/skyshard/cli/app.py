"""The command ``skyshard``: registers the commands, and turns every error into one line and an exit code.

Exit codes: 0 good, 1 a failed check or a bug, 2 wrong input, 3 the cluster failed, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from skyshard.cli.bench import bench_app
from skyshard.cli.cluster import cluster_app
from skyshard.cli.demo import demo
from skyshard.cli.ingest import compact, contributions, index_app, ingest, mono_app, plan, transactions, verify
from skyshard.cli.locate import locate
from skyshard.cli.queries import cancel, queries, result, run_query, status, submit
from skyshard.cli.query import explain, query
from skyshard.cli.schema import schema_app
from skyshard.cli.synth import synth
from skyshard.errors import SkyshardError

app = typer.Typer(
    name="skyshard",
    help="A testbed for survey databases: synthetic skies, sharded MariaDB, honest benchmarks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.command()(demo)
app.add_typer(cluster_app, name="cluster")
app.command()(synth)
app.command()(plan)
app.command()(ingest)
app.command()(transactions)
app.command()(contributions)
app.command()(query)
app.command()(explain)
app.command()(submit)
app.command()(status)
app.command()(result)
app.command()(cancel)
app.command()(queries)
app.command(name="run-query", hidden=True)(run_query)
app.command()(verify)
app.command()(compact)
app.add_typer(index_app, name="index")
app.add_typer(mono_app, name="mono")
app.add_typer(bench_app, name="bench")
app.add_typer(schema_app, name="schema")
app.command()(locate)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"skyshard {version('skyshard')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")] = False,
) -> None:
    """A testbed for survey databases: synthetic skies, sharded MariaDB, honest benchmarks."""


def main() -> None:
    """Run a command; the one place where errors become text."""
    try:
        app()
    except SkyshardError as error:
        print(f"skyshard: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("skyshard: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if os.environ.get("SKYSHARD_TRACEBACK"):
            raise
        print(
            f"skyshard: bug: {type(error).__name__}: {' '.join(str(error).split())[:300]}; "
            "set SKYSHARD_TRACEBACK=1 and tell us what it prints",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
