"""Shows what a plan's database has of its files already: those that were written again, and what replacing takes."""

from __future__ import annotations

import typer

import skyshard.ingest
from skyshard.basics.readable import human_bytes

MOST = 5
"""Files that are named at most."""


def show_ingested(before: skyshard.ingest.IngestedBefore) -> None:
    """Print it; nothing where there is nothing to say."""
    for file in before.rewritten[:MOST]:
        elsewhere = "" if file.path == file.ingested_from else f", then from '{file.ingested_from}'"
        typer.echo(
            f"  rewritten since transaction {file.transaction}: '{file.path}'{elsewhere} (table {file.table})"
            + ("" if file.can_be_replaced else "; no provenance, so it cannot be replaced")
        )
    if len(before.rewritten) > MOST:
        typer.echo(f"  and {len(before.rewritten) - MOST} more rewritten files (--json lists all)")
    if before.cost is None:
        if any(file.can_be_replaced for file in before.rewritten):
            typer.echo("  an ingest refuses rewritten files; --replace FILE or TRACT takes the place of their rows")
        return
    cost = before.cost
    typer.echo(
        f"takes the place of {cost.files} file(s) with {cost.rows:,} rows: {cost.chunk_tables} chunk tables are "
        f"written anew ({human_bytes(cost.bytes)} with all copies, {cost.kept_rows:,} rows stay), and "
        f"{cost.index_keys:,} keys of director indexes; chunk tables that only get rows come to that"
    )
