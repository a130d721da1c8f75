"""Version 7, release 0.3.0: a token may have a quota of its own; those that there are have none."""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace


def _missing_columns(place: UpgradePlace) -> int:
    return int(not place.admin.rows("SHOW COLUMNS FROM skyshard_registry.tokens LIKE 'quota'"))


def _add_columns(place: UpgradePlace) -> None:
    place.admin.execute("ALTER TABLE skyshard_registry.tokens ADD COLUMN IF NOT EXISTS quota VARCHAR(255) NOT NULL")


STEP = Step(7, (Change("add {n} columns", _missing_columns, _add_columns),), {})
