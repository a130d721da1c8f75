"""Texts in Python's grammar, read by one thread at a time.

CPython before 3.11.8 and 3.12.2 counts the depth of a tree for all threads together: where one thread gives way while
it makes a tree, another one's end in ``SystemError: AST constructor recursion depth mismatch`` (gh-106905).
"""

from __future__ import annotations

import ast
from threading import RLock

ONE_AT_A_TIME = RLock()
"""Held while a tree is made, also within libraries that make one (``np.load`` does, for the head of a file)."""


def parse_expression(text: str) -> ast.expr:
    """The tree of an expression.

    >>> ast.unparse(parse_expression("a + 2 * b"))
    'a + 2 * b'

    Raises:
        SyntaxError: it is none.
        ValueError: it has a zero byte.
    """
    with ONE_AT_A_TIME:
        return ast.parse(text, mode="eval").body
