"""Texts into tokens as MariaDB cuts them: where a number ends, and that one may begin with its point.

Rules: an exponent's sign comes right after its ``e``, so ``1e5-1e5`` is a difference; what goes on with a letter is a
name (``1e5x``), as is what follows a name and a point (``t.1e5``); a backslash and N are NULL. Source: MariaDB,
sql/sql_lex.cc, states ``MY_LEX_NUMBER_IDENT``, ``MY_LEX_REAL_OR_POINT`` and ``MY_LEX_ESCAPE``. No I/O.
"""

from __future__ import annotations

import re
from typing import ClassVar

from sqlglot.dialects.mysql import MySQL
from sqlglot.tokenizer_core import TokenizerCore, TokenType

_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_HEXADECIMAL = re.compile(r"0[xXbB]")


class _Core(TokenizerCore):
    """The parser's own, which is a class of fixed slots: one of these takes its place without being built again."""

    __slots__ = ()

    def _scan_number(self) -> None:
        if not self._take_number():
            super()._scan_number()

    def _scan_keywords(self) -> None:
        if self._char == "\\" and self._peek == "N":
            self._advance()
            self._add(TokenType.NULL, "NULL")
        elif self._char != "." or not self._peek.isdigit() or self._is_after_name() or not self._take_number():
            super()._scan_keywords()

    def _take_number(self) -> bool:
        """Take a number with a point or an exponent; whole numbers are left to the parser's own rules."""
        found = _NUMBER.match(self.sql, self._current - 1)
        if found is None or self._is_after_name() or _HEXADECIMAL.match(self.sql, self._current - 1):
            return False
        text, follows = found.group(), self.sql[found.end() : found.end() + 1]
        if text.isdigit() or ("." not in text and _is_letter(follows)):
            return False
        self._advance(len(text) - 1)
        self._add(TokenType.NUMBER, text)
        return True

    def _is_after_name(self) -> bool:
        """After a name and its point, or right after a name."""
        before = self.tokens[-1] if self.tokens else None
        if before is None or before.end != self._current - 2:
            return False
        return before.token_type in (TokenType.DOT, TokenType.VAR, TokenType.IDENTIFIER)


def _is_letter(text: str) -> bool:
    return bool(text) and (text.isalnum() or text in "_$" or text > "\x7f")


_OF_OTHERS = frozenset(
    ("ASOF", "FULL", "GLOB", "ILIKE", "ISNULL", "NOTNULL", "OVERLAPS", "PARTITIONED_BY", "QUALIFY", "ROLLBACK",
     "TABLESAMPLE", "UNCACHE", "~~", "~~*", "~~~", "~*", "#>", "#>>")
)  # fmt: skip
"""Words and signs of other SQLs: names, two signs, or a comment to MariaDB (``SELECT ra NOTNULL`` names its column)."""


class Lexer(MySQL.Tokenizer):
    """The tokenizer of :class:`skyshard.czar.sql.dialect.CzarDialect`."""

    KEYWORDS: ClassVar[dict[str, TokenType]] = {
        word: kind for word, kind in MySQL.Tokenizer.KEYWORDS.items() if word not in _OF_OTHERS
    }

    def _init_core(self) -> TokenizerCore:
        core = super()._init_core()
        core.__class__ = _Core
        return core
