"""``skyshard mapping FOLDER``: a first mapping file for a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import skyshard.ingest
from skyshard.basics.errors import UserError
from skyshard.cli.terminal.show import JsonOption, print_json, print_table

_MOST_FILES = 10


def mapping(
    folder: Annotated[
        Path, typer.Argument(help="A folder of Parquet files, such as a Butler export.", show_default=False)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the mapping to this file; else it is printed.")
    ] = None,
    database: Annotated[str, typer.Option("--database", help="Name of the database; the folder's if absent.")] = "",
    json: JsonOption = False,
) -> None:
    """Write a first mapping for a folder, and say what of the folder it does not take."""
    if out is not None and out.exists():
        raise UserError(f"'{out}' is there already", remedy="give another file, or remove it")
    found = skyshard.ingest.first_mapping(folder, database)
    summary = found.summary()
    if out is not None:
        write_text(out, found.text)
    if json:
        print_json(summary | {"written": str(out) if out is not None else ""})
        return
    if out is None:
        typer.echo(found.text, nl=False)
    _show(summary, is_error=out is None)


def write_text(path: Path, text: str) -> None:
    """Write a new file.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"cannot write '{path}': {error.strerror}", remedy="give another --out") from None


def _show(found: dict[str, Any], *, is_error: bool) -> None:
    """The tables and what was not understood; beside the mapping itself where that is printed."""
    if not is_error:
        print_table(
            ["table", "role", "key", "director", "files", "rows", "columns", "like", "described"],
            [[t["table"], t["role"], t["key"], t["director"], t["files"], t["rows"], len(t["columns"]), t["like"],
              t["described"]] for t in found["tables"]],
        )  # fmt: skip
    for table in found["tables"]:
        for note in table["notes"]:
            typer.echo(f"{table['table']}: {note}", err=is_error)
    left = found["not_understood"]
    for entry in left[:_MOST_FILES]:
        typer.echo(f"not taken: {entry['file']}: {entry['why']}", err=is_error)
    if len(left) > _MOST_FILES:
        typer.echo(f"not taken: {len(left) - _MOST_FILES} more files; --json lists them", err=is_error)
