"""How MariaDB calls the columns of a result: by alias, column, or the text of the item as it was written. No I/O."""

from __future__ import annotations

from sqlglot import exp

from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.tree_nodes import SPELLING, TEXT

LONGEST_NAME = 255
_NAMED = (exp.Column, exp.Introducer, exp.National, exp.Literal, exp.Concat, exp.Null, exp.Boolean)
"""What has a name of its own: a column's, or its value."""


def select_names(tree: exp.Query) -> tuple[str | None, ...]:
    """The name of each item of the outer select list, None where it is a star."""
    return tuple(map(item_name, first_select(tree).expressions))


def name_items(tree: exp.Query) -> None:
    """Items get the text that names them as alias, where a name may mean them and they are otherwise rewritten.

    Those of derived tables and WITH, and those that ORDER BY and its like call by their text.

    >>> from skyshard.czar.sql.dialect import DIALECT
    >>> tree = DIALECT.parse("SELECT c-1, c-2 FROM (SELECT a+1, b FROM t) q ORDER BY `c-1`")[0]
    >>> name_items(tree)
    >>> render(tree)
    'SELECT c - 1 AS `c-1`, c - 2 FROM (SELECT a + 1 AS `a+1`, b FROM t) AS q ORDER BY `c-1`'
    """
    quoted = {column.name.lower() for column in tree.find_all(exp.Column) if not column.table and column.this.quoted}
    sources = [source.this.unnest() for source in tree.find_all(exp.Subquery, exp.CTE) if _is_table(source)]
    named = {id(first_select(query)) for query in sources if isinstance(query, exp.Query)}
    for select in list(tree.find_all(exp.Select)) if quoted or named else ():
        for item in select.expressions:
            name = _written_name(item)
            if name and (id(select) in named or name.lower() in quoted) and name != render(item):
                item.replace(exp.alias_(item.copy(), name, quoted=True))


def _is_table(source: exp.Expr) -> bool:
    return isinstance(source.parent, (exp.From, exp.Join, exp.With))


def _written_name(item: exp.Expr) -> str:
    """The text that names an item; empty where something else does."""
    if isinstance(item, (exp.Alias, exp.Star)) or isinstance(item.unnest(), _NAMED):
        return ""
    return str(item.meta.get(TEXT, "")).strip()[:LONGEST_NAME]


def first_select(query: exp.Expr) -> exp.Select:
    """The SELECT that names the columns of a query: the first of a UNION, the inner one of parentheses."""
    while not isinstance(query, exp.Select):
        query = query.this
    return query


def is_star(item: exp.Expr) -> bool:
    """True for ``*`` and ``t.*``."""
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def item_name(item: exp.Expr) -> str | None:
    """What MariaDB calls a select item: alias, column as written, value of a string, else its text."""
    if isinstance(item, exp.Alias):
        return str(item.alias).lstrip()
    if is_star(item):
        return None
    inner = item.unnest()
    if isinstance(inner, exp.Column):
        return str(inner.name)
    if isinstance(inner, exp.Introducer):
        inner = inner.expression
    if isinstance(inner, exp.National) or (isinstance(inner, exp.Literal) and inner.is_string):
        return str(inner.name).lstrip()
    if isinstance(inner, exp.Literal):
        return str(inner.meta.get(SPELLING) or inner.name)
    if isinstance(inner, exp.Concat):
        return "".join(part.name for part in inner.expressions).lstrip()
    if isinstance(inner, exp.Null):
        return "NULL"
    if isinstance(inner, exp.Boolean):
        return "TRUE" if inner.this else "FALSE"
    text = str(item.meta.get(TEXT, "")).strip()
    return (text or str(inner.meta.get(SPELLING) or render(inner)))[:LONGEST_NAME]
