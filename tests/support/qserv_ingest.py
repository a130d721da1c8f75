"""What qserv-ingest asks of Qserv, request by request, over a folder with ``metadata.json``: its whole workflow."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
from tests.support.asking import ASK_EVERY_S

VERSION = 16
"""That of its release 2024.8."""
PATIENCE_S = 60.0
READ_OF_CONTRIBUTION = ("status", "error", "system_error", "http_error", "retry_allowed")


@dataclass
class QservIngest:
    """Its steps, in the order of its tasks; an answer without success fails, as there."""

    client: httpx.Client
    folder: Path
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    """Sent as ``auth_key`` in every body."""

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """GETs have a body, too, and their version in the query string; others in the body."""
        content = {"auth_key": self.key, **(body or {})}
        if method == "GET":
            path += f"{'&' if '?' in path else '?'}version={VERSION}"
        else:
            content = {"version": VERSION, **content}
        answer = self.client.request(method, path, content=json.dumps(content), headers=dict(self.headers))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        assert found["success"] == 1, (path, found["error"])
        return found

    @property
    def metadata(self) -> dict[str, Any]:
        return self._json("metadata.json")

    @property
    def database(self) -> dict[str, Any]:
        return self._json(self.metadata["database"])

    def _json(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    def register(self) -> None:
        """Database, directors first, then the other tables, and libcurl's settings."""
        name = self.database["database"]
        config = self.ask("GET", "/replication/config")["config"]
        assert name not in [one["database"] for one in config["databases"] if one["is_published"]]
        self.ask("POST", "/ingest/database/", {**self.database, "local_load_secondary_index": 1})
        tables = [self._json(entry["schema"]) for entry in self.metadata["tables"]]
        for table in sorted(tables, key=lambda one: bool(one.get("director_table")) or not one["is_partitioned"]):
            self.ask("POST", "/ingest/table/", {"database": name, **table})
        self.ask("PUT", "/ingest/config/", {"database": name, "CAINFO": "/etc/pki/x", "SSL_VERIFYPEER": 1})

    def ingest(self, *, abort: bool = False) -> int:
        """One transaction with every file; its number."""
        name = self.database["database"]
        begun = self.ask("POST", "/ingest/trans", {"database": name, "context": {"pod": "ingest-0"}})
        number = int(begun["databases"][name]["transactions"][0]["id"])
        for table, chunk, overlap, path in self.files():
            self.contribute(number, table, chunk, overlap, path)
        ended = self.ask("PUT", f"/ingest/trans/{number}?abort={int(abort)}")
        states = {one["id"]: one["state"] for one in ended["databases"][name]["transactions"]}
        assert states[number] == ("ABORTED" if abort else "FINISHED")
        return number

    def files(self) -> Iterator[tuple[str, int, int, Path]]:
        """Table, chunk, whether overlap, path; regular tables have chunk and overlap -1."""
        for entry in self.metadata["tables"]:
            table = self._json(entry["schema"])["table"]
            for data in entry["data"]:
                place = self.folder / data["directory"]
                yield from ((table, -1, -1, place / name) for name in data.get("files", ()))
                yield from ((table, chunk, 0, place / f"chunk_{chunk}.txt") for chunk in data.get("chunks", ()))
                for chunk in data.get("overlaps", ()):
                    yield table, chunk, 1, place / f"chunk_{chunk}_overlap.txt"

    def contribute(self, transaction: int, table: str, chunk: int, overlap: int, path: Path) -> dict[str, Any]:
        """Ask where the chunk goes, hand the URL over, ask until it is there."""
        name = self.database["database"]
        if chunk >= 0:
            place = self.ask("POST", "/ingest/chunk", {"chunk": chunk, "database": name})["location"]
        else:
            place = self.ask("GET", "/ingest/regular", {"database": name})["locations"][0]
        assert place["http_host_name"]
        assert place["http_port"]
        assert self.client.head("/").status_code < 500
        separator = self.metadata.get("formats", {}).get("txt", {}).get("fields_terminated_by", ",")
        begun = self.ask("POST", "/ingest/file-async", {
            "transaction_id": transaction, "table": table, "chunk": chunk, "overlap": overlap,
            "url": path.resolve().as_uri(), "charset_name": "",
            "fields_terminated_by": separator if path.suffix == ".txt" else "\\t",
        })  # fmt: skip
        until_s = time.monotonic() + PATIENCE_S
        while (found := self.ask("GET", f"/ingest/file-async/{begun['contrib']['id']}")["contrib"])["status"] in (
            "IN_PROGRESS",
        ):
            assert time.monotonic() < until_s
            time.sleep(ASK_EVERY_S)
        assert set(READ_OF_CONTRIBUTION) <= set(found)
        return dict(found)

    def check(self) -> None:
        """All transactions have ended."""
        name = self.database["database"]
        found = self.ask("GET", f"/ingest/trans?database={name}")["databases"][name]["transactions"]
        assert {one["state"] for one in found} <= {"FINISHED", "ABORTED"}

    def publish(self) -> None:
        self.ask("PUT", f"/ingest/database/{self.database['database']}")

    def finish(self) -> None:
        """The director index as version 16 asks for it, and statistics of every table."""
        name = self.database["database"]
        self.ask("POST", "/ingest/index/secondary",
                 {"database": name, "allow_for_published": 1, "local": 1, "rebuild": 1})  # fmt: skip
        for entry in self.metadata["tables"]:
            table = self._json(entry["schema"])["table"]
            self.ask("POST", "/ingest/table-stats/", {
                "database": name, "table": table, "overlap_selector": "CHUNK_AND_OVERLAP", "force_rescan": 1,
                "row_counters_state_update_policy": "ENABLED", "row_counters_deploy_at_qserv": 1,
            })  # fmt: skip
