"""What the ingest REST says of databases, transactions and contributions, key by key as Qserv's clients read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyshard.serve.qserv.ingest_state import ContribState, Contribution, FailedTry, Registered, Transaction, TransState

ASKED_FOR = 37
"""The version from which clients ask for contexts, logs and failed tries; before it they always came."""
WORKER = "skyshard"
"""The one place where contributions are taken: this process gives them to the nodes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients reach this server."""

    host: str
    port: int

    def location(self, **more: Any) -> Mapping[str, Any]:
        """As of a worker, for both of Qserv's loaders; there is only the one of HTTP here."""
        return {
            **more, "worker": WORKER, "host": self.host, "host_name": self.host, "port": self.port,
            "http_host": self.host, "http_host_name": self.host, "http_port": self.port,
        }  # fmt: skip


def transaction_json(database: str, one: Transaction) -> Mapping[str, Any]:
    return {
        "id": one.id, "database": database, "state": str(one.state), "context": one.context, "log": [],
        "begin_time": one.begun_ms, "start_time": one.begun_ms, "transition_time": one.ended_ms,
        "end_time": one.ended_ms,
    }  # fmt: skip


def transactions_json(registered: Registered, shown: Sequence[Transaction]) -> Mapping[str, Any]:
    """The key ``databases``, of one of them."""
    chunks = {one.chunk for one in registered.contributions if one.chunk >= 0}
    content = {
        "is_published": 0, "num_chunks": len(chunks),
        "transactions": [transaction_json(registered.database, one) for one in shown],
    }  # fmt: skip
    return {registered.database: content}


def contribution_json(registered: Registered, one: Contribution, *, with_retries: bool = True) -> Mapping[str, Any]:
    is_done = one.ended_ms > 0
    return {
        "id": one.id, "async": int(one.is_async), "database": registered.database, "table": one.table,
        "worker": WORKER, "chunk": one.chunk, "overlap": int(one.is_overlap), "transaction_id": one.transaction,
        "status": str(one.state), "create_time": one.created_ms, "start_time": one.begun_ms,
        "read_time": one.ended_ms, "load_time": one.ended_ms if is_done else 0, "url": one.url,
        "http_method": one.method, "http_data": one.sent, "http_headers": one.headers, "tmp_file": "",
        "max_num_warnings": one.most_warnings, "max_retries": one.most_retries,
        "charset_name": one.charset or "latin1", "dialect_input": one.dialect,
        "num_bytes": one.bytes, "num_rows": one.rows, "num_rows_loaded": one.rows, "http_error": one.http_error,
        "system_error": one.system_error, "error": one.error, "retry_allowed": int(one.can_retry),
        "num_warnings": 0, "warnings": [], "num_failed_retries": len(one.failed),
        "failed_retries": [_failed_json(each) for each in one.failed] if with_retries else [],
    }  # fmt: skip


def _failed_json(one: FailedTry) -> Mapping[str, Any]:
    return {
        "start_time": one.begun_ms, "read_time": one.ended_ms, "tmp_file": "", "num_bytes": 0, "num_rows": 0,
        "http_error": one.http_error, "system_error": one.system_error, "error": one.error,
    }  # fmt: skip


def summary_json(
    registered: Registered, transaction: int, *, with_files: bool, with_retries: bool
) -> Mapping[str, Any]:
    """What a transaction brought, by table and in all; ``with_files``: each contribution, too."""
    of_it = registered.of(transaction)
    done = [one for one in of_it if one.state is ContribState.FINISHED]
    by_state = {str(state): sum(one.state is state for one in of_it) for state in ContribState}
    kinds = {
        "num_regular_files": sum(one.chunk < 0 for one in done),
        "num_chunk_files": sum(one.chunk >= 0 and not one.is_overlap for one in done),
        "num_chunk_overlap_files": sum(one.is_overlap for one in done),
    }
    tables: dict[str, dict[str, Any]] = {}
    for name in sorted({one.table for one in done}):
        mine = [one for one in done if one.table == name]
        tables[name] = _sums([one for one in mine if not one.is_overlap], with_count=True)
        if copies := [one for one in mine if one.is_overlap]:
            tables[name]["overlap"] = _sums(copies, with_count=True)
    summary = {
        **_sums(done), **kinds, "num_files_by_status": by_state, "num_workers": int(bool(of_it)), "table": tables,
        "worker": {WORKER: _sums(done) | kinds} if of_it else {},
        "first_contrib_begin": min((one.created_ms for one in done), default=0),
        "last_contrib_end": max((one.ended_ms for one in done), default=0),
    }  # fmt: skip
    shown = of_it if with_files else []
    files = [contribution_json(registered, one, with_retries=with_retries) for one in shown]
    return {"summary": summary, "files": files}


def _sums(some: Sequence[Contribution], *, with_count: bool = False) -> dict[str, Any]:
    rows = sum(one.rows for one in some)
    found: dict[str, Any] = {
        "data_size_gb": sum(one.bytes for one in some) / 2**30, "num_rows": rows, "num_rows_loaded": rows,
        "num_failed_retries": sum(len(one.failed) for one in some), "num_warnings": 0,
    }  # fmt: skip
    return found | ({"num_files": len(some)} if with_count else {})


def registered_json(registered: Registered) -> Mapping[str, Any]:
    """A database that is not published, as the configuration lists it."""
    return {
        "database": registered.database, "family_name": registered.family, "is_published": 0,
        "create_time": registered.made_ms, "publish_time": 0, "num_stripes": registered.stripes,
        "num_sub_stripes": registered.substripes, "overlap": registered.overlap_deg,
        "tables": [
            {"name": name, "is_partitioned": table.get("is_partitioned", 0), "is_published": 0,
             "director_table": table.get("director_table", "")}
            for name, table in registered.tables.items()
        ],
    }  # fmt: skip


def configuration(
    databases: Sequence[Mapping[str, Any]], families: Mapping[str, Mapping[str, Any]], place: Place
) -> Any:
    """The key ``config``."""
    worker = {
        "name": WORKER, "is_enabled": 1, "is_read_only": 0,
        "http-loader-host": [{"name": place.host, "addr": place.host}], "http-loader-port": place.port,
        "loader-host": [{"name": place.host, "addr": place.host}], "loader-port": place.port,
    }  # fmt: skip
    return {
        "general": {}, "workers": [worker], "databases": list(databases),
        "database_families": [{"name": name, **family} for name, family in families.items()],
    }  # fmt: skip


def open_transactions(registered: Registered) -> list[int]:
    return [one.id for one in registered.in_state(TransState.STARTED)]
