"""The edition of the registry as plain SQL text: whether anything has changed, told without reading what."""

from __future__ import annotations

from skyshard.registry.stored.database_names import REGISTRY_DATABASE

TABLES = ("aliases", "databases", "nodes", "replicas", "tables", "transactions")
"""What catalogs, and how whole they are, are made of."""
_NAMES = ", ".join(f"'{name}'" for name in TABLES)
EDITION = (
    "SELECT GROUP_CONCAT(TABLE_NAME, ' ', COALESCE(UPDATE_TIME, '') ORDER BY TABLE_NAME), "
    "COALESCE(MAX(UPDATE_TIME) > NOW() - INTERVAL 2 SECOND, 0) FROM information_schema.TABLES "
    f"WHERE TABLE_SCHEMA = '{REGISTRY_DATABASE}' AND TABLE_NAME IN ({_NAMES})"
)
"""When each of them was committed to last, to the second; and whether that is so short a time ago that another change
may have the same second. The server forgets the times when it starts, and has none until the next commit."""
