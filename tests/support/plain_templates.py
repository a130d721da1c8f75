"""What the statements of ``plain_grammar`` are made of: templates with holes, and the values that go into them."""

# ruff: noqa: E501  (templates read better whole)

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

KINDS = {"bigint": "i", "int": "i", "smallint": "i", "tinyint": "i", "year": "i", "bigint unsigned": "u", "bit(6)": "b", "decimal(12,4)": "p",
         "decimal(9,3)": "p", "double": "r", "float": "r", "datetime(6)": "D", "datetime": "D", "date": "D", "time(3)": "T",
         "varbinary(6)": "y", "blob": "y", "longtext": "j"}  # fmt: skip
"""Type → i: whole, u: unsigned, b: BIT, p: DECIMAL, r: DOUBLE, D: date, T: time, y: bytes, j: JSON; else t: a text."""
TEMPLATES: dict[str, Sequence[str]] = {
    "n": ("({n} + {n})", "({n} - {n})", "({n} * {k})", "({i} DIV {p})", "({i} % {p})", "({n} / {p})", "ABS({n})", "-{n}", "COALESCE({n}, {k})",
          "IFNULL({n}, {n})", "NULLIF({n}, {k})", "IF({c}, {n}, {n})", "CASE WHEN {c} THEN {n} ELSE {n} END", "CASE {i} WHEN 1 THEN {n} WHEN {k} THEN {n} END",
          "ROUND({n}, 1)", "FLOOR({n})", "CEIL({n})", "TRUNCATE({n}, 1)", "SIGN({n})", "GREATEST({n}, {n})", "LEAST({n}, {n})", "({v} IS NULL)",
          "({c})", "CAST({n} AS DECIMAL(12,3))", "CAST({n} AS DOUBLE)", "MOD({n}, {p})", "POW({I}, 2)", "{S}", "{i}", "{i}"),
    "i": ("({i} & {p})", "({i} | {p})", "({i} ^ {p})", "({i} << 2)", "({i} >> 1)", "BIT_COUNT({i})", "LENGTH({t})", "CHAR_LENGTH({t})", "LOCATE({q}, {t})",
          "INSTR({t}, {q})", "ASCII({t})", "ORD({t})", "CRC32({t})", "CAST({n} AS SIGNED)", "CAST({t} AS SIGNED)", "YEAR({D})", "MONTH({D})", "DAYOFWEEK({D})",
          "DAYOFYEAR({D})", "WEEK({D}, 3)", "YEARWEEK({D})", "QUARTER({D})", "TO_DAYS({D})", "DATEDIFF({D}, {D})", "TIMESTAMPDIFF(MINUTE, {D}, {D})",
          "EXTRACT(YEAR_MONTH FROM {D})", "HOUR({T})", "MICROSECOND({D})", "FIELD({t}, 'abc', {q})", "STRCMP({t}, {q})", "INTERVAL({i}, 1, 5, 9)",
          "(0x1F + {i})", "(b'101' + {i})", "JSON_LENGTH({j})", "JSON_VALID({t})", "BIT_LENGTH({t})", "FIND_IN_SET({t}, 'a,abc,zz')", "UNCOMPRESSED_LENGTH({y})",
          "ISNULL({v})", "WEEKDAY({D})", "PERIOD_DIFF(202403, 202001)", "TIME_TO_SEC({T})", "COERCIBILITY({q})", "REGEXP_INSTR({t}, '[b-d]')"),
    "t": ("CONCAT({t}, {q})", "CONCAT_WS('-', {t}, {i}, {t})", "UPPER({t})", "LOWER({t})", "LEFT({t}, 2)", "RIGHT({t}, 2)", "SUBSTRING({t}, 2, 3)", "TRIM({t})",
          "TRIM(LEADING 'a' FROM {t})", "LPAD({t}, 6, '*')", "RPAD({t}, 5, '.')", "REPLACE({t}, 'b', 'yy')", "REVERSE({t})", "REPEAT({t}, 2)", "HEX({t})", "HEX({i})",
          "IF({c}, {t}, {t})", "COALESCE({t}, {q})", "NULLIF({t}, {q})", "CAST({i} AS CHAR)", "CONVERT({i}, CHAR(9))", "DATE_FORMAT({D}, '%Y/%m %H')",
          "CONVERT({t} USING utf8mb4)", "MD5({t})", "SHA1({t})", "SUBSTRING_INDEX({t}, 'b', 1)", "INSERT({t}, 2, 1, 'QQ')", "ELT(2, {q}, {t})", "FORMAT({n}, 2)",
          "REGEXP_REPLACE({t}, '[a-c]', '_')", "REGEXP_SUBSTR({t}, '[a-c]+')", "QUOTE({t})", "SOUNDEX({t})", "BIN({i})", "CONV({i}, 10, 16)", "JSON_VALUE({j}, '$.a')",
          "JSON_UNQUOTE(JSON_EXTRACT({j}, '$.b'))", "JSON_EXTRACT({j}, '$.a[1]')", "JSON_TYPE({j})", "JSON_OBJECT('k', {I})", "JSON_ARRAY({I}, {T0})", "DAYNAME({D})",
          "CASE {t} WHEN {q} THEN 'one' ELSE {t} END", "CONCAT({t}, {n})", "MAKE_SET({i}, 'a', 'b')", "TO_BASE64({t})", "SPACE(2)", "CHAR({k}, 66 USING latin1)",
          "MONTHNAME({D})", "TIME_FORMAT({T}, '%H.%i')", "GREATEST({t}, {q})", "LEAST({t}, {q})", "UNHEX(HEX({t}))", "EXPORT_SET(5, 'Y', 'N', ',', 4)"),
    "D": ("({D} + INTERVAL {k} DAY)", "DATE_ADD({D}, INTERVAL 90 MINUTE)", "DATE_SUB({D}, INTERVAL {I} MONTH)", "({D} - INTERVAL '1:30' HOUR_MINUTE)", "DATE({D})", "LAST_DAY({D})",
          "TIMESTAMP '2020-01-02 03:04:05'", "DATE '2024-02-29'", "CAST({D} AS DATE)", "CAST({D} AS DATETIME(3))", "COALESCE({D}, {D})", "GREATEST({D}, {D})",
          "ADDDATE({D}, 31)", "MAKEDATE(2024, 60)", "STR_TO_DATE('06/05/2024', '%d/%m/%Y')", "IF({c}, {D}, {D})", "FROM_DAYS(TO_DAYS({D}))", "TIMESTAMPADD(HOUR, 5, {D})"),
    "T": ("ADDTIME({T}, '01:00:00')", "SEC_TO_TIME({I})", "TIME({D})", "TIMEDIFF({T}, '00:30:00')", "MAKETIME(1, 2, 3)", "TIME '11:12:13'", "IFNULL({T}, {T})"),
    "j": ("JSON_EXTRACT({j}, '$')", "JSON_QUERY({j}, '$.a')", "'[1, 2]'", "JSON_OBJECT('a', {I})", "JSON_SET({j}, '$.c', 7)"),
    "y": ("UNHEX('00FF')", "CAST({t} AS BINARY)", "X'4142'", "CONCAT({y}, 'a')"),
    "c": ("{n} {o} {n}", "{n} {o} {k}", "{t} {o} {t}", "{t} {o} {q}", "{D} {o} {D}", "{D} {o} '2021-06-01'", "{T} < '12:00:00'", "{U} {o} {k}", "{Z} {o} {k}", "{Z} & 9", "{n} BETWEEN {k} AND {n}", "{n} NOT BETWEEN {k} AND 5",
          "{t} BETWEEN 'a' AND {q}", "{n} IN ({k}, {k}, NULL)", "{n} NOT IN ({k}, {k})", "{t} IN ({q}, {q}, {t})", "{t} LIKE 'a%'", "{t} NOT LIKE '%b_'", "{t} LIKE 'a|%%' ESCAPE '|'",
          "{t} LIKE 'x\\\\\\\\%'", "{t} REGEXP '^[a-b]'", "{t} NOT RLIKE 'c$'", "{v} IS NULL", "{v} IS NOT NULL", "({c}) IS TRUE", "({c}) IS NOT FALSE", "({c}) IS UNKNOWN", "({c} AND {c})",
          "({c} OR {c})", "({c} XOR {c})", "NOT ({c})", "!({c})", "({c} || {c})", "({c} && {c})", "{I} <=> {k}", "{v} <=> NULL", "({I}, {k}) = (1, {k})", "({I}, {I}) IN ((1, 2), (0, 0))", "{i}",
          "({I}, {n}) <> (2, {k})", "{E}", "{E}", "{A}", "{y} = X'6162'", "{D} BETWEEN '2020-01-01' AND {D}", "{t} SOUNDS LIKE {q}", "JSON_CONTAINS({j}, '1', '$.a')"),
    "a": ("COUNT(*)", "COUNT({v})", "COUNT(DISTINCT {v})", "COUNT(DISTINCT {I}, {T0})", "SUM({s})", "AVG({s})", "MIN({v})", "MAX({v})", "SUM(DISTINCT {I})", "AVG(DISTINCT {I})", "MIN(DISTINCT {I})",
          "GROUP_CONCAT(DISTINCT {G} SEPARATOR ';')", "GROUP_CONCAT({I} ORDER BY {K})", "GROUP_CONCAT({T0}, ':', {I} ORDER BY {K} DESC SEPARATOR '|')", "BIT_AND({I})", "BIT_OR({U})", "MAX({Z})", "COUNT(DISTINCT {Z})",
          "BIT_XOR({i})", "STD({s})", "VAR_SAMP({s})", "SUM({c})", "MAX({n}) + 1", "SUM({I}) / COUNT(*)", "COUNT({c} OR NULL)", "IFNULL(SUM({s}), -1)", "COALESCE(MAX({t}), {q})", "MIN({D})", "MAX({T})", "AVG({D})", "SUM({D})", "AVG({T})", "SUM({T}) + 1", "AVG({D}) - AVG({T})", "AVG(DISTINCT {D})",
          "SUM(IF({c}, 1, 0))", "COUNT(*) - COUNT({v})", "ROUND(AVG({I}), 2)", "CAST(SUM({I}) AS SIGNED)", "CONCAT(MIN({T0}), MAX({T0}))", "GROUP_CONCAT({I} ORDER BY {K} LIMIT 2)",
          "JSON_ARRAYAGG({I} ORDER BY {K})", "SUM(CASE WHEN {c} THEN {I} END)", "VARIANCE({I})", "GREATEST(MAX({I}), COUNT(*))", "DATE(MAX({D}))", "SUM({I} * {I})", "COUNT(DISTINCT {t}, {I}, {D})"),
    "s": ("{N}", "{N}", "{I}", "({N} + {I})", "({N} * 2)", "ABS({N})", "IF({c}, {N}, 0)", "COALESCE({N}, 1)", "({I} * {I})", "LENGTH({t})"),
    "w": ("ROW_NUMBER() OVER (ORDER BY {O})", "ROW_NUMBER() OVER (PARTITION BY {g} ORDER BY {O})", "SUM({I}) OVER (PARTITION BY {g})", "COUNT(*) OVER ()", "MAX({v}) OVER (PARTITION BY {g})",
          "SUM({N}) OVER (ORDER BY {O} ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)", "AVG({I}) OVER (ORDER BY {O} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING)",
          "LAG({v}) OVER (PARTITION BY {g} ORDER BY {O})", "LEAD({v}, 2) OVER (ORDER BY {O})", "NTILE(3) OVER (ORDER BY {O})", "FIRST_VALUE({v}) OVER (PARTITION BY {g} ORDER BY {O})",
          "LAST_VALUE({v}) OVER (ORDER BY {O} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)", "RANK() OVER (ORDER BY {I})", "DENSE_RANK() OVER (PARTITION BY {g} ORDER BY {I})", "PERCENT_RANK() OVER (ORDER BY {I})",
          "CUME_DIST() OVER (ORDER BY {I})", "NTH_VALUE({v}, 2) OVER (ORDER BY {O})", "SUM({I}) OVER (ORDER BY {I} RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", "COUNT({v}) OVER (ORDER BY {O} DESC)"),
    "k": ("0", "1", "2", "3", "-1", "5", "2.5", "1e1", "0x0A", "-7", "100"), "p": ("2", "3", "7", "10"), "o": ("<", "<=", "=", "<>", ">", ">=", "!=", "<=>"),
    "q": ("'abc'", "'a%b'", "''", "'b c'", "'it''s'", '"zz"', "'x\\\\y'", "'12'", "_latin1'bcd'", "N'abc'", "'a' 'bc'", "X'61'"),
}  # fmt: skip
SIMPLE: dict[str, Sequence[str]] = {
    "n": ("({n} + {n})", "({n} - {n})", "({n} * {k})", "ABS({n})", "-{n}", "COALESCE({n}, {k})", "IF({c}, {n}, {n})", "CASE WHEN {c} THEN {n} END", "{i}", "{i}"),
    "i": ("({i} + {p})", "{I}", "({c})"), "v": ("{n}", "{n}", "{I}", "{N}", "{i}"), "s": ("{N}", "{I}"),
    "c": ("{n} {o} {n}", "{n} {o} {k}", "{n} BETWEEN {k} AND {n}", "{n} IN ({k}, {k}, NULL)", "{N} IS NULL", "{I} IS NOT NULL", "({c} AND {c})", "({c} OR {c})", "NOT ({c})", "{I} <=> {k}"),
    "a": ("COUNT(*)", "COUNT({n})", "COUNT(DISTINCT {I})", "SUM({s})", "AVG({s})", "MIN({n})", "MAX({n})", "SUM({c})", "STD({s})", "MAX({n}) + 1", "IFNULL(SUM({s}), -1)"),
}  # fmt: skip
"""What columns answer, too."""
"""What fills a hole: s is what may be summed, g what is grouped by, v any value; upper case: a column; K and O: total orders."""
HOLE = re.compile(r"\{(\w0?)\}")
COLUMN_KINDS = {"I": "i", "I0": "i", "U": "u", "Z": "b", "N": "ipr", "T0": "t"}
FALLBACK = {"t": "{q}", "D": "TIMESTAMP '2021-02-03 04:05:06'", "T": "TIME '10:00:00'", "j": "'{\"a\": 1}'", "y": "X'6162'", "n": "{k}", "i": "{p}",
            "I": "1", "I0": "1", "U": "2", "Z": "b'101'", "N": "1.5", "T0": "'abc'"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    text: str
    kind: str


@dataclass(slots=True)
class Source:
    """A FROM clause: its columns, those that tell all of its rows apart, and what belongs into WHERE."""

    text: str
    columns: list[Column]
    keys: list[str]
    tie: str = ""
    places: list[tuple[str, str]] = field(default_factory=list)
    """Positions of its chunked tables that have some."""
    is_placed: bool = False
    """Whether all of its chunked tables have a position that no outer join leaves out: an area may be asked."""


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    plain: str
    is_ordered: bool
