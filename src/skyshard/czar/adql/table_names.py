"""A pass: names of tables become those of the czar, and columns name the tables as they are spelled. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from skyshard.catalog.known_table import KnownTable
from skyshard.czar.adql.known_tables import KnownTables
from skyshard.czar.sql.statement import place


@dataclass(frozen=True, slots=True)
class TableSource:
    """One entry of a FROM clause; ``table`` is None for a subquery or a common table expression."""

    alias: str
    table: KnownTable | None
    is_aliased: bool


Scopes = dict[int, list[TableSource]]
"""By the identity of a SELECT: what its FROM clause brings, in order."""


def resolve_tables(tree: exp.Query, known: KnownTables) -> Scopes:
    """Look every table up, and rewrite the names of tables and those before columns.

    Raises:
        UserError: there is no such table, or there are several.
    """
    common = {cte.alias.lower(): cte.alias for cte in tree.find_all(exp.CTE)}
    scopes = {
        id(select): [_source(node, known, common) for node in _sources(select)] for select in tree.find_all(exp.Select)
    }
    for column in tree.find_all(exp.Column):
        if column.args.get("table") is not None:
            _qualify(column, scopes)
    return scopes


def _sources(select: exp.Select) -> Iterator[exp.Table | exp.Subquery]:
    from_ = select.args.get("from_")
    pending = [from_.this] if from_ is not None else []
    pending += [join.this for join in select.args.get("joins") or ()]
    while pending:
        node = pending.pop(0)
        pending = [join.this for join in node.args.get("joins") or ()] + pending
        is_group = isinstance(node, (exp.Paren, exp.Subquery)) and not node.alias
        if is_group and isinstance(node.this, (exp.Table, exp.Subquery)):
            pending.insert(0, node.this)
        elif isinstance(node, (exp.Table, exp.Subquery)):
            yield node


def _source(node: exp.Table | exp.Subquery, known: KnownTables, common: dict[str, str]) -> TableSource:
    if isinstance(node, exp.Subquery):
        return TableSource(node.alias, None, True)
    name, schema, alias = node.name, node.db, node.alias
    if not schema and name.lower() in common:
        node.set("this", exp.to_identifier(common[name.lower()], quoted=True))
        return TableSource(alias or common[name.lower()], None, True)
    table = known.find(schema, name, place(node))
    database, stored = table.physical or (table.schema, table.name)
    node.set("this", exp.to_identifier(stored, quoted=True))
    node.set("db", exp.to_identifier(database, quoted=True))
    if table.physical and not alias:
        alias = table.name
        node.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        return TableSource(alias, table, False)
    return TableSource(alias or table.name, table, bool(alias))


def _qualify(column: exp.Column, scopes: Scopes) -> None:
    """Let a column name its table as the FROM clause spells it; the schema only where it has to."""
    source = _named(column, scopes)
    if source is None:
        return
    column.set("table", exp.to_identifier(source.alias, quoted=True))
    is_plain = source.table is not None and source.table.physical is None and not source.is_aliased
    keeps = is_plain and column.args.get("db") is not None
    column.set("db", exp.to_identifier(source.table.schema, quoted=True) if keeps and source.table else None)


def _named(column: exp.Column, scopes: Scopes) -> TableSource | None:
    name, schema = column.table.lower(), column.db.lower()
    for select in outwards(column):
        for source in scopes[id(select)]:
            is_schema = not schema or (source.table is not None and source.table.schema.lower() == schema)
            if source.alias.lower() == name and is_schema:
                return source
    return None


def outwards(node: exp.Expr) -> Iterator[exp.Select]:
    """The SELECTs around a node, the nearest first."""
    select = node.find_ancestor(exp.Select)
    while select is not None:
        yield select
        select = select.find_ancestor(exp.Select)
