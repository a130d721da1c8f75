"""Checks directors of other databases that tables of a plan follow."""

from __future__ import annotations

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Role
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.registry.registry import Registry


def require_foreign_directors(registry: Registry, plan: IngestPlan) -> None:
    """Check the directors in other databases that a plan's tables follow.

    Raises:
        UserError: one is not published, no director, of another family, or its database has an unfinished transaction.
    """
    names = registry.published.names()
    for stored, table in sorted(plan.foreign_directors):
        database = names.shown(stored)
        if database not in names.published:
            raise UserError(
                f"director '{database}.{table}': no database '{database}' is published", remedy="ingest it first"
            )
        catalog = registry.published.stored_catalog(stored, names)
        found = catalog.tables.get(table)
        if found is None or found.layout.role is not Role.DIRECTOR:
            there = [name for name, one in catalog.tables.items() if one.layout.role is Role.DIRECTOR]
            raise UserError(
                f"'{database}.{table}' is no director", remedy=f"directors there: {', '.join(there) or 'none'}"
            )
        mine, theirs = plan.layout.striping.family, catalog.layout.striping.family
        if mine != theirs:
            raise UserError(
                f"director '{database}.{table}' is of family {theirs}, '{plan.called}' of {mine}",
                remedy="give both the same stripes, sub-stripes and overlap",
            )
        if registry.transactions.find_open(stored) is not None:
            raise UserError(f"'{database}' has an unfinished transaction", remedy="run its ingest again first")
