"""Statements that were right, with a word or a clause dropped, doubled or moved, or with words of other SQLs."""

from __future__ import annotations

import re
from random import Random

from skyshard.czar.sql.dialect import DIALECT

_CLAUSE = re.compile(
    r"\b(SELECT|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|OFFSET|UNION|EXCEPT|INTERSECT|ALL|DISTINCT|ON|USING|JOIN|LEFT"
    r"|RIGHT|INNER|CROSS|NATURAL|AND|OR|AS|BY|OVER|WITH|ROLLUP|WINDOW|IN|LIKE|BETWEEN|IS|NOT|NULL)\b"
)
_CALL = re.compile(r"(\w) \(")
FOREIGN = (
    "QUALIFY ra > 1", "TABLESAMPLE (10)", "LATERAL VIEW explode(ra) t", "PIVOT (ra)", "UNPIVOT (ra)", "CLUSTER BY ra",
    "SORT BY ra", "DISTRIBUTE BY ra", "PREWHERE ra", "SETTINGS a = 1", "FORMAT JSON", "FETCH FIRST 3 ROWS ONLY",
    "LIMIT 3 OFFSET 2", "LIMIT 3, 2", "OFFSET 3", "LIMIT BY 3", "WINDOW w AS (ORDER BY ra)", "ILIKE 'a'", "::int",
    "FULL OUTER", "LEFT SEMI", "LEFT ANTI", "ASOF", "NULLS FIRST", "NULLS LAST", "TOP 3", "FINAL", "EXCEPT (ra)",
    "REPLACE (1 AS ra)", "WITH TIES", "FILTER (WHERE 1)", "WITHIN GROUP (ORDER BY ra)", "IGNORE NULLS", "~ 'a'",
    "SIMILAR TO 'a'", "GLOB 'a'", "ESCAPE 'a'", "OVERLAPS ra", "= ANY (1)", "[1]", "{'a': 1}", "-> 'a'", "->> 'a'",
    "@> 1", "AT TIME ZONE 'UTC'", "BY NAME", "DISTINCT ON (ra)", "ALL", "DISTINCT", "ROLLUP", "WITH ROLLUP",
    "CUBE (ra)", "GROUPING SETS ((ra))", "STRAIGHT_JOIN", "HAVING ra", "WHERE ra", "GROUP BY ra", "ORDER BY ra",
    "FROM Object", "AS OF 3", "UNION ALL", "CONNECT BY 1", "START WITH 1", "USE INDEX (a)", "// 2", "** 2", "== 1",
    "=> 1", "<> ALL (1)", "AS (a, b)", "ROWS 3 PRECEDING", "COLLATE x", "ISNULL", "NOTNULL", "IS TRUE",
    "IS DISTINCT FROM 1", "IS JSON", "XOR 1", "DIV 2", "&& 1", "RLIKE 'a'",
)  # fmt: skip
"""Words of other servers' SQL, and some of MariaDB's where they do not belong."""


def mutated(sql: str, random: Random) -> str:
    """A statement with one or two mistakes, or another right one."""
    for _ in range(random.choice((1, 1, 2))):
        sql = random.choice((_word, _word, _foreign, _clauses))(sql, random)
    return sql


def _words(sql: str) -> list[str]:
    return [sql[token.start : token.end + 1] for token in DIALECT.tokenize(sql)]


def _joined(words: list[str]) -> str:
    """With no blank before a parenthesis, which would be a mistake in itself."""
    return _CALL.sub(r"\1(", " ".join(words))


def _word(sql: str, random: Random) -> str:
    """A word dropped, doubled or moved."""
    words = _words(sql)
    at, way = random.randrange(len(words)), random.randrange(3)
    word = words.pop(at)
    if way == 1:
        words[at:at] = [word, word]
    elif way == 2:
        words.insert(random.randrange(len(words) + 1), word)
    return _joined(words)


def _foreign(sql: str, random: Random) -> str:
    words = _words(sql)
    words.insert(random.randrange(1, len(words) + 1), random.choice(FOREIGN))
    return _joined(words)


def _clauses(sql: str, random: Random) -> str:
    """Two clauses exchanged, or one doubled or moved."""
    first, *rest = _CLAUSE.split(_joined(_words(sql)))
    parts = [part for part in (first, *map("".join, zip(rest[::2], rest[1::2], strict=True))) if part.strip()]
    one, other, way = random.randrange(len(parts)), random.randrange(len(parts)), random.randrange(3)
    if way == 0:
        parts[one], parts[other] = parts[other], parts[one]
    elif way == 1:
        parts.insert(other, parts[one])
    else:
        parts.insert(other, parts.pop(one))
    return " ".join(parts)
