"""``skyshard transactions [abort N]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import skyshard
from skyshard.basics.readable import human_bytes
from skyshard.cli.terminal.left_out_rows import left_out_lines
from skyshard.cli.terminal.show import DEFAULT_CLUSTER, ClusterOption, JsonOption, print_json, print_table


def transactions(
    context: typer.Context,
    database: Annotated[str, typer.Option("--database", help="Only those of this database.")] = "",
    json: JsonOption = False,
    cluster: ClusterOption = DEFAULT_CLUSTER,
) -> None:
    """List transactions: state, source, duration, error; or abort one."""
    context.obj = cluster
    if context.invoked_subcommand is not None:
        return
    with skyshard.Testbed(cluster) as testbed:
        names, registry = testbed.registry.published.names(), testbed.registry.transactions
        stored = names.known(database).stored if database else ""
        sizes = registry.sizes(stored)
        found = [
            _with_rate(row | {"database": names.shown(row["database"])}, *sizes[row["id"]])
            for row in registry.all(stored)
        ]
    if json:
        print_json(found)
        return
    heads = ["id", "database", "state", "rows", "stored", "seconds", "krow/s", "MB/s", "source", "error"]
    print_table(
        heads,
        [[str(r["id"]), r["database"], r["state"], r["rows"], human_bytes(r["bytes"]), r["seconds"],
          (r["rows_per_s"] or 0) / 1e3 or None, (r["bytes_per_s"] or 0) / 1e6 or None, r["source"], r["error"]]
         for r in found],
    )  # fmt: skip
    for row in found:
        for table in (row["report"] or {}).get("tables", ()):
            for line in left_out_lines(table.get("left_out", {}), table.get("quarantine", "")):
                typer.echo(f"  transaction {row['id']}, {table['table']}: {line}")


def _with_rate(row: dict[str, Any], rows: int, size: int) -> dict[str, Any]:
    seconds = row["ended_s"] - row["begun_s"] if row["ended_s"] else None
    rates = {"rows_per_s": rows / seconds, "bytes_per_s": size / seconds} if seconds else {}
    return row | {"rows": rows, "bytes": size, "seconds": seconds, "rows_per_s": None, "bytes_per_s": None} | rates


def abort(
    context: typer.Context,
    number: Annotated[int, typer.Argument(help="The transaction, as listed.", show_default=False, metavar="N")],
    json: JsonOption = False,
    cluster: Annotated[Path | None, typer.Option("--cluster", help="The cluster's folder.")] = None,
) -> None:
    """Abort an unfinished transaction and undo all that it did."""
    with skyshard.Testbed(cluster or context.obj) as testbed:
        database = testbed.abort_transaction(number)
    if json:
        print_json({"transaction": number, "database": database, "state": "aborted"})
    else:
        typer.echo(f"transaction {number} of {database} is aborted: nothing of it is left")
