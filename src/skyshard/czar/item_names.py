"""How MariaDB calls the columns of a result: by alias, column, or the text of the item as it was written. No I/O."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from skyshard.czar.dialect import SPELLING, render

CLAUSES = {
    TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY, TokenType.LIMIT,
    TokenType.UNION, TokenType.EXCEPT, TokenType.INTERSECT, TokenType.OFFSET, TokenType.WINDOW, TokenType.FETCH,
}  # fmt: skip
MODIFIERS = {
    "DISTINCT", "DISTINCTROW", "ALL", "STRAIGHT_JOIN", "HIGH_PRIORITY", "SQL_NO_CACHE", "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS", "SQL_SMALL_RESULT", "SQL_BIG_RESULT", "SQL_BUFFER_RESULT",
}  # fmt: skip
LONGEST_NAME = 255


def select_names(tree: exp.Query, tokens: list[Token], text: str) -> tuple[str | None, ...]:
    """The name of each item of the outer select list, None where it is a star."""
    select = first_select(tree)
    items = select.expressions
    spans = _item_spans(tokens)
    if len(spans) != len(items):
        spans = [(0, 0)] * len(items)
    return tuple(item_name(item, text[start:end]) for item, (start, end) in zip(items, spans, strict=True))


def first_select(query: exp.Expr) -> exp.Select:
    """The SELECT that names the columns of a query: the first of a UNION, the inner one of parentheses."""
    while not isinstance(query, exp.Select):
        query = query.this
    return query


def is_star(item: exp.Expr) -> bool:
    """True for ``*`` and ``t.*``."""
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def item_name(item: exp.Expr, text: str = "") -> str | None:
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
    return (text.strip() or str(inner.meta.get(SPELLING) or render(inner)))[:LONGEST_NAME]


def _item_spans(tokens: list[Token]) -> list[tuple[int, int]]:
    """Start and end in the text of each item of the first select list.

    MariaDB counts a comment before an item as part of it if a comma stands before that.
    """
    begin, depth = _first_select_token(tokens)
    begin = _last_modifier(tokens, begin)
    spans: list[tuple[int, int]] = []
    start, level = tokens[min(begin + 1, len(tokens) - 1)].start, depth
    last = tokens[begin]
    for token in tokens[begin + 1 :]:
        if token.token_type is TokenType.L_PAREN:
            level += 1
        elif token.token_type is TokenType.R_PAREN:
            level -= 1
        is_item_end = level < depth or (level == depth and (token.token_type in CLAUSES))
        if is_item_end:
            break
        if level == depth and token.token_type is TokenType.COMMA:
            spans.append((start, last.end + 1))
            start = token.end + 1
        last = token
    return [*spans, (start, last.end + 1)]


def _last_modifier(tokens: list[Token], select: int) -> int:
    """Index of the last of DISTINCT and its like after SELECT; of SELECT itself if there is none."""
    for index, token in enumerate(tokens[select + 1 :], select + 1):
        if token.text.upper() not in MODIFIERS or token.token_type is TokenType.IDENTIFIER:
            return index - 1
    return len(tokens) - 1


def _first_select_token(tokens: list[Token]) -> tuple[int, int]:
    """Index and parenthesis depth of the SELECT that names the result: not one inside a WITH clause."""
    depth = 0
    is_with = tokens[0].token_type is TokenType.WITH
    for index, token in enumerate(tokens):
        if token.token_type is TokenType.SELECT and (depth == 0 or not is_with):
            return index, depth
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
    return 0, 0
