"""What commands show of schemas: differences of two, what a plan changes, and the columns that a database keeps.

Without a running cluster there are no databases: what needs none is shown all the same.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa

import skyshard.ingest
import skyshard.releases
from skyshard.basics.errors import ClusterError, UserError
from skyshard.testbed import Testbed


def schema_changes(old: str, new: str, cluster: Path) -> skyshard.releases.SchemaDifference:
    """What the second of two schemas has otherwise; without a running cluster, databases are not among them."""
    testbed = _running(cluster)
    if testbed is None:
        return skyshard.releases.compare_schemas(*(skyshard.releases.open_side(name, None) for name in (old, new)))
    with testbed:
        return testbed.schema_diff(old, new)


def as_kept(source: skyshard.ingest.Source, database: str, cluster: Path) -> skyshard.ingest.Source:
    """The source with the columns that a database of the cluster has, for tables whose columns are inferred.

    Raises:
        UserError: a column that the database's table does not have.
    """
    if not any(table.is_inferred for table in source.tables.values()):
        return source
    testbed = _running(cluster)
    if testbed is None:
        return source
    name = database or source.database
    with testbed:
        stored = testbed.registry.published.names().find(name)
        return skyshard.ingest.with_kept_columns(source, name, testbed.registry.databases.table_definitions(stored))


def changes_of_plan(plan: skyshard.ingest.IngestPlan, cluster: Path) -> skyshard.releases.SchemaDifference | None:
    """What a new database will have otherwise than the release before; None for an old one, for other sources than
    mappings, and without a cluster.
    """
    if plan.source.kind != "mapping":
        return None
    testbed = _running(cluster)
    if testbed is None:
        return None
    with testbed:
        databases = skyshard.releases.ClusterTables(testbed.registry, partial(_ask, testbed))
        before = skyshard.releases.previous_release(testbed.registry, plan.database, plan.layout)
        if not before or plan.database in databases.names():
            return None
        tables = {table.name: table.source for table in plan.tables}
        is_whole = not plan.source.unopened
        new = skyshard.releases.side_of_source(f"database {plan.database}", tables, is_whole=is_whole)
        return skyshard.releases.compare_schemas(skyshard.releases.open_side(f"db:{before}", databases), new)


def _ask(testbed: Testbed, database: str, sql: str) -> pa.Table:
    return testbed.query(sql, database=database).table


def _running(cluster: Path) -> Testbed | None:
    """The testbed of a cluster that runs."""
    try:
        return Testbed(cluster)
    except (UserError, ClusterError):
        return None
