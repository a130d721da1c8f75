"""The SQL dialect of the czar: MariaDB's, read and written so that nothing changes on the way through a tree.

Rules: what a pass does not touch comes out as the user wrote it. So function calls keep their names (sqlglot would turn
``LOG10(x)`` into ``LOG(10, x)`` and ``DATE_FORMAT`` into a format of its own), literals keep their spelling
(``0x41`` is a number where ``x'41'`` is text), and NOT is always in parentheses. Text to tree and back only: no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.generators.mysql import MySQLGenerator
from sqlglot.parsers.mysql import MySQLParser
from sqlglot.tokenizer_core import Token, TokenType

SPELLING = "spelling"
"""Key in a literal's ``meta``: the literal as the user wrote it."""

AGGREGATES: dict[str, type[exp.AggFunc]] = {
    "COUNT": exp.Count, "SUM": exp.Sum, "MIN": exp.Min, "MAX": exp.Max, "AVG": exp.Avg,
}  # fmt: skip
"""The aggregates that can be computed in two steps; every other function call is an ``exp.Anonymous``."""

_SPECIAL_FORMS = {"CAST", "CONVERT", "CHAR", "EXTRACT", "POSITION", "SUBSTRING", "TRIM", "GROUP_CONCAT", "MATCH"}
_JOIN_WORDS = ("kind", "side", "method", "on", "using")
_LITERALS = (TokenType.NUMBER, TokenType.STRING, TokenType.HEX_STRING, TokenType.BIT_STRING)


def _spelled(parse: Callable[[Any, Token], Any]) -> Callable[[Any, Token], Any]:
    """Let the parser of a literal keep the text that it came from."""

    def parse_and_keep(parser: Any, token: Token) -> Any:
        node = parse(parser, token)
        node.meta[SPELLING] = parser.sql[token.start : token.end + 1]
        return node

    return parse_and_keep


class Formula(exp.Expression, exp.Condition):
    """An expression that this program wrote: text, in which marks with numbers stand for the parts of ``expressions``.

    One node instead of some fifty: trees are copied and rendered several times for each statement.
    """

    arg_types: ClassVar[dict[str, bool]] = {"this": True, "expressions": False}


FORMULA_MARK = "\x03"


class _Parser(MySQLParser):
    FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {name: kind.from_arg_list for name, kind in AGGREGATES.items()}
    FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
        name: parse for name, parse in MySQLParser.FUNCTION_PARSERS.items() if name in _SPECIAL_FORMS
    }
    PRIMARY_PARSERS: ClassVar[dict[TokenType, Callable[..., Any]]] = {
        kind: _spelled(parse) if kind in _LITERALS else parse for kind, parse in MySQLParser.PRIMARY_PARSERS.items()
    }

    def _parse_join(self, *args: Any, **kwargs: Any) -> Any:
        """A bare JOIN without ON becomes CROSS JOIN, as a comma binds less tightly than JOIN."""
        is_comma = self._curr is not None and self._curr.token_type is TokenType.COMMA
        join = super()._parse_join(*args, **kwargs)
        if isinstance(join, exp.Join) and not is_comma and not any(join.args.get(key) for key in _JOIN_WORDS):
            join.set("kind", "CROSS")
        return join


def _formula_sql(generator: Any, formula: Formula) -> str:
    parts = [generator.sql(part) for part in formula.expressions]
    pieces = formula.this.split(FORMULA_MARK)
    pieces[1::2] = [parts[int(number)] for number in pieces[1::2]]
    return "".join(pieces)


class _Generator(MySQLGenerator):
    TRANSFORMS: ClassVar[dict[Any, Callable[..., str]]] = {
        kind: write for kind, write in MySQLGenerator.TRANSFORMS.items() if kind is not exp.Select
    } | {Formula: _formula_sql}
    """Without what makes MySQL's SELECTs of those of other dialects."""

    def column_sql(self, expression: exp.Column) -> str:
        parts = [expression.args.get(key) for key in ("table", "this")]
        if all(isinstance(part, exp.Identifier) and part.quoted for part in parts) and not expression.args.get("db"):
            return ".".join("`" + part.name.replace("`", "``") + "`" for part in parts if part is not None)
        return str(super().column_sql(expression))

    def literal_sql(self, expression: exp.Literal) -> str:
        return str(expression.meta.get(SPELLING) or super().literal_sql(expression))

    def hexstring_sql(self, expression: exp.HexString, *_: Any, **__: Any) -> str:
        return str(expression.meta.get(SPELLING) or super().hexstring_sql(expression))

    def bitstring_sql(self, expression: exp.BitString) -> str:
        return str(expression.meta.get(SPELLING) or super().bitstring_sql(expression))

    def not_sql(self, expression: exp.Not) -> str:
        text = f"NOT {self.sql(expression, 'this')}"
        return text if isinstance(expression.parent, exp.Paren) else f"({text})"

    def regexplike_sql(self, expression: exp.RegexpLike) -> str:
        text = f"{self.sql(expression, 'this')} REGEXP {self.sql(expression, 'expression')}"
        return text if isinstance(expression.parent, exp.Paren) else f"({text})"

    def interval_sql(self, expression: exp.Interval) -> str:
        inner = expression.this.unnest() if expression.this else None
        if expression.args.get("unit") is None and isinstance(inner, exp.Tuple):
            return self.func("INTERVAL", *inner.expressions)
        return str(super().interval_sql(expression))

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        return self.func(str(expression.name), *expression.expressions, normalize=False)


class Czar(MySQL):
    """MariaDB as the czar reads and writes it."""

    Parser = _Parser
    Generator = _Generator


DIALECT = Czar()


def render(tree: exp.Expr) -> str:
    """SQL text of a tree, in one line, without comments.

    >>> render(parse_expression("log10(ra) not in (0x41, 1.50, 35.)"))
    '(NOT log10(ra) IN (0x41, 1.50, 35.))'
    """
    return DIALECT.generate(tree, copy=False, comments=False)


def parse_expression(text: str) -> exp.Expr:
    """The tree of one expression that this program wrote itself (never a user's)."""
    tree = DIALECT.parser().parse_into(exp.Condition, DIALECT.tokenize(text), text)[0]
    assert tree is not None
    return tree
