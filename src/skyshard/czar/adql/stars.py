"""A pass: a star stands for the columns that a table shows, where it has others for the servers. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.adql.grammar import NOT_ADQL
from skyshard.czar.adql.table_names import Scopes, TableSource
from skyshard.czar.sql.statement import place


def expand_stars(tree: exp.Query, scopes: Scopes) -> None:
    """Write out the columns of stars that would bring hidden ones; other stars stay.

    Raises:
        Refusal: one of a join by USING or NATURAL, whose columns are not those of its tables.
    """
    for select in tree.find_all(exp.Select):
        sources = scopes[id(select)]
        if any(source.table is not None and source.table.has_hidden for source in sources):
            select.set("expressions", [new for item in select.expressions for new in _expanded(item, select, sources)])


def _expanded(item: exp.Expr, select: exp.Select, sources: list[TableSource]) -> Iterator[exp.Expr]:
    is_bare = isinstance(item, exp.Star)
    named = item.table.lower() if isinstance(item, exp.Column) and isinstance(item.this, exp.Star) else ""
    if not is_bare and not named:
        yield item
        return
    wanted = [one for one in sources if is_bare or one.alias.lower() == named]
    if is_bare and any(join.args.get("using") or join.args.get("method") for join in select.args.get("joins") or ()):
        shown = next(one.table.shown for one in sources if one.table is not None and one.table.has_hidden)
        raise Refusal(NOT_ADQL, f"a star of a join with {shown} by USING or NATURAL{place(item)}",
                      remedy="name the columns")  # fmt: skip
    for source in wanted:
        table = exp.to_identifier(source.alias, quoted=True)
        if source.table is None:
            yield exp.Column(this=exp.Star(), table=table)
            continue
        for name in source.table.columns:
            yield exp.Column(this=exp.to_identifier(name, quoted=True), table=table.copy())
