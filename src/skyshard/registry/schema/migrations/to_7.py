"""Version 7, release 0.3.0: a token may have a quota of its own; those that there are have none."""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace

_THERE = (
    "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'skyshard_registry' "
    "AND TABLE_NAME = 'tokens' AND COLUMN_NAME = 'quota'"
)
"""Also where the table is not there yet, as in a dry run from before version 6."""


def _missing_columns(place: UpgradePlace) -> int:
    return int(not place.admin.value(_THERE))


def _add_columns(place: UpgradePlace) -> None:
    place.admin.execute("ALTER TABLE skyshard_registry.tokens ADD COLUMN IF NOT EXISTS quota VARCHAR(255) NOT NULL")


STEP = Step(7, (Change("add {n} columns", _missing_columns, _add_columns),), {})
