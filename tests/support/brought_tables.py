"""Tables that a client brings over Qserv's REST."""

from __future__ import annotations

import json

import httpx2 as httpx


def columns(**types: str) -> list[dict[str, str]]:
    """A schema as Qserv has it."""
    return [{"name": name, "type": kind} for name, kind in types.items()]


def bring(client: httpx.Client, database: str, table: str, schema: list[dict[str, str]], rows: str, **form: str) -> str:
    """A table as CSV in a form; the error, empty for none."""
    fields = {"database": database, "table": table, "fields_terminated_by": ",", "fields_enclosed_by": '"', **form}
    files = {"schema": ("s.json", json.dumps(schema).encode()), "rows": ("r.csv", rows.encode())}
    return str(client.post("/ingest/csv?version=55", data=fields, files=files).json()["error"])
