"""Chains of set operations that MariaDB does not end. Trees only, no I/O."""

from __future__ import annotations

from sqlglot import exp

from skyshard.czar.bind.bound_statement import Bound


def part_chains(bound: Bound) -> Bound:
    """Put parentheses around what stands before a set operation, where one of both is INTERSECT ALL or EXCEPT ALL.

    The order is the same without them. But MariaDB 10.11 writes the rows of the first operation out into the table
    that it counts them in, and reads on what it writes: where that table is on the disk (of TEXT, or of many rows) the
    statement neither ends nor can be killed, and fills the folder of temporary files, or else the server's log.

    >>> from skyshard.czar.bind.bind_names import bind
    >>> from skyshard.czar.sql.dialect import render
    >>> from skyshard.czar.sql.statement import parse_statement
    >>> text = "SELECT 1 INTERSECT ALL SELECT 2 EXCEPT ALL SELECT 3 UNION SELECT 4 UNION SELECT 5"
    >>> print(render(part_chains(bind(parse_statement(text), {"sky": None}.__getitem__, "sky")).tree))
    ((SELECT 1 INTERSECT ALL SELECT 2) EXCEPT ALL SELECT 3) UNION SELECT 4 UNION SELECT 5
    """
    for node in list(bound.tree.find_all(exp.SetOperation)):
        if isinstance(node.this, exp.SetOperation) and (_counts(node) or _counts(node.this)):
            node.set("this", exp.Subquery(this=node.this))
    return bound


def _counts(node: exp.SetOperation) -> bool:
    return isinstance(node, (exp.Intersect, exp.Except)) and not node.args.get("distinct")
