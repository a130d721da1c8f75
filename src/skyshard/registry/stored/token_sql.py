"""Tokens of the doors as plain SQL text; rules as of ``plain_sql``, which a test holds against ``sql_tables`` too."""

from __future__ import annotations

from skyshard.registry.stored.plain_sql import named

_TOKENS = named("tokens")

TOKENS = f"SELECT t.name, t.scope, t.digest, t.made_s, t.quota FROM {_TOKENS} t ORDER BY t.name"
MAKE_TOKEN = f"INSERT IGNORE INTO {_TOKENS} (name, scope, digest, quota, made_s) VALUES (%s, %s, %s, %s, @@timestamp)"
"""Arguments: name, scope, digest, quota; changes nothing where there is one of the name."""
REVOKE_TOKEN = f"DELETE FROM {_TOKENS} WHERE name = %s"
SET_QUOTA = f"UPDATE {_TOKENS} SET quota = %s WHERE name = %s"
