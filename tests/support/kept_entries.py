"""Whether what the registry keeps of chunks is what its rows say."""

from __future__ import annotations

from skyshard.db.connection import Account, Endpoint, connect
from skyshard.registry.stored import chunk_entries, plain_sql


def assert_entries_agree(czar: Endpoint, database: str) -> None:
    """Each table with published rows has entries of its generation, and they are what the rows say."""
    with connect(czar, Account.ADMIN) as connection:
        connection.speak_utf8()
        connection.execute("START TRANSACTION READ ONLY")
        rows = connection.rows("SELECT name FROM skyshard_registry.`tables` WHERE `database` = %s", [database])
        made = chunk_entries.made_entries(connection.rows, database, [str(name) for (name,) in rows])
        contents = {str(name): bytes(content) for name, content in connection.rows(plain_sql.ENTRIES, [database])}
        for table, columns in made.items():
            kept = chunk_entries.read_kept(contents.get(table))
            assert kept is None or kept.is_same(columns), table
            assert kept is not None or not len(columns), table
