"""Drops tables whose names are needed, and removes half-made files that a killed build left."""

from __future__ import annotations

import os
from collections.abc import Collection

from skyshard.db.connection import Connection, quote_name
from skyshard.node.server.server_files import TABLE_ENDINGS, ServerFiles, file_name


def clear_tables(connection: Connection, data: ServerFiles, database: str, names: Collection[str]) -> None:
    """Remove tables of these names and their files, through a session that is in the database."""
    folder = data.database(database)
    present = set(os.listdir(folder))
    whole = [name for name in names if f"{file_name(name)}.frm" in present]
    if whole:
        connection.execute("DROP TABLE IF EXISTS " + ", ".join(map(quote_name, whole)))
    files = {f"{file_name(name)}{ending}" for name in names for ending in TABLE_ENDINGS}
    for file in files & set(os.listdir(folder) if whole else present):
        (folder / file).unlink(missing_ok=True)


def drop_tables(connection: Connection, names: Collection[str]) -> None:
    """Drop tables and views of the session's database; names that are not there are passed over."""
    listed = ", ".join(map(quote_name, names))
    for kind in ("VIEW", "TABLE"):
        connection.execute(f"DROP {kind} IF EXISTS {listed}")
