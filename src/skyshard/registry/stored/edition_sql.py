"""The edition of the registry as plain SQL text: whether anything has changed, told without reading what."""

from __future__ import annotations

from skyshard.registry.stored.database_names import REGISTRY_DATABASE
from skyshard.registry.stored.plain_sql import named

TABLES = ("aliases", "databases", "replicas", "tables", "transactions")
"""What catalogs, and how whole they are, are made of; of nodes only the states count, their rows say when they were
seen last."""
_NAMES = ", ".join(f"'{name}'" for name in TABLES)
EDITION = (
    "SELECT CONCAT(GROUP_CONCAT(TABLE_NAME, ' ', COALESCE(UPDATE_TIME, '') ORDER BY TABLE_NAME), ' ', COALESCE((SELECT "
    f"GROUP_CONCAT(n.name, ' ', n.state ORDER BY n.name) FROM {named('nodes')} n), '')), "
    "COALESCE(MAX(UPDATE_TIME) > NOW() - INTERVAL 2 SECOND, 0) FROM information_schema.TABLES "
    f"WHERE TABLE_SCHEMA = '{REGISTRY_DATABASE}' AND TABLE_NAME IN ({_NAMES})"
)
"""When each of them was committed to last, to the second; and whether that is so short a time ago that another change
may have the same second. The server forgets the times when it starts, and has none until the next commit."""
