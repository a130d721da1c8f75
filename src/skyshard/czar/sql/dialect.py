"""The SQL dialect of the czar: MariaDB's, read and written so that nothing changes on the way through a tree.

Rules: what a pass does not touch comes out as the user wrote it. Text to tree and back only: no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL

from skyshard.czar.sql.lexer import Lexer
from skyshard.czar.sql.mariadb_generator import CzarGenerator, qualified_text
from skyshard.czar.sql.mariadb_parser import CzarParser


class CzarDialect(MySQL):
    """MariaDB as the czar reads and writes it."""

    Tokenizer = Lexer
    Parser = CzarParser
    Generator = CzarGenerator


DIALECT = CzarDialect()


def render(tree: exp.Expr) -> str:
    """SQL text of a tree, in one line, without comments.

    >>> render(parse_expression("log10(ra) not in (0x41, 1.50, 35.)"))
    '(NOT log10(ra) IN (0x41, 1.50, 35.))'
    """
    return DIALECT.generate(tree, copy=False, comments=False)


def render_each(parts: Iterable[exp.Expr]) -> list[str]:
    """The same of several trees, in less time."""
    generator = DIALECT.generator(comments=False)
    return [qualified_text(part) or generator.generate(part, copy=False) for part in parts]


def parse_expression(text: str) -> exp.Expr:
    """The tree of one expression that this program wrote itself (never a user's)."""
    tree = DIALECT.parser().parse_into(exp.Condition, DIALECT.tokenize(text), text)[0]
    assert tree is not None
    return tree
