"""The ``?`` of a prepared statement: where they are, and the statement with values in their places. No I/O.

Rule: what stands in a string, a comment or a name is no placeholder, and no value can end the literal that it becomes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skyshard.serve.sql_words import masked

_BEFORE_A_LIMIT = re.compile(r"(?:\bLIMIT|\bOFFSET|\bFETCH\s+(?:FIRST|NEXT)|\bLIMIT\s*(?:\?|\d+)\s*,)\s*$", re.I)


def places(sql: str) -> list[int]:
    """Where a statement has its placeholders.

    >>> places("SELECT '?', `?`, a /* ? */ FROM t WHERE a = ? -- ?")
    [44]
    """
    return [found.start() for found in re.finditer(r"\?", masked(sql))]


def limit_places(sql: str) -> frozenset[int]:
    """Which of the placeholders, counted from 0, say how many rows are wanted: whole numbers, whatever is bound.

    >>> sorted(limit_places("SELECT a FROM t WHERE b = ? LIMIT ?, ?"))
    [1, 2]
    """
    words = masked(sql)
    return frozenset(
        index for index, place in enumerate(places(sql)) if _BEFORE_A_LIMIT.search(words[max(0, place - 80) : place])
    )


def filled(sql: str, literals: Sequence[str]) -> str:
    """A statement with a literal for each placeholder; blanks around it, so that it joins no word beside it.

    >>> filled("SELECT a-? FROM t WHERE b = '?'", ["-3"])
    "SELECT a- -3  FROM t WHERE b = '?'"
    """
    made, end = [], 0
    for place, literal in zip(places(sql), literals, strict=True):
        made += [sql[end:place], f" {literal} "]
        end = place + 1
    return "".join([*made, sql[end:]])
