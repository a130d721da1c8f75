"""Version 9, release 0.3.0: how long a query may take; those before have no limit."""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace


def _missing_columns(place: UpgradePlace) -> int:
    return int(not place.admin.rows("SHOW COLUMNS FROM skyshard_registry.queries LIKE 'limit_s'"))


def _add_columns(place: UpgradePlace) -> None:
    place.admin.execute("ALTER TABLE skyshard_registry.queries ADD COLUMN IF NOT EXISTS limit_s DOUBLE NOT NULL")


STEP = Step(9, (Change("add {n} columns", _missing_columns, _add_columns),), {})
