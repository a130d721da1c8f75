"""Version 8, release 0.3.0: how many bytes of column images a query has read; of those before nobody knows: 0."""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace


def _missing_columns(place: UpgradePlace) -> int:
    return int(not place.admin.rows("SHOW COLUMNS FROM skyshard_registry.queries LIKE 'column_bytes'"))


def _add_columns(place: UpgradePlace) -> None:
    place.admin.execute("ALTER TABLE skyshard_registry.queries ADD COLUMN IF NOT EXISTS column_bytes BIGINT NOT NULL")


STEP = Step(8, (Change("add {n} columns", _missing_columns, _add_columns),), {})
