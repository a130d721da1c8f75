"""The records that a node's server keeps of the registry, in a database of their own: plain SQL over one session.

Rules: records of one database are written in one transaction of InnoDB, so that what is there belongs together; an
older one never takes the place of a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import xxhash

from skyshard.basics.errors import UserError
from skyshard.db.connection import Connection, quote_name
from skyshard.registry.backup.records import STATE, KeptRecord

RECORDS_DATABASE = "skyshard_records"
PIECE_BYTES = 4 << 20
_TABLE = f"{quote_name(RECORDS_DATABASE)}.records"
_CREATE = (
    f"CREATE TABLE IF NOT EXISTS {_TABLE} (`database` VARCHAR(64) NOT NULL, number INTEGER NOT NULL, "
    "piece INTEGER NOT NULL, pieces INTEGER NOT NULL, sequence BIGINT NOT NULL, digest CHAR(32) NOT NULL, "
    "content LONGBLOB NOT NULL, PRIMARY KEY (`database`, number, piece)) "
    "ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
)
_OWN = "WHERE `database` = %s"


def held_records(admin: Connection, database: str = "") -> dict[tuple[str, int], int]:
    """Database and number of each record that is there, of one database or of all, with its sequence."""
    where, args = (f"{_OWN} AND", [database]) if database else ("WHERE", [])
    try:
        rows = admin.rows(f"SELECT `database`, number, sequence FROM {_TABLE} {where} piece = 0", args)
    except UserError:  # there are none yet
        return {}
    return {(str(name), int(number)): int(sequence) for name, number, sequence in rows}


def keep_records(admin: Connection, database: str, records: Iterable[KeptRecord]) -> None:
    """Write records of a database; those that are there in a newer form stay.

    With the state of one that was dropped, what there is of its transactions is removed.
    """
    admin.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(RECORDS_DATABASE)}")
    admin.execute(_CREATE)
    admin.execute("START TRANSACTION")
    locked = f"SELECT number, sequence FROM {_TABLE} {_OWN} AND piece = 0 FOR UPDATE"
    there = {int(number): int(sequence) for number, sequence in admin.rows(locked, [database])}
    for record in records:
        if record.is_gone:
            admin.execute(f"DELETE FROM {_TABLE} {_OWN} AND number <> %s", [database, STATE])
        if there.get(record.number, -1) < record.sequence:
            admin.execute(f"DELETE FROM {_TABLE} {_OWN} AND number = %s", [database, record.number])
            for piece in _pieces(record):
                admin.execute(f"INSERT INTO {_TABLE} VALUES (%s, %s, %s, %s, %s, %s, %s)", piece)
    admin.execute("COMMIT")


def _pieces(record: KeptRecord) -> Iterator[list[object]]:
    content, digest = record.content, xxhash.xxh3_128_hexdigest(record.content)
    starts = range(0, max(1, len(content)), PIECE_BYTES)
    for number, start in enumerate(starts):
        piece = content[start : start + PIECE_BYTES]
        yield [record.database, record.number, number, len(starts), record.sequence, digest, piece]


def read_record(admin: Connection, database: str, number: int) -> KeptRecord | None:
    """One record; None where there is none that is whole."""
    sql = f"SELECT pieces, sequence, digest, content FROM {_TABLE} {_OWN} AND number = %s ORDER BY piece"
    rows = admin.rows(sql, [database, number])
    content = b"".join(piece for *_, piece in rows)
    if not rows or len(rows) != rows[0][0] or xxhash.xxh3_128_hexdigest(content) != rows[0][2]:
        return None
    return KeptRecord(database, number, int(rows[0][1]), content)


def known_everywhere(held: Mapping[str, Mapping[tuple[str, int], int]], database: str) -> set[int]:
    """The transactions whose records every node has.

    >>> sorted(known_everywhere({"a": {("x", 1): 5, ("x", 2): 5}, "b": {("x", 2): 5, ("x", 0): 5}}, "x"))
    [2]
    """
    numbers = [{number for name, number in one if name == database and number != STATE} for one in held.values()]
    return set.intersection(*numbers) if numbers else set()
