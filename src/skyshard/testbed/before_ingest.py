"""What can be told before an ingest, with a running cluster or without one; nothing is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import skyshard.ingest
from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.cluster.cluster import Cluster
from skyshard.runtime import open_runtime
from skyshard.wiring import Wiring


def check_on_server(plan: skyshard.ingest.IngestPlan, cluster: Path) -> None:
    """Check the tables of a plan on the cluster's server; without a running cluster, nothing is checked.

    Raises:
        UserError: the server refuses a table.
    """
    found = Cluster.at(cluster)
    if found.exists:
        with contextlib.suppress(ClusterError):
            skyshard.ingest.require_makeable(found.endpoint(found.node_names[0]), plan.tables, plan.layout.table_engine)


def compare_with_ingested(
    plan: skyshard.ingest.IngestPlan, cluster: Path, replace: Sequence[str] = (), *, names_tables: bool = False
) -> skyshard.ingest.IngestedBefore:
    """What a plan's database has of its files already; without a running cluster, nothing is known.

    Args:
        replace: what is to take the place of rows, as for ``Testbed.ingest``.
        names_tables: the tables of the plan were chosen.

    Raises:
        UserError: something cannot be replaced.
        ClusterError: something is to be replaced, and the cluster is not running.
    """
    if not replace and not Cluster.at(cluster).exists:
        return skyshard.ingest.IngestedBefore(plan)
    try:
        with contextlib.closing(Wiring(Cluster.at(cluster))) as wiring:
            return skyshard.ingest.ingested_before(wiring.registry, plan, replace, names_tables=names_tables)
    except (ClusterError, UserError):
        if replace:
            raise
        return skyshard.ingest.IngestedBefore(plan)


def survey_source(
    plan: skyshard.ingest.IngestPlan, cluster: Path, nodes: int = 0, watcher: Watcher = unwatched
) -> skyshard.ingest.Estimate:
    """Estimate an ingest on ``nodes`` nodes; 0 means those of the cluster, or one node without a cluster.

    What the database of a running cluster has already is left out, and its keys count as taken.
    """
    found = Cluster.at(cluster)
    names = found.node_names if found.exists and not nodes else tuple(f"node{i + 1}" for i in range(max(nodes, 1)))
    with contextlib.ExitStack() as opened:
        news, earlier = None, None
        with contextlib.suppress(ClusterError):
            if found.exists:
                wiring = opened.enter_context(contextlib.closing(Wiring(found)))
                news, earlier = skyshard.ingest.what_is_new(wiring.registry, wiring.folders.keys, plan)
        runtime = opened.enter_context(open_runtime("inline", names))
        if news is None:
            return skyshard.ingest.survey(plan, names, runtime, watcher)
        surveyed = skyshard.ingest.survey(news.plan, names, runtime, watcher, earlier)
        surveyed.replayed.update(news.replayed)
        return surveyed
