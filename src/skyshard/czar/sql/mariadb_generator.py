"""The czar's generator: a tree to MariaDB's SQL; what no pass has touched comes out as the user wrote it.

Rules: literals in their spelling, NOT and REGEXP always in parentheses, names quoted where the tree has them so. No
I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.generators.mysql import MySQLGenerator

from skyshard.czar.sql.tree_nodes import FORMULA_MARK, SPELLING, Arguments, Formula, MadeFirst, NumberList

_COMMA = "','"


def qualified_text(node: exp.Expr) -> str:
    """Text of a column with its table, where both are quoted and nothing else is named; else empty."""
    if type(node) is not exp.Column or node.args.get("db"):
        return ""
    parts = [node.args.get(key) for key in ("table", "this")]
    if not all(isinstance(part, exp.Identifier) and part.quoted for part in parts):
        return ""
    return ".".join("`" + part.name.replace("`", "``") + "`" for part in parts if part is not None)


def _formula_sql(generator: Any, formula: Formula) -> str:
    if not formula.expressions:
        return str(formula.this)
    parts = [generator.sql(part) for part in formula.expressions]
    pieces = formula.this.split(FORMULA_MARK)
    pieces[1::2] = [parts[int(number)] for number in pieces[1::2]]
    return "".join(pieces)


def _arguments_sql(generator: Any, arguments: Arguments) -> str:
    return ", ".join(generator.sql(part) for part in arguments.expressions)


def _made_first_sql(generator: Any, operand: MadeFirst) -> str:
    return f"SELECT * FROM ({generator.sql(operand, 'this')}) AS made_first"


class CzarGenerator(MySQLGenerator):
    TRANSFORMS: ClassVar[dict[Any, Callable[..., str]]] = {
        kind: write for kind, write in MySQLGenerator.TRANSFORMS.items() if kind not in (exp.Select, exp.GroupConcat)
    } | {Formula: _formula_sql, NumberList: _formula_sql, Arguments: _arguments_sql, MadeFirst: _made_first_sql}
    """Without what makes MySQL's SELECTs of those of other dialects."""
    LIMIT_FETCH = "ALL"
    """FETCH ... WITH TIES is no LIMIT."""
    VALUES_AS_TABLE = True
    """Messages have VALUES as it was written."""

    def column_sql(self, expression: exp.Column) -> str:
        return qualified_text(expression) or str(super().column_sql(expression))

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
        return f"INTERVAL {self.sql(expression, 'this')} {self.sql(expression, 'unit')}"

    def offset_sql(self, expression: exp.Offset) -> str:
        """Before FETCH, and alone, OFFSET says ROWS."""
        text = str(super().offset_sql(expression))
        query = expression.parent
        return text if query is None or isinstance(query.args.get("limit"), exp.Limit) else f"{text} ROWS"

    def groupconcat_sql(self, expression: exp.GroupConcat) -> str:
        limit = expression.this if isinstance(expression.this, exp.Limit) else None
        text = f"{self.sql(limit or expression, 'this')} SEPARATOR {self.sql(expression, 'separator') or _COMMA}"
        if limit is not None:
            offset = limit.args.get("offset")
            text += f" LIMIT {f'{self.sql(offset)}, ' if offset is not None else ''}{self.sql(limit, 'expression')}"
        return f"GROUP_CONCAT({text})"

    def anonymous_sql(self, expression: exp.Anonymous) -> str:
        return self.func(str(expression.name), *expression.expressions, normalize=False)
