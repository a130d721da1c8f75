"""The registry's SQL tables, in database ``skyshard_registry`` on the czar's server (InnoDB, utf8mb4).

Only table definitions; the subjects of the registry read and write them, queries by ``plain_sql``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from skyshard.registry.stored.database_names import INDEX_DATABASE as INDEX_DATABASE
from skyshard.registry.stored.database_names import REGISTRY_DATABASE as REGISTRY_DATABASE

metadata = MetaData()
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

databases = Table(
    "databases", metadata,
    Column("name", String(64), primary_key=True),
    Column("family", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("layout", JSON, nullable=False),
    Column("source", Text, nullable=False, default=""),
    Column("created_s", Double, nullable=False),
    Column("shown", String(64), nullable=False, unique=True),
    Column("changed_s", Double, nullable=False, default=0.0),
    Column("kept_until_s", Double, nullable=False, default=0.0),
    **_OPTIONS,
)  # fmt: skip
"""``name`` is the stored name, which never changes; ``shown`` is what people call it; ``changed_s`` is when its state
or its shown name changed last; until ``kept_until_s`` one that is being dropped may still be read."""

aliases = Table(
    "aliases", metadata,
    Column("name", String(64), primary_key=True),
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), nullable=False),
    Column("changed_s", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""Further names of databases."""

dropped = Table(
    "dropped", metadata,
    Column("name", String(64), primary_key=True),
    Column("shown", String(64), nullable=False),
    Column("dropped_s", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""Stored names that are never given again: a query that began before the drop must not meet other rows under one."""

tables = Table(
    "tables", metadata,
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("definition", JSON, nullable=False),
    Column("layout", JSON, nullable=False),
    Column("loader", String(16), nullable=False),
    Column("position_is_local", Boolean, nullable=False, default=True),
    Column("keys_are_spread", Boolean, nullable=False, default=False),
    Column("transaction_id", Integer, nullable=False),
    **_OPTIONS,
)  # fmt: skip

transactions = Table(
    "transactions", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("plan", String(32), nullable=False),
    Column("attempt", Integer, nullable=False, default=1),
    Column("begun_s", Double, nullable=False),
    Column("ended_s", Double),
    Column("error", Text, nullable=False, default=""),
    Column("report", JSON, nullable=False, default=dict),
    Index("by_database", "database"),
    **_OPTIONS,
)  # fmt: skip

contributions = Table(
    "contributions", metadata,
    Column("transaction_id", Integer, ForeignKey("transactions.id", ondelete="CASCADE"), primary_key=True),
    Column("table", String(64), primary_key=True),
    Column("part_digest", String(32), primary_key=True),
    Column("chunk", BigInteger, primary_key=True),
    Column("is_overlap", Boolean, primary_key=True),
    Column("part", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("orphans", BigInteger, nullable=False, default=0),
    Column("digest", String(64), nullable=False),
    Column("part_rows", BigInteger, nullable=False, default=0),
    Column("elapsed_s", Double, nullable=False, default=0.0),
    **_OPTIONS,
)  # fmt: skip

input_files = Table(
    "input_files", metadata,
    Column("transaction_id", Integer, ForeignKey("transactions.id", ondelete="CASCADE"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("table", String(64), nullable=False),
    Column("path", Text, nullable=False),
    Column("dataset", String(255), nullable=False, default=""),
    Column("tract", String(16), nullable=False, default=""),
    Column("run", Text, nullable=False, default=""),
    Column("weekly", String(64), nullable=False, default=""),
    Column("ticket", String(64), nullable=False, default=""),
    Column("bytes", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("digest", String(32), nullable=False, default=""),
    Column("rows", BigInteger, nullable=False, default=0),
    Column("replaced_by", Integer, nullable=False, default=0),
    **_OPTIONS,
)  # fmt: skip
"""Files of tables with provenance: a number each, which is one file's of a database, and the transaction that took the
place of its rows, 0 for none."""

placements = Table(
    "placements", metadata,
    Column("family", String(64), primary_key=True),
    Column("chunk", BigInteger, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("node", String(64), nullable=False),
    **_OPTIONS,
)  # fmt: skip

index_parts = Table(
    "index_parts", metadata,
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), primary_key=True),
    Column("director", String(64), primary_key=True),
    Column("transaction_id", Integer, ForeignKey("transactions.id", ondelete="CASCADE"), primary_key=True),
    Column("part", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    **_OPTIONS,
)  # fmt: skip

replicas = Table(
    "replicas", metadata,
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), primary_key=True),
    Column("table", String(64), primary_key=True),
    Column("chunk", BigInteger, primary_key=True),
    Column("is_overlap", Boolean, primary_key=True),
    Column("node", String(64), primary_key=True),
    Column("transaction_id", Integer, ForeignKey("transactions.id", ondelete="CASCADE"), primary_key=True),
    Column("part", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("by_node", "node"),
    **_OPTIONS,
)  # fmt: skip

strays = Table(
    "strays", metadata,
    Column("transaction_id", Integer, ForeignKey("transactions.id", ondelete="CASCADE"), primary_key=True),
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), primary_key=True),
    Column("table", String(64), primary_key=True),
    Column("chunk", BigInteger, primary_key=True),
    **_OPTIONS,
)  # fmt: skip
"""Chunks with dependent rows whose director came to another chunk, maybe of another database, by this transaction."""

retired = Table(
    "retired", metadata,
    Column("server", String(64), primary_key=True),
    Column("database", String(64), ForeignKey("databases.name", ondelete="CASCADE"), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("since_s", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""Tables that compaction replaced; they are kept for a grace period, for queries that still read them."""

generation = Table(
    "generation", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""One row: how often what queries see has changed. Raised last in each SQL transaction that changes it."""

versions = Table(
    "versions", metadata,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("release", String(64), nullable=False),
    Column("changed_s", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""One row a format that the cluster keeps (``schema_version``)."""

queries = Table(
    "queries", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(64), nullable=False),
    Column("is_async", Boolean, nullable=False),
    Column("database", String(64), nullable=False, default=""),
    Column("statement", Text(2**24 - 1), nullable=False),
    Column("state", String(16), nullable=False),
    Column("kind", String(32), nullable=False, default=""),
    Column("lane", String(16), nullable=False, default=""),
    Column("submitted_s", Double, nullable=False),
    Column("begun_s", Double),
    Column("ended_s", Double),
    Column("chunks", BigInteger, nullable=False, default=0),
    Column("chunks_done", BigInteger, nullable=False, default=0),
    Column("rows", BigInteger, nullable=False, default=0),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("coverage", Double, nullable=False, default=1.0),
    Column("error", Text, nullable=False, default=""),
    Column("process", BigInteger, nullable=False, default=0),
    Column("process_began", BigInteger, nullable=False, default=0),
    Column("is_stop_wanted", Boolean, nullable=False, default=False),
    Column("result", Text, nullable=False, default=""),
    Index("queries_by_state", "state"),
    Index("queries_by_time", "submitted_s"),
    **_OPTIONS,
)  # fmt: skip
"""Statements that were asked: those that were submitted, with their progress, and those that were answered at once."""
