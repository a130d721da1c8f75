"""Version 6, release 0.3.0: tokens, by which the doors know who asks, and whose a submitted query is.

There are no tokens yet, and an old query is nobody's.
"""

from __future__ import annotations

from skyshard.registry.schema.migrations.step import Change, Step, UpgradePlace, new_tables

_TABLES = {
    "tokens": (
        "(name VARCHAR(64) NOT NULL, scope VARCHAR(16) NOT NULL, digest VARCHAR(64) NOT NULL, "
        "made_s DOUBLE NOT NULL, PRIMARY KEY (name), UNIQUE (digest))"
    ),
}
"""New tables: name → what follows it in ``CREATE TABLE``."""


def _missing_columns(place: UpgradePlace) -> int:
    return int(not place.admin.rows("SHOW COLUMNS FROM skyshard_registry.queries LIKE 'owner'"))


def _add_columns(place: UpgradePlace) -> None:
    place.admin.execute("ALTER TABLE skyshard_registry.queries ADD COLUMN IF NOT EXISTS owner VARCHAR(64) NOT NULL")


STEP = Step(
    6,
    (
        new_tables(_TABLES),
        Change("add {n} columns", _missing_columns, _add_columns),
    ),
    {},
)
