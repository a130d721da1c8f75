"""ADQL → the czar's SQL: parse ▸ divisions ▸ functions ▸ tables ▸ units ▸ casts, texts and names ▸ limit ▸ render.

Rules: what a query asks is never changed but by its limit; what has no translation is refused with a reason. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.adql.divisions import divide_exactly
from skyshard.czar.adql.functions import check_own_functions, translate_functions
from skyshard.czar.adql.grammar import NOT_ADQL, parse_adql
from skyshard.czar.adql.known_tables import KnownTables
from skyshard.czar.adql.output_columns import OutputColumn, output_columns
from skyshard.czar.adql.stars import expand_stars
from skyshard.czar.adql.table_names import resolve_tables
from skyshard.czar.adql.units import translate_units
from skyshard.czar.sql.deep_nesting import with_room
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import place

MOST_ROWS = 2**63 - 1
_CASTS = {
    exp.DType.SMALLINT: "SIGNED", exp.DType.INT: "SIGNED", exp.DType.BIGINT: "SIGNED", exp.DType.FLOAT: "FLOAT",
    exp.DType.DOUBLE: "DOUBLE", exp.DType.CHAR: "CHAR", exp.DType.VARCHAR: "CHAR", exp.DType.TIMESTAMPTZ: "DATETIME(6)",
}  # fmt: skip
"""SQL's types and what MariaDB casts to for each."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A query as the czar's SQL.

    ``columns``: as :func:`output_columns`. ``is_own``: it asks tables of the service itself, such as TAP_SCHEMA's, and
    no catalog. ``most_rows``: how many rows it gives at most, None where only the data say.
    """

    sql: str
    columns: tuple[OutputColumn, ...]
    is_own: bool
    most_rows: int | None


def translate(text: str, known: KnownTables, limit: int | None = None) -> Translated:
    """Translate a query; with ``limit`` it gives no more rows than that.

    Raises:
        UserError, Refusal: it does not parse, names unknown tables, or holds what is not answered.

    >>> from skyshard.catalog.known_table import KnownTable
    >>> known = KnownTables.of([KnownTable("dp1", "Object", ("ra", "dec"))])
    >>> translate('SELECT TOP 5 RA FROM object WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(10, 20, 1))', known).sql
    'SELECT `RA` FROM `dp1`.`Object` WHERE 1 = scisql_s2PtInCircle(`ra`, `dec`, 10, 20, 1) LIMIT 5'
    """
    return with_room(lambda: _translate(text, known, limit))


def _translate(text: str, known: KnownTables, limit: int | None) -> Translated:
    tree = parse_adql(text)
    check_own_functions(tree)
    divide_exactly(tree)
    translate_functions(tree)
    scopes = resolve_tables(tree, known)
    asked = {source.table for sources in scopes.values() for source in sources if source.table is not None}
    is_own = any(table.is_own for table in asked)
    if is_own and not all(table.is_own for table in asked):
        raise Refusal(
            NOT_ADQL, "TAP_SCHEMA is not joined with catalogs", remedy="ask TAP_SCHEMA and the catalog one by one"
        )
    columns = output_columns(tree, scopes)
    expand_stars(tree, scopes)
    translate_units(tree, scopes)
    for node in list(tree.walk()):
        _rewrite(node)
    _enclose_limited(tree)
    most_rows = _limit(tree, limit)
    return Translated(render(tree), columns, is_own, most_rows)


def _rewrite(node: exp.Expr) -> None:
    if isinstance(node, exp.Cast):
        node.replace(_cast(node))
    elif isinstance(node, exp.DPipe):
        node.replace(exp.Anonymous(this="CONCAT", expressions=[node.left, node.right]))
    elif isinstance(node, (exp.Like, exp.ILike)):
        _double_backslashes(node)
    elif isinstance(node, exp.Identifier):
        node.set("quoted", True)


def _cast(node: exp.Cast) -> exp.Expr:
    kind = node.to.this
    if kind not in _CASTS:
        raise Refusal(
            NOT_ADQL, f"nothing is cast to {render(node.to)}{place(node)}",
            remedy="cast to SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, CHAR, VARCHAR or TIMESTAMP",
        )  # fmt: skip
    length = render(node.to.expressions[0]) if node.to.expressions else ""
    wanted = f"{_CASTS[kind]}({length})" if length and _CASTS[kind] == "CHAR" else _CASTS[kind]
    return exp.Anonymous(this="CAST", expressions=[exp.Alias(this=node.this, alias=exp.Var(this=wanted))])


def _double_backslashes(node: exp.Like | exp.ILike) -> None:
    """A backslash is a letter in ADQL's patterns, in MariaDB's it begins an escape."""
    pattern = node.args["expression"]
    if isinstance(pattern, exp.Literal) and pattern.is_string:
        pattern.replace(exp.Literal.string(pattern.name.replace("\\", "\\\\")))


def _enclose_limited(tree: exp.Query) -> None:
    """Parts of a UNION that are sorted or cut stand in parentheses."""
    for union in list(tree.find_all(exp.SetOperation)):
        for part in (union.this, union.expression):
            if isinstance(part, exp.Select) and any(part.args.get(key) for key in ("limit", "order", "offset")):
                part.replace(exp.Subquery(this=part.copy()))


def _limit(tree: exp.Query, limit: int | None) -> int | None:
    """Set the limit of the whole query where it asks for more, and return how many rows it gives at most."""
    own = tree.args.get("limit")
    top = int(own.expression.name) if own is not None else None
    if limit is not None and (top is None or top > limit) and not _is_one_row(tree):
        tree.set("limit", exp.Limit(expression=exp.Literal.number(limit)))
    elif top is None and tree.args.get("offset") is not None:
        tree.set("limit", exp.Limit(expression=exp.Literal.number(MOST_ROWS)))
    return 1 if top is None and _is_one_row(tree) else top


def _is_one_row(tree: exp.Query) -> bool:
    """A total of all rows: it gives one row whatever there is."""
    if not isinstance(tree, exp.Select) or tree.args.get("group") is not None:
        return False
    return any(item.find(exp.AggFunc) is not None and item.find(exp.Select) is None for item in tree.expressions)
