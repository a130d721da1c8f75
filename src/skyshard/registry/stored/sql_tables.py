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
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import LONGBLOB

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
    Column("generation", BigInteger, nullable=False, default=0),
    **_OPTIONS,
)  # fmt: skip
"""``generation``: goes up whenever what queries see of the table's chunks changes (``stored.chunk_entries``)."""

chunk_entries = Table(
    "chunk_entries", metadata,
    Column("database", String(64), primary_key=True),
    Column("table", String(64), primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("entries", LONGBLOB, nullable=False),
    ForeignKeyConstraint(["database", "table"], ["tables.database", "tables.name"], ondelete="CASCADE"),
    **_OPTIONS,
)  # fmt: skip
"""What queries read of a table's chunks, made of ``replicas`` and ``contributions`` (``stored.chunk_entries``)."""

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
    Column("servers", JSON),
    Index("by_database", "database"),
    **_OPTIONS,
)  # fmt: skip
"""``servers``: node → when its server was started, as it said itself at the beginning."""

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
    Column("verified_s", Double, nullable=False, default=0.0),
    Column("fault", String(255), nullable=False, default=""),
    Index("by_node", "node"),
    **_OPTIONS,
)  # fmt: skip
"""``verified_s``: when it was last read, counted and digested and found good; ``fault``: why it is not good."""

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

heartbeats = Table(
    "heartbeats", metadata,
    Column("process", String(64), primary_key=True),
    Column("beat_s", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""When a process that works on servers was last there, by the clock of this one."""

nodes = Table(
    "nodes", metadata,
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("mark", String(32), nullable=False),
    Column("added_s", Double, nullable=False),
    Column("changed_s", Double, nullable=False),
    Column("seen_s", Double, nullable=False),
    Column("started_s", Double, nullable=False),
    Column("down_s", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""What was decided of a node, and what was seen of it. ``mark``: what its data folder has to hold; empty where none was
given. ``seen_s``: when its server answered last; ``started_s``: when that was started, as it says itself; ``down_s``:
since when it is known not to answer, 0 where it answers. A node without a row is active; one that was removed keeps its
row, so that its name does not come back unseen."""

outages = Table(
    "outages", metadata,
    Column("node", String(64), ForeignKey("nodes.name", ondelete="CASCADE"), primary_key=True),
    Column("began_s", Double, primary_key=True),
    Column("ended_s", Double),
    **_OPTIONS,
)  # fmt: skip
"""When a node did not answer, or was started anew unseen; NULL for as long as it does not answer."""

policies = Table(
    "policies", metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Double, nullable=False),
    **_OPTIONS,
)  # fmt: skip
"""Numbers that hold for the whole cluster, where they are not the default ones."""

tokens = Table(
    "tokens", metadata,
    Column("name", String(64), primary_key=True),
    Column("scope", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("made_s", Double, nullable=False),
    Column("quota", String(255), nullable=False, default=""),
    **_OPTIONS,
)  # fmt: skip
"""Tokens of the doors, as digests; ``quota`` says what of the doors' own limits is otherwise for one."""

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
    Column("host", String(16), nullable=False, default=""),
    Column("owner", String(64), nullable=False, default=""),
    Column("column_bytes", BigInteger, nullable=False, default=0),
    Column("limit_s", Double, nullable=False, default=0.0),
    Index("queries_by_state", "state"),
    Index("queries_by_time", "submitted_s"),
    **_OPTIONS,
)  # fmt: skip
"""Statements that were asked: those that were submitted, with their progress, and those that were answered at once.
``limit_s``: so long one may take from when it begins on; 0: no limit."""

jobs = Table(
    "jobs", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(64), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False, default=0),
    Column("rate_bytes_s", Double, nullable=False, default=0.0),
    Column("grace_s", Double, nullable=False, default=0.0),
    Column("begun_s", Double, nullable=False),
    Column("taken_s", Double, nullable=False),
    Column("ended_s", Double),
    Column("error", String(255), nullable=False, default=""),
    **_OPTIONS,
)  # fmt: skip
"""Work that moves chunks; ``taken_s``: when the last process took it up."""

job_steps = Table(
    "job_steps", metadata,
    Column("job", Integer, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("family", String(64), nullable=False),
    Column("chunk", BigInteger, nullable=False),
    Column("nodes_before", Text, nullable=False),
    Column("nodes_after", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False, default=0),
    Column("state", String(16), nullable=False),
    Column("copied_bytes", BigInteger, nullable=False, default=0),
    Column("error", String(255), nullable=False, default=""),
    Column("ended_s", Double),
    Index("steps_by_state", "job", "state", "number"),
    **_OPTIONS,
)  # fmt: skip
"""One chunk of a family, with the nodes that hold it by rank, with commas between: before and after the step."""
