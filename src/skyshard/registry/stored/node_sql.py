"""What the cluster has decided and seen of its nodes, as plain SQL text: queries read it, too.

Rules: as of ``plain_sql``, which a test holds against ``sql_tables`` too. A node without a row is active.
"""

from __future__ import annotations

from skyshard.registry.stored.job_rows import StepState
from skyshard.registry.stored.lifecycle import JobState, NodeState, ReplicaState, TransactionState
from skyshard.registry.stored.plain_sql import named
from skyshard.registry.stored.records import WHOLE

_NODES, _OUTAGES, _POLICIES, _REPLICAS = named("nodes"), named("outages"), named("policies"), named("replicas")
_NOW_S = "@@timestamp"

STATES = f"SELECT n.name, n.state, n.mark FROM {_NODES} n"
"""State and mark of every node that has a row, those that were removed among them."""
NODES = (
    "SELECT n.name, n.state, n.mark, n.added_s, n.changed_s, n.seen_s, n.started_s, n.down_s, "
    f"(SELECT COUNT(*) FROM {_OUTAGES} o WHERE o.node = n.name AND o.began_s > {_NOW_S} - %s) AS outages "
    f"FROM {_NODES} n ORDER BY n.name"
)
"""Argument: seconds back, for which outages are counted."""
LOCK_NODE = f"SELECT n.state, n.mark, n.seen_s, n.started_s, n.down_s FROM {_NODES} n WHERE n.name = %s FOR UPDATE"
"""Argument: a node; its row is locked to the end of the transaction."""
MAKE_NODE = (
    f"INSERT IGNORE INTO {_NODES} (name, state, mark, added_s, changed_s, seen_s, started_s, down_s) "
    f"VALUES (%s, '{NodeState.ACTIVE}', '', {_NOW_S}, {_NOW_S}, 0, 0, 0)"
)
"""Argument: a node; one that has a row keeps it."""
SET_STATE = f"UPDATE {_NODES} SET state = %s, changed_s = {_NOW_S} WHERE name = %s"
SET_MARK = f"UPDATE {_NODES} SET mark = %s WHERE name = %s"
SEEN = f"UPDATE {_NODES} SET seen_s = {_NOW_S}, started_s = %s, down_s = 0 WHERE name = %s"
"""Arguments: when its server was started, as it says itself; a node."""
DOWN = f"UPDATE {_NODES} SET down_s = {_NOW_S} WHERE name = %s"
BEGIN_OUTAGE = f"INSERT IGNORE INTO {_OUTAGES} (node, began_s) VALUES (%s, {_NOW_S})"
MISSED_OUTAGE = f"INSERT IGNORE INTO {_OUTAGES} (node, began_s, ended_s) VALUES (%s, %s, %s)"
"""One that nobody saw: its server was started since it was seen last."""
END_OUTAGE = f"UPDATE {_OUTAGES} SET ended_s = {_NOW_S} WHERE node = %s AND ended_s IS NULL"
OUTAGES = f"SELECT o.node, o.began_s, o.ended_s FROM {_OUTAGES} o WHERE o.node = %s ORDER BY o.began_s"
FORGET_OUTAGES = f"DELETE FROM {_OUTAGES} WHERE ended_s IS NOT NULL AND ended_s < {_NOW_S} - %s"
POLICY = f"SELECT p.value FROM {_POLICIES} p WHERE p.name = %s"
BEGIN_LOOKS = f"INSERT IGNORE INTO {_POLICIES} (name, value) VALUES ('looked_s', 0)"
TAKE_LOOK = f"UPDATE {_POLICIES} SET value = {_NOW_S} WHERE name = 'looked_s' AND value < {_NOW_S} - %s"
"""Argument: seconds; changes a row for one of several that want to look at all nodes."""
SET_POLICY = f"REPLACE INTO {_POLICIES} (name, value) VALUES (%s, %s)"
CHUNKS_ON = f"SELECT COUNT(DISTINCT r.chunk) FROM {_REPLICAS} r WHERE r.node = %s AND r.chunk <> {WHOLE}"
"""Chunks of which the registry has a replica on a node, whatever transaction brought it."""
REPLICAS_ON = f"SELECT COUNT(*) FROM {_REPLICAS} r WHERE r.node = %s"
"""All replicas of a node, of regular tables too."""
LAST_COPIES = (
    f"SELECT r.`database`, r.`table` FROM {_REPLICAS} r WHERE r.node = %s AND r.chunk = {WHOLE} AND NOT EXISTS ("
    f"SELECT 1 FROM {_REPLICAS} o WHERE o.`database` = r.`database` AND o.`table` = r.`table` AND o.chunk = {WHOLE} "
    f"AND o.is_overlap = r.is_overlap AND o.transaction_id = r.transaction_id AND o.node <> r.node "
    f"AND o.state = '{ReplicaState.GOOD}')"
)
"""Regular tables of which no other node has a good copy. Argument: a node, as of the next ones."""
TABLES_ON = f"SELECT DISTINCT r.`database`, r.`table` FROM {_REPLICAS} r WHERE r.node = %s"
FORGET_REPLICAS = f"DELETE FROM {_REPLICAS} WHERE node = %s"
FORGET_RETIRED = f"DELETE FROM {named('retired')} WHERE server = %s"
_PLACES = named("placements")
GAPS = f"SELECT p.family, p.chunk, p.`rank` FROM {_PLACES} p WHERE p.node = %s"
"""Places of a node that holds nothing: of chunks without rows."""
FORGET_PLACE = f"DELETE FROM {_PLACES} WHERE family = %s AND chunk = %s AND `rank` = %s"
CLOSE_GAP = f"UPDATE {_PLACES} SET `rank` = `rank` - 1 WHERE family = %s AND chunk = %s AND `rank` > %s ORDER BY `rank`"
"""Nodes of a higher rank move up; arguments as of the one before."""
FAMILIES = f"SELECT DISTINCT p.family FROM {_PLACES} p"
JOBS_ON = (
    f"SELECT j.id, j.kind, j.subject FROM {named('jobs')} j "
    f"WHERE j.state IN ('{JobState.RUNNING}', '{JobState.PAUSED}', '{JobState.CANCELLING}') AND (j.subject = %s "
    f"OR EXISTS (SELECT 1 FROM {named('job_steps')} s WHERE s.job = j.id AND s.state = '{StepState.WAITING}' "
    "AND (FIND_IN_SET(%s, s.nodes_before) OR FIND_IN_SET(%s, s.nodes_after)))) ORDER BY j.id"
)
"""Jobs that have not ended and have something to do with a node. Arguments: three times the node."""
UNFINISHED = (
    f"SELECT x.id, d.shown, x.servers FROM {named('transactions')} x "
    f"JOIN {named('databases')} d ON d.name = x.`database` "
    f"WHERE x.state NOT IN ('{TransactionState.FINISHED}', '{TransactionState.ABORTED}') ORDER BY x.id"
)
"""Transactions that may still write on nodes, with the nodes that they began on as JSON."""
