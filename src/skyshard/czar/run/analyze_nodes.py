"""Has each node analyse its slowest statement of a query: MariaDB's ANALYZE FORMAT=JSON.

Rules: only what the query itself sent, which is a SELECT; the same sessions, so the same account, rights and limits of
time; node after node, so that they do not disturb one another. The statement is answered once more, its rows dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from skyshard.basics.errors import Bug
from skyshard.czar.result.query_progress import Running, SlowStatement
from skyshard.czar.result.server_plan import ServerPlan, read_plan
from skyshard.czar.scan.query_worker import QueryWorker


def analyze_nodes(running: Running, workers: Mapping[str, QueryWorker]) -> tuple[ServerPlan, ...]:
    """The plan of the slowest statement of each node, as it was carried out.

    Raises:
        ClusterError: a node failed, or the query was cancelled.
    """
    plans = []
    for node, slow in sorted((running.slow_statements or {}).items()):
        running.check()
        with workers[node].sessions_for(is_scan=slow.is_scan).lease(running.query) as connection:
            raw = json.loads(connection.value(analysis_statement(running.clock, slow)))
        plans.append(read_plan(node, slow.chunks, slow.elapsed_s, slow.statement, raw))
    return tuple(plans)


def analysis_statement(clock: str, slow: SlowStatement) -> str:
    """The statement that analyses another, at the same time of day.

    >>> analysis_statement("", SlowStatement((1,), 0.1, "SELECT 1", False))
    'ANALYZE FORMAT=JSON SELECT 1'
    """
    if not slow.statement.lstrip("( ").upper().startswith(("SELECT", "WITH")):
        raise Bug(f"no SELECT: {slow.statement[:40]!r}")
    return f"{clock}ANALYZE FORMAT=JSON {slow.statement}"
