"""What happens to a bound statement before it is planned: passes from tree to tree, in the order of ``PASSES``.

Rules: a pass changes the tree in place and returns the statement; after all of them the text means the same on any
server that has the tables.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from skyshard.czar.bind.bound_statement import Bound
from skyshard.czar.bind.derived_tables import keep_apart
from skyshard.czar.bind.expand_functions import expand_functions
from skyshard.czar.bind.set_operations import part_chains
from skyshard.czar.bind.spell_joins import spell_joins
from skyshard.czar.bind.time_formats import refuse_time_formats
from skyshard.czar.sql.function_places import DATABASE_NAMES
from skyshard.czar.sql.region_sql import fill


def name_database(bound: Bound) -> Bound:
    """Sessions have no database of their own: DATABASE() is the name of the one that was asked."""
    if not bound.functions & DATABASE_NAMES:
        return bound
    for node in list(bound.tree.find_all(exp.Anonymous)):
        if node.name.upper() in DATABASE_NAMES and not node.expressions:
            value = exp.Literal.string(bound.database) if bound.database else exp.Null()
            node.replace(fill("CAST(_name AS CHAR(64) CHARACTER SET utf8mb3)", name=value))
    return bound


def name_tables(bound: Bound) -> Bound:
    """Name the database of every table and give it an alias, so that the text means the same on any server."""
    for reference in bound.tables:
        table = reference.node
        table.set("db", exp.to_identifier(reference.database, quoted=True))
        if reference.spelt or not table.args.get("alias"):
            table.set("alias", exp.TableAlias(this=exp.to_identifier(reference.alias, quoted=True)))
    for node in bound.tree.walk():
        if isinstance(node, exp.Identifier):
            if not isinstance(node.parent, exp.Table):  # refusals ask for the places of tables only
                node._meta = None  # copies are cheaper without
        elif isinstance(node, exp.Column) and node.args.get("db"):
            node.set("db", None)
    return bound


PASSES: tuple[Callable[[Bound], Bound], ...] = (
    refuse_time_formats, name_database, spell_joins, expand_functions, name_tables, keep_apart, part_chains,
)  # fmt: skip


def rewrite(bound: Bound) -> Bound:
    """Run all passes over a bound statement.

    >>> from skyshard.czar.sql.dialect import render
    >>> from skyshard.czar.sql.statement import SelectStatement, parse_statement
    >>> from skyshard.czar.bind.bind_names import bind
    >>> statement = parse_statement("SELECT DATABASE(), scisql_nanojanskyToAbMag(2)")
    >>> assert isinstance(statement, SelectStatement)
    >>> print(render(rewrite(bind(statement, {"sky": None}.__getitem__, "sky")).tree))
    SELECT CAST('sky' AS CHAR(64) CHARACTER SET utf8mb3), (-2.5e0 * LOG10(2) + 31.4e0)
    """
    for one in PASSES:
        bound = one(bound)
    return bound
