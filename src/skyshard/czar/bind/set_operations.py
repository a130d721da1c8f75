"""Set operations that MariaDB answers wrongly, or does not end, where they stand within others. Trees only, no I/O."""

from __future__ import annotations

import re

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.bind.bound_statement import REF, Bound
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import place
from skyshard.czar.sql.tree_nodes import MadeFirst

_STRING = re.compile(r"'(?:[^'\\]|''|\\.)*+'", re.DOTALL)
_WORDS = tuple(re.compile(rf"\b{word}\b", re.IGNORECASE) for word in ("INTERSECT", "EXCEPT", "ALL"))


def refuse_chains(sql: str) -> None:
    """Make sure that a text which goes to a server as it is holds no chain that it may never end.

    Raises:
        Refusal: it has INTERSECT and EXCEPT, and ALL.

    >>> refuse_chains("SELECT 'INTERSECT' UNION ALL SELECT 1 EXCEPT SELECT 2")
    """
    words = _STRING.sub("''", sql)
    if all(word.search(words) for word in _WORDS):
        raise Refusal("set-operation", "INTERSECT and EXCEPT with ALL, over these tables", remedy="leave ALL out")


def part_chains(bound: Bound) -> Bound:
    """Have the server make set operations within others by themselves, where one of both is INTERSECT or EXCEPT ALL.

    The rows are the same by the standard. But MariaDB 10.11 counts the rows of a chain in one table: of one in A and C
    that B lacks, ``A INTERSECT ALL B EXCEPT ALL C`` counts -1. It writes 2^64 of it out, neither ends nor can be
    killed, and fills the folder of temporary files, or else the server's log. In parentheses it takes INTERSECT ALL for
    INTERSECT here and there. A derived table is spared both.

    Raises:
        Refusal: one of them has a column of a table around it, which no derived table sees.

    >>> from skyshard.czar.bind.bind_names import bind
    >>> from skyshard.czar.sql.dialect import render
    >>> from skyshard.czar.sql.statement import parse_statement
    >>> text = "SELECT 1 INTERSECT ALL SELECT 2 UNION SELECT 4 UNION (SELECT 5 UNION SELECT 6)"
    >>> print(render(part_chains(bind(parse_statement(text), {"sky": None}.__getitem__, "sky")).tree))
    SELECT * FROM (SELECT 1 INTERSECT ALL SELECT 2) AS made_first UNION SELECT 4 UNION (SELECT 5 UNION SELECT 6)
    """
    if not bound.words & {"INTERSECT", "EXCEPT"}:
        return bound
    for node in list(bound.tree.find_all(exp.SetOperation)):
        for side in ("this", "expression"):
            operand = node.args[side]
            while isinstance(operand, exp.Subquery) and operand.is_wrapper:
                operand = operand.this
            query = operand.unnest() if isinstance(operand, exp.Subquery) else operand
            if side == "this" and _is_gone_on_with(operand, node):
                node.set(side, operand)
            elif isinstance(query, exp.SetOperation) and (_counts(node) or _counts(query)):
                _require_alone(bound, query)
                node.set(side, MadeFirst(this=operand))
    return bound


def _require_alone(bound: Bound, query: exp.SetOperation) -> None:
    inside = {id(node) for node in query.walk()}
    for column in query.find_all(exp.Column):
        table = bound.references[column.meta[REF]].node if REF in column.meta else query
        if id(table) not in inside:
            raise Refusal(
                "set-operation",
                f"a set operation within another has {render(column)}, of a table around it{place(table)}",
                remedy="use no ALL with INTERSECT and EXCEPT there, or one set operation alone",
            )


def _is_gone_on_with(first: exp.Expr, node: exp.SetOperation) -> bool:
    """Whether both are one chain of INTERSECT ALL, or of EXCEPT ALL, which is counted rightly."""
    is_plain = not any(first.args.get(key) for key in ("with_", *exp.QUERY_MODIFIERS))
    return (
        isinstance(first, exp.SetOperation)
        and type(first) is type(node)
        and _counts(first)
        and _counts(node)
        and is_plain
    )


def _counts(node: exp.SetOperation) -> bool:
    return isinstance(node, (exp.Intersect, exp.Except)) and not node.args.get("distinct")
