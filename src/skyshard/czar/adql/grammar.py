"""From the text of an ADQL query to its tree: the grammar of ADQL 2.0 and the declared parts of 2.1.

Rules: a list says what a tree may hold; whatever it does not name is refused with its place in the text, also where
MariaDB would understand it. Source: IVOA ADQL 2.1 (REC 2023-12-15). Text to tree only; no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.tokenizer_core import Token, TokenType

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.sql.dialect import CzarDialect, render
from skyshard.czar.sql.lexer import Lexer
from skyshard.czar.sql.mariadb_parser import CzarParser
from skyshard.czar.sql.statement import place, syntax_error
from skyshard.czar.sql.tree_nodes import NumberList

NOT_ADQL = "not-adql"
"""Code of the refusals of what is no ADQL, or an optional part of it that is not declared."""


class _AdqlLexer(Lexer):
    QUOTES: ClassVar[list[Any]] = ["'"]
    IDENTIFIERS: ClassVar[list[Any]] = ['"']
    STRING_ESCAPES: ClassVar[list[str]] = ["'"]
    COMMENTS: ClassVar[list[Any]] = ["--"]
    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        **MySQL.Tokenizer.KEYWORDS, "TOP": TokenType.TOP, "ILIKE": TokenType.ILIKE, "EXCEPT": TokenType.EXCEPT,
        "INTERSECT": TokenType.INTERSECT,
    }  # fmt: skip


class _AdqlParser(CzarParser):
    DISJUNCTION: ClassVar[dict[TokenType, type[exp.Expr]]] = {TokenType.OR: exp.Or}
    PRIMARY_PARSERS: ClassVar[dict[TokenType, Callable[..., Any]]] = {
        **CzarParser.PRIMARY_PARSERS, TokenType.STRING: MySQLParser.PRIMARY_PARSERS[TokenType.STRING],
    }  # fmt: skip
    """A text is spelled otherwise in MariaDB, where a backslash begins an escape."""

    def _parse_bitwise(self) -> Any:
        """``a || b`` joins texts."""
        this = super()._parse_bitwise()
        while this is not None and self._match(TokenType.DPIPE):
            this = self.expression(exp.DPipe(this=this, expression=super()._parse_bitwise()))
        return this


class _AdqlDialect(CzarDialect):
    DPIPE_IS_STRING_CONCAT = True
    Tokenizer = _AdqlLexer
    Parser = _AdqlParser


ADQL = _AdqlDialect()

_CLAUSES = (
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
    exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE, exp.Table, exp.TableAlias, exp.Distinct,
)  # fmt: skip
_VALUES = (
    exp.Column, exp.Identifier, exp.Star, exp.Alias, exp.Literal, exp.Null, exp.Paren, exp.Neg, exp.Add, exp.Sub,
    exp.Mul, exp.Div, exp.DPipe, exp.Case, exp.If, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Anonymous,
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg,
)  # fmt: skip
_CONDITIONS = (
    exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.Like,
    exp.ILike, exp.Exists, exp.Tuple, NumberList,
)  # fmt: skip
_KNOWN = frozenset((*_CLAUSES, *_VALUES, *_CONDITIONS))
_REMEDIES: dict[type[exp.Expr], str] = {
    exp.Mod: "write MOD(a, b)",
    exp.Boolean: "compare with 1 or 0",
    exp.Window: "window functions are no part of ADQL",
    exp.Interval: "compare with a time as a text",
    exp.HexString: "write the number in decimal digits",
}
_SIDES = ("", "LEFT", "RIGHT")
_WORDS = {"LIMIT": "write SELECT TOP n", "FETCH": "write SELECT TOP n", "INTO": "ask for a result format instead"}


def parse_adql(text: str) -> exp.Query:
    """Read one query.

    Raises:
        UserError: it does not parse.
        Refusal: it is no query, several ones, or holds what is no ADQL.
    """
    try:
        tokens = ADQL.tokenize(text)
    except TokenError as error:
        raise UserError(f"syntax error: {' '.join(str(error).split())}", remedy="close every quote") from None
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    _check_tokens(tokens)
    try:
        trees = ADQL.parser().parse(tokens, text)
    except ParseError as error:
        raise UserError(syntax_error(error), remedy="see docs/reference/adql.md") from None
    tree: Any = trees[0]
    while isinstance(tree, exp.Subquery) and tree.is_wrapper:
        tree = tree.this
    if not isinstance(tree, (exp.Select, exp.SetOperation)):
        raise Refusal(NOT_ADQL, "this is no query", remedy="ask with SELECT")
    for node in tree.walk():
        _check(node)
    return tree


def _check_tokens(tokens: list[Token]) -> None:
    if not tokens:
        raise UserError("the query is empty", remedy="give one SELECT")
    first = tokens[0]
    if first.token_type not in (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN):
        raise Refusal(NOT_ADQL, f"a query does not begin with '{first.text[:40]}'", remedy="ask with SELECT")
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            raise Refusal("several-statements", f"more than one query{place(token)}", remedy="send them one by one")
        word = token.text.upper()
        if token.token_type is TokenType.INTO or (word == "FETCH" and token.token_type is not TokenType.IDENTIFIER):
            raise _refused(word, place(token), _WORDS[word])


def _check(node: exp.Expr) -> None:
    kind = type(node)
    if kind not in _KNOWN:
        raise _refused(render(node)[:40], place(node), _REMEDIES.get(kind, "see docs/reference/adql.md"))
    if isinstance(node, exp.Limit) and not node.meta.get("top"):
        raise _refused("LIMIT", place(node), _WORDS["LIMIT"])
    if isinstance(node, exp.Join):
        side, method = str(node.args.get("side") or ""), str(node.args.get("method") or "")
        if side not in _SIDES or method not in ("", "NATURAL"):
            raise _refused(f"{side or method} JOIN", place(node), "use INNER, LEFT or RIGHT joins")
    if isinstance(node, exp.Table) and (node.args.get("catalog") or not isinstance(node.this, exp.Identifier)):
        raise _refused(render(node)[:40], place(node), "name a table as schema.table")
    if isinstance(node, exp.With) and node.args.get("recursive"):
        raise _refused("WITH RECURSIVE", place(node), "write the steps out")
    if isinstance(node, exp.Distinct) and node.args.get("on"):
        raise _refused("DISTINCT ON", place(node), "use GROUP BY")


def _refused(what: str, where: str, remedy: str) -> Refusal:
    return Refusal(NOT_ADQL, f"'{what}' is no part of ADQL as it is declared here{where}", remedy=remedy)
