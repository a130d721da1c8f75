"""The replication index as a whole, as plain SQL text: of millions of replicas the numbers travel in one text.

Rules: as of ``plain_sql``, which a test holds against ``sql_tables`` too. Only finished transactions count.
"""

from __future__ import annotations

from skyshard.registry.stored.lifecycle import ReplicaState, TransactionState
from skyshard.registry.stored.plain_sql import named
from skyshard.registry.stored.records import WHOLE

_FINISHED = (
    f"FROM {named('replicas')} r JOIN {named('transactions')} x ON x.id = r.transaction_id "
    f"AND x.state = '{TransactionState.FINISHED}'"
)
_GOOD = f"r.state = '{ReplicaState.GOOD}' AND r.verified_s > 0"
_OF_DATABASE = " WHERE (%s = '' OR r.`database` = %s)"

COLUMNS = (
    "SELECT r.`database`, r.`table`, GROUP_CONCAT(r.chunk, ',', r.is_overlap, ',', r.transaction_id, ',', "
    f"({_GOOD}), ',', r.`rows`, ',', r.bytes, ',', FLOOR(r.verified_s)), GROUP_CONCAT(r.node) FROM "
    f"{named('replicas')} r FORCE INDEX (PRIMARY) JOIN {named('transactions')} x ON x.id = r.transaction_id "
    f"AND x.state = '{TransactionState.FINISHED}'{_OF_DATABASE} GROUP BY r.`database`, r.`table`"
)
"""All replicas, a row a table: numbers (``replication_sums``), and nodes in the same order. Arguments: twice a
database; empty for all, as of the next."""
FAULTY = (
    "SELECT r.`database`, r.`table`, r.chunk, r.is_overlap, r.part, r.node, r.state, r.fault "
    f"{_FINISHED}{_OF_DATABASE} AND NOT ({_GOOD}) ORDER BY r.`database`, r.chunk, r.`table`, r.node LIMIT %s"
)
"""Replicas that do not count, and why; the last argument says how many at most."""
OF_CHUNK = (
    "SELECT r.`database`, r.`table`, r.chunk, r.is_overlap, r.part, r.node, r.state, r.`rows`, r.bytes, "
    f"r.verified_s, r.fault {_FINISHED} WHERE r.chunk = %s ORDER BY r.`database`, r.`table`, r.is_overlap, r.part, "
    "r.node"
)
"""All replicas of a chunk, of every database. Argument: its number."""
OF_NODE = (
    "SELECT r.`table`, r.chunk, r.is_overlap, r.node, r.`rows`, r.bytes, r.digest, r.part, r.state, r.transaction_id, "
    f"r.verified_s {_FINISHED} WHERE r.`database` = %s AND r.node = %s "
    "ORDER BY r.verified_s, r.`table`, r.is_overlap, r.chunk"
)
"""Replicas of a node, those that were verified longest ago first. Arguments: a database, a node."""
OF_NODE_CHUNKS = OF_NODE.replace(" ORDER BY", " AND r.`table` IN ({tables}) AND r.chunk IN ({chunks}) ORDER BY")
"""The same of some tables and chunks; further arguments: their names and numbers, for whose marks there is room."""
_FIELDS = OF_NODE.partition(" WHERE ")[0]
OF_WHOLE = f"{_FIELDS} WHERE r.`database` = %s AND r.chunk = {WHOLE} ORDER BY r.`table`, r.transaction_id, r.node"
"""Replicas of regular tables, with the same columns. Argument: a database."""
NOT_GOOD = f"{_FIELDS} WHERE r.`database` = %s AND r.state <> '{ReplicaState.GOOD}' ORDER BY r.chunk, r.`table`, r.node"
"""Replicas that are not good, with the columns of the one before. Argument: a database."""
HOLDERS = (
    "SELECT DISTINCT r.`table`, r.chunk, r.is_overlap, r.transaction_id, r.node "
    f"FROM {named('replicas')} b JOIN {named('replicas')} r ON r.`database` = b.`database` AND r.`table` = b.`table` "
    "AND r.chunk = b.chunk AND r.is_overlap = b.is_overlap AND r.transaction_id = b.transaction_id "
    f"AND r.state = '{ReplicaState.GOOD}' WHERE b.`database` = %s AND b.state <> '{ReplicaState.GOOD}'"
)
"""The nodes that hold the same rows as replicas that are not good. Argument: a database."""
OF_CHUNKS = f"{_FIELDS} WHERE r.`database` = %s AND r.`table` IN ({{tables}}) AND r.chunk IN ({{chunks}})"
"""All replicas of some chunks, with the same columns. Arguments: a database, tables, chunks, with room for marks."""
HELD = (
    "SELECT s.`database`, s.node, GROUP_CONCAT(s.chunk, ',', s.bytes, ',', s.tables) FROM ("
    f"SELECT r.`database`, r.node, r.chunk, SUM(r.bytes) AS bytes, COUNT(*) AS tables {_FINISHED} "
    "GROUP BY r.`database`, r.node, r.chunk) s GROUP BY s.`database`, s.node"
)
"""What each node holds of each chunk of each database: chunk, bytes, tables."""
