"""Version 4, release 0.3.0: processes of several hosts know of one another, and replicas are verified.

Processes say that they are there, a query says on which host it runs, and a transaction when each server had been
started as it began. A replica says when it was read last and found good: an old one when its transaction ended.
What queries read of a table's chunks is kept as one value beside the rows; the values are made by the first query of
each table, or by the next ingest.
"""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace, new_tables

_COLUMNS = {
    "queries.host": "VARCHAR(16) NOT NULL",
    "transactions.servers": "JSON",
    "replicas.verified_s": "DOUBLE NOT NULL",
    "replicas.fault": "VARCHAR(255) NOT NULL",
    "tables.generation": "BIGINT NOT NULL",
}
"""New columns, with their types; an old query has an empty host, which stands for that of the czar."""
_TABLES = {
    "heartbeats": "(process VARCHAR(64) NOT NULL, beat_s DOUBLE NOT NULL, PRIMARY KEY (process))",
    "chunk_entries": (
        "(`database` VARCHAR(64) NOT NULL, `table` VARCHAR(64) NOT NULL, generation BIGINT NOT NULL, "
        "entries LONGBLOB NOT NULL, PRIMARY KEY (`database`, `table`), FOREIGN KEY (`database`, `table`) "
        "REFERENCES skyshard_registry.`tables` (`database`, name) ON DELETE CASCADE)"
    ),
}
"""New tables: name → what follows it in ``CREATE TABLE``."""
_THERE = (
    "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS "
    "WHERE TABLE_SCHEMA = 'skyshard_registry'"
)


def _missing_columns(place: UpgradePlace) -> list[str]:
    there = {str(name) for (name,) in place.admin.rows(_THERE)}
    return [name for name in _COLUMNS if name not in there]


def _add_columns(place: UpgradePlace) -> None:
    for name in _missing_columns(place):
        table, column = name.split(".")
        place.admin.execute(f"ALTER TABLE skyshard_registry.{table} ADD COLUMN {column} {_COLUMNS[name]}")


def _undated_replicas(place: UpgradePlace) -> int:
    where = "" if "replicas.verified_s" in _missing_columns(place) else " WHERE verified_s = 0"
    return int(place.admin.value(f"SELECT COUNT(*) FROM skyshard_registry.replicas{where}"))


def _date_replicas(place: UpgradePlace) -> None:
    place.admin.execute(
        "UPDATE skyshard_registry.replicas r JOIN skyshard_registry.transactions x ON x.id = r.transaction_id "
        "SET r.verified_s = COALESCE(x.ended_s, x.begun_s) WHERE r.verified_s = 0"
    )


STEP = Step(
    4,
    (
        Change("add {n} columns", lambda place: len(_missing_columns(place)), _add_columns),
        Change("say when {n} replicas were verified", _undated_replicas, _date_replicas),
        new_tables(_TABLES),
    ),
    {"row digest": 1},
)
