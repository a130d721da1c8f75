"""Version 3, release 0.3.0: databases have a stored name and a shown one, and further names (aliases).

A database's stored name is the name that it was made under; rows of other tables, and everything on the servers, go on
to use it.
"""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace

_DATABASES = "skyshard_registry.`databases`"
_COLUMNS = (
    "ADD COLUMN IF NOT EXISTS shown VARCHAR(64) NOT NULL DEFAULT '', "
    "ADD COLUMN IF NOT EXISTS changed_s DOUBLE NOT NULL DEFAULT 0, "
    "ADD COLUMN IF NOT EXISTS kept_until_s DOUBLE NOT NULL DEFAULT 0"
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
_OPTIONS = "ENGINE=InnoDB CHARSET=utf8mb4 COLLATE=utf8mb4_bin"


def _has_names(place: UpgradePlace) -> bool:
    return bool(place.admin.rows(f"SHOW INDEX FROM {_DATABASES} WHERE Column_name = 'shown'"))


def _count_names(place: UpgradePlace) -> int:
    return 0 if _has_names(place) else int(place.admin.value(f"SELECT COUNT(*) FROM {_DATABASES}"))


def _add_names(place: UpgradePlace) -> None:
    """The unique index comes last, so that its presence says that all is done."""
    place.admin.execute(f"ALTER TABLE {_DATABASES} {_COLUMNS}")
    place.admin.execute(f"UPDATE {_DATABASES} SET shown = name, changed_s = created_s WHERE shown = ''")
    place.admin.execute(f"ALTER TABLE {_DATABASES} {_LAST}")


def _missing_tables(place: UpgradePlace) -> list[str]:
    there = {str(name) for (name,) in place.admin.rows("SHOW TABLES FROM skyshard_registry")}
    return [name for name in _TABLES if name not in there]


def _count_tables(place: UpgradePlace) -> int:
    return len(_missing_tables(place))


def _make_tables(place: UpgradePlace) -> None:
    for name in _missing_tables(place):
        place.admin.execute(f"CREATE TABLE IF NOT EXISTS skyshard_registry.{name} {_TABLES[name]} {_OPTIONS}")


STEP = Step(
    3,
    (
        Change("give {n} databases a name that can be changed", _count_names, _add_names),
        Change("make {n} tables", _count_tables, _make_tables),
    ),
    {"row digest": 1},
)
