"""Version 3, release 0.3.0: databases have a stored name and a shown one, and further names (aliases).

A database's stored name is the name that it was made under; rows of other tables, and everything on the servers, go on
to use it.
"""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace, new_tables

_DATABASES = "skyshard_registry.`databases`"
_COLUMNS = (
    "shown VARCHAR(64) NOT NULL DEFAULT ''",
    "changed_s DOUBLE NOT NULL DEFAULT 0",
    "kept_until_s DOUBLE NOT NULL DEFAULT 0",
)
_LAST = (
    "ALTER COLUMN shown DROP DEFAULT, ALTER COLUMN changed_s DROP DEFAULT, ALTER COLUMN kept_until_s DROP DEFAULT, "
    "ADD UNIQUE INDEX shown (shown)"
)
_TABLES = {
    "aliases": (
        "(name VARCHAR(64) NOT NULL, `database` VARCHAR(64) NOT NULL, changed_s DOUBLE NOT NULL, PRIMARY KEY (name), "
        "FOREIGN KEY (`database`) REFERENCES skyshard_registry.`databases` (name) ON DELETE CASCADE)"
    ),
    "dropped": "(name VARCHAR(64) NOT NULL, shown VARCHAR(64) NOT NULL, dropped_s DOUBLE NOT NULL, PRIMARY KEY (name))",
    "input_files": (
        "(transaction_id INTEGER NOT NULL, number BIGINT NOT NULL, `table` VARCHAR(64) NOT NULL, path TEXT NOT NULL, "
        "dataset VARCHAR(255) NOT NULL, tract VARCHAR(16) NOT NULL, run TEXT NOT NULL, weekly VARCHAR(64) NOT NULL, "
        "ticket VARCHAR(64) NOT NULL, bytes BIGINT NOT NULL, changed_ns BIGINT NOT NULL, digest VARCHAR(32) NOT NULL, "
        "`rows` BIGINT NOT NULL, replaced_by INTEGER NOT NULL, PRIMARY KEY (transaction_id, number), FOREIGN KEY "
        "(transaction_id) REFERENCES skyshard_registry.transactions (id) ON DELETE CASCADE)"
    ),
}
"""New tables: name → what follows it in ``CREATE TABLE``."""


def _has_names(place: UpgradePlace) -> bool:
    return bool(place.admin.rows(f"SHOW INDEX FROM {_DATABASES} WHERE Column_name = 'shown'"))


def _count_columns(place: UpgradePlace) -> int:
    """Columns, not databases: a registry without any needs them too."""
    return 0 if _has_names(place) else len(_COLUMNS)


def _add_names(place: UpgradePlace) -> None:
    """The unique index comes last, so that its presence says that all is done."""
    added = ", ".join(f"ADD COLUMN IF NOT EXISTS {column}" for column in _COLUMNS)
    place.admin.execute(f"ALTER TABLE {_DATABASES} {added}")
    place.admin.execute(f"UPDATE {_DATABASES} SET shown = name, changed_s = created_s WHERE shown = ''")
    place.admin.execute(f"ALTER TABLE {_DATABASES} {_LAST}")


STEP = Step(
    3,
    (
        Change("add {n} columns, for names of databases that can be changed", _count_columns, _add_names),
        new_tables(_TABLES),
    ),
    {"row digest": 1},
)
