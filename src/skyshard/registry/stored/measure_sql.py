"""Sums of the registry for monitoring, as plain SQL text; rules as of ``plain_sql``.

What ends later than another thing may have the smaller number: sums are read up to a number below which all has ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.registry.stored.lifecycle import QueryState, TransactionState
from skyshard.registry.stored.plain_sql import named
from skyshard.registry.stored.records import COMPACTION

_QUERIES, _TRANSACTIONS, _CONTRIBUTIONS = named("queries"), named("transactions"), named("contributions")
_OPEN = f"('{QueryState.QUEUED}', '{QueryState.EXECUTING}')"
_ENDED = f"('{TransactionState.FINISHED}', '{TransactionState.ABORTED}')"
WRITTEN_AFTER_S = 60
"""A query has been written into the history by then, if it was answered at once."""

SETTLED_QUERY = (
    f"SELECT COALESCE(MIN(IF(q.state IN {_OPEN} OR q.submitted_s > @@timestamp - {WRITTEN_AFTER_S}, q.id, NULL)) - 1, "
    f"MAX(q.id), %s) FROM {_QUERIES} q WHERE q.id > %s"
)
"""Up to which number all queries have ended; arguments: twice a number that is known for that."""
SETTLED_TRANSACTION = (
    f"SELECT COALESCE(MIN(IF(x.state IN {_ENDED}, NULL, x.id)) - 1, MAX(x.id), %s) FROM {_TRANSACTIONS} x "
    "WHERE x.id > %s"
)
INGESTED_ROWS = (
    f"SELECT COALESCE(SUM(IF(c.transaction_id <= %s, c.`rows`, 0)), 0), COALESCE(SUM(c.`rows`), 0) "
    f"FROM {_CONTRIBUTIONS} c JOIN {_TRANSACTIONS} x ON x.id = c.transaction_id "
    f"WHERE x.id > %s AND x.state = '{TransactionState.FINISHED}' AND x.plan <> '{COMPACTION}' AND NOT c.is_overlap"
)
"""Own rows up to a settled transaction, and all; arguments: that, and a number after which rows are summed."""
REPLICA_STATES = f"SELECT r.state, COUNT(*) FROM {named('replicas')} r GROUP BY r.state"
TRANSACTION_STATES = f"SELECT x.state, COUNT(*) FROM {_TRANSACTIONS} x GROUP BY x.state"
OPEN_QUERIES = f"SELECT q.state, COUNT(*) FROM {_QUERIES} q WHERE q.state IN {_OPEN} GROUP BY q.state"


def ended_queries(bounds_s: Sequence[float]) -> str:
    """Sums of ended queries by whether they are settled, state and lane; arguments: the settled number, one after
    which queries are summed. Results that have expired are those of completed queries."""
    lasted = "q.ended_s - COALESCE(q.begun_s, q.submitted_s)"
    within = ", ".join(f"SUM({lasted} <= {bound!r})" for bound in bounds_s)
    return (
        f"SELECT q.id <= %s AS is_settled, IF(q.state = '{QueryState.EXPIRED}', '{QueryState.COMPLETED}', q.state) "
        f"AS ended, q.lane, COUNT(*), COALESCE(SUM({lasted}), 0), SUM(q.chunks_done), SUM(q.bytes), {within} "
        f"FROM {_QUERIES} q WHERE q.id > %s AND q.state NOT IN {_OPEN} GROUP BY is_settled, ended, q.lane"
    )
