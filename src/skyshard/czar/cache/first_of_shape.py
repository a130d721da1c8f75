"""Checks of grammar, for which the first of many statements is enough: where others have other numbers, nothing else in
them is read otherwise.

Rules: texts only. Numbers of one kind are alike; a LIMIT takes a whole one, and no other.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable

from skyshard.czar.cache.statement_shapes import LONGEST_TEXT, PARTS

KEPT_SHAPES = 512
_KINDS = re.compile(r"(?P<whole>\d{1,18})|(?P<exact>\d+\.\d*|\.\d+)|(?P<real>(?:\d+\.?\d*|\.\d+)[eE][+-]?\d+)")
_MARKS = {"whole": "\x02", "exact": "\x05", "real": "\x06"}


def grammar_of(sql: str) -> str | None:
    r"""A statement's text with marks in place of its numbers; None for one that is not taken apart.

    >>> grammar_of("SELECT a1, 'x 5' FROM t WHERE k = 17 AND r < 1.5 LIMIT 3")
    "SELECT a1, 'x 5' FROM t WHERE k = \x02 AND r < \x05 LIMIT \x02"
    """
    if len(sql) > LONGEST_TEXT or any(mark in sql for mark in _MARKS.values()):
        return None
    return PARTS.sub(_marked, sql)


def _marked(part: re.Match[str]) -> str:
    kind = _KINDS.fullmatch(part.group())
    return _MARKS[kind.lastgroup] if kind is not None and kind.lastgroup is not None else part.group()


class FirstOfShape:
    """Has a check made of statements of new shapes; those that came last are remembered. Serves many threads."""

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check
        self._passed: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def require(self, sql: str) -> None:
        """Raises what the check raises; nothing is remembered then.

        >>> checked = FirstOfShape(print)
        >>> for key in (1, 2):
        ...     checked.require(f"SELECT ra FROM t WHERE k = {key}")
        SELECT ra FROM t WHERE k = 1
        """
        shape = grammar_of(sql)
        if shape is not None:
            with self._lock:
                if shape in self._passed:
                    self._passed.move_to_end(shape)
                    return
        self._check(sql)
        if shape is not None:
            self._remember(shape)

    def _remember(self, shape: str) -> None:
        with self._lock:
            self._passed[shape] = None
            while len(self._passed) > KEPT_SHAPES:
                self._passed.popitem(last=False)
