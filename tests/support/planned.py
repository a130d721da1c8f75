"""Statements planned over a source, without a server."""

from __future__ import annotations

from sqlglot import exp

from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.bound_statement import Bound, terms_of
from skyshard.czar.bind.rewrite import rewrite
from skyshard.czar.plan.gather_plan import GATHER_LIMIT_BYTES
from skyshard.czar.plan.planner import plan_statement
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.sql.statement import SelectStatement, parse_statement
from skyshard.registry.catalog.published_catalog import CatalogSource


def bound_of(sql: str, source: CatalogSource, database: str = "sky", *, has_open_areas: bool = False) -> Bound:
    """A SELECT, bound and rewritten."""
    statement = parse_statement(sql)
    assert isinstance(statement, SelectStatement)
    return rewrite(bind(statement, source.catalog, database, has_open_areas=has_open_areas))


def plan_of(
    sql: str, source: CatalogSource, database: str = "sky", *, limit_bytes: int = GATHER_LIMIT_BYTES
) -> QueryPlan:
    """The plan of a SELECT."""
    return plan_statement(bound_of(sql, source, database), source, limit_bytes)


def where_of(bound: Bound) -> list[exp.Expr]:
    """The AND-ed terms of the WHERE of a statement's first block."""
    where = bound.blocks[0].select.args.get("where")
    return terms_of(where.this) if where is not None else []
