"""A sky whose columns have odd names and types, and statements over it of kinds that are seldom drawn elsewhere.

A statement depends only on the chance that it is drawn with. Sums are of columns whose numbers do not cancel out, so
that they hardly depend on the order of rows.
"""

# ruff: noqa: E501  (templates read better whole)

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

KINDS: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "double": (pa.float64(), (0.0, -0.0, 1.0, 0.5, 0.1, -2.5, 1e-300, 1e300, 2.0**53, float("nan"))),
    "double unsigned": (pa.float64(), (0.0, 1.0, 0.1, 1e300)),
    "float": (pa.float32(), (0.0, 0.5, -1.0, 1e-38, 3e38, 16777216.0, float("inf"))),
    "float unsigned": (pa.float32(), (0.0, 0.5, 3e38)),
    "tinyint": (pa.int8(), (0, 1, 2, -1)),
    "tinyint(1)": (pa.int8(), (0, 1)),
    "smallint": (pa.int16(), (0, 1, 2, 3)),
    "int": (pa.int32(), (0, 1, -1, 7, 2**31 - 1, -(2**31))),
    "int(5) zerofill": (pa.uint32(), (0, 1, 7, 2**32 - 1)),
    "bigint": (pa.int64(), (0, 1, -1, 3, 2**63 - 1, -(2**63))),
    "bigint unsigned": (pa.uint64(), (0, 1, 3, 2**63, 2**64 - 1)),
    "decimal(1,0)": (pa.decimal128(1, 0), (Decimal(0), Decimal(9), Decimal(-9))),
    "decimal(10,3) unsigned": (pa.decimal128(10, 3), (Decimal("0.000"), Decimal("9999999.999"))),
    "decimal(38,38)": (pa.decimal128(38, 38), (Decimal("0." + "9" * 38), Decimal("0." + "0" * 37 + "1"))),
    "decimal(50,5)": (pa.decimal256(50, 5), (Decimal("9" * 45 + ".99999"), Decimal("0.00001"))),
    "bit(1)": (pa.int64(), (0, 1)),
    "bit(8)": (pa.int64(), (0, 7, 255)),
    "year": (pa.int32(), (1901, 2000, 2155)),
    "date": (pa.date32(), (date(1000, 1, 1), date(2024, 2, 29), date(9999, 12, 31))),
    "time": (pa.time64("us"), (time(0), time(23, 59, 59))),
    "datetime": (pa.timestamp("us"), (datetime(2000, 1, 1), datetime(2024, 2, 29, 12))),
    "char(3)": (pa.string(), ("a", "B", "")),
}
"""Type of a column → that of the input, and values at the ends of it."""
WHOLE = {
    "select": "int", "order": "bigint unsigned", "µ": "int", "x`y": "int", "t0": "int", "a0": "bigint", "c0": "smallint",
    "NULL": "smallint", "count(*)": "int", "50%": "int", "a.b": "int", "u64": "bigint unsigned", "i64": "bigint",
    "bo": "tinyint(1)", "g1": "tinyint", "g2": "smallint", "z": "int(5) zerofill",
}  # fmt: skip
REAL = {"group": "double", "a b": "float", "Größe": "double", 'q"t': "double", "it's": "float", "fu": "float unsigned",
        "du": "double unsigned", "d": "double"}  # fmt: skip
DECIMAL = {"d1": "decimal(1,0)", "dn": "decimal(10,3) unsigned", "d38": "decimal(38,38)", "d50": "decimal(50,5)"}
OTHER = {"b1": "bit(1)", "b8": "bit(8)", "yr": "year", "dt": "date", "tm": "time", "ts": "datetime", "ch": "char(3)"}
EMPTY = {"nothing": "int", "nowhere": "double"}
"""NULL in all rows."""
COLUMNS = WHOLE | REAL | DECIMAL | OTHER | EMPTY
SMALL = ("bo", "g1", "g2", "c0", "NULL", "nothing")
"""Columns of few values."""
KEYS = {"objectId": "bigint", "ra": "double", "decl": "double"}
CONSTANTS = ("0", "1", "2", "-1", "0.5", "1e0", "-2.5", "255", "TRUE", "7.0", "1e300", "NULL", "18446744073709551615",
             "9223372036854775807", "-9223372036854775808", "9223372036854775808")  # fmt: skip

VALUES = (
    "({v} {s} {v})", "({v} {s} {v})", "-{v}", "ABS({v})", "SQRT({v})", "COALESCE({v}, {k}, {v})", "COALESCE({v})", "IFNULL({v}, {k})",
    "NULLIF({v}, {k})", "CASE WHEN {c} THEN {v} ELSE {k} END", "CASE WHEN {c} THEN NULL WHEN {c} THEN {v} END",
    "CASE {g} WHEN {k} THEN {v} WHEN NULL THEN 5 ELSE {v} END", "IF({c}, {v}, {k})", "({c})", "(({c}) + ({c}))", "({v} & 7)",
)  # fmt: skip
CONDITIONS = (
    "{v} {o} {v}", "{v} {o} {k}", "{k} {o} {v}", "{v} <=> NULL", "{v} BETWEEN {k} AND {k}", "{k} NOT BETWEEN {v} AND {v}",
    "{v} IN ({k}, {k}, NULL)", "{v} NOT IN ({v}, NULL)", "{v} NOT IN ({k}, {k})", "{k} IN ({v}, {v})", "{n} IS NULL",
    "{n} IS NOT NULL", "({c}) IS UNKNOWN", "({c}) IS NOT TRUE", "({c}) IS FALSE", "({c} AND {c})", "({c} OR {c})", "({c} XOR {c})",
    "NOT {c}", "!({c})", "{v}", "{n} = {k}",
)  # fmt: skip
AGGREGATES = (
    "COUNT(*)", "COUNT({n})", "COUNT(NULL)", "COUNT(DISTINCT {g}, {g})", "SUM({p})", "SUM({c})", "SUM(DISTINCT {g})", "MIN({v})",
    "MAX({n})", "MAX({v}) + 1", "AVG({p})", "IFNULL(SUM({p}), -1)", "SUM({g}) / COUNT({v})", "STD({g})", "COALESCE(MAX({g}), 0)",
)  # fmt: skip
WHERE = ("", " WHERE {c}", " WHERE {c}", " WHERE {c} AND {c}")
ENDS = ("", " LIMIT 0", " LIMIT 1", " LIMIT 5", " LIMIT 3 OFFSET 2", " LIMIT 2, 4", " LIMIT 100000")
STATEMENTS = (
    "SELECT {v} AS x, {v} AS `order` FROM Object{w}",
    "SELECT {m}, {a} AS a FROM Object{w} GROUP BY {m}",
    "SELECT {g} AS k, {a} AS a, {a} AS b FROM Object{w} GROUP BY k HAVING COUNT(*) > 2 AND k IS NOT NULL ORDER BY k DESC",
    "SELECT objectId, {v} AS e FROM Object{w} ORDER BY e, objectId{e}",
    "SELECT objectId FROM Object{w} ORDER BY {v} DESC, {v}, objectId DESC{e}",
    "SELECT DISTINCT {n}, {g} FROM Object{w}",
    "SELECT DISTINCT {g} AS a, {g} AS b FROM Object{w} ORDER BY a DESC, b{e}",
    "SELECT {a} AS a, {a} AS b, {a} AS c FROM Object{w}",
    "SELECT {a} AS a FROM Object{w} LIMIT 0",
    "SELECT {c} AS e, COUNT(*) AS n FROM Object{w} GROUP BY e ORDER BY n, e",
    "SELECT COUNT(*) AS n FROM Object{w} GROUP BY {g}, {g} + 1, ({c})",
    "SELECT {n}, {n}, {n} FROM Object{w}",
)
OPERATORS = ("<", "<=", "=", "<>", ">", ">=", "<=>")
SIGNS = ("+", "-", "*", "/", "%", "DIV")
HOLE = re.compile(r"\{(\w)\}")


def name(column: str) -> str:
    """As a statement spells it."""
    return "`" + column.replace("`", "``") + "`"


def drawn_statement(chance: Random) -> str:
    """{v}: a number, {p}: a column of numbers, {n}: any one, {g}: one of few values, {m}: many, {c}: a condition, {a}: an aggregate, {k}: a
    constant, {s} and {o}: operators, {w}: conditions, {e}: an end."""
    template = chance.choice(STATEMENTS)
    if "{m}" in template:
        many = chance.sample([*WHOLE, *REAL, *DECIMAL, *EMPTY], chance.randint(3, 14))
        template = template.replace("{m}", ", ".join(map(name, many)))
    return _filled(template, chance, 0)


def _filled(template: str, chance: Random, depth: int) -> str:
    return HOLE.sub(lambda match: _drawn(match.group(1), chance, depth), template)


def _drawn(kind: str, chance: Random, depth: int) -> str:
    plain = {"k": CONSTANTS, "s": SIGNS, "o": OPERATORS, "e": ENDS}
    if kind in plain:
        return chance.choice(plain[kind])
    if kind in "gn":
        return name(chance.choice(SMALL if kind == "g" else list(COLUMNS)))
    if kind == "p" or (kind == "v" and (depth > 2 or chance.random() < 0.6)):
        return name(chance.choice([*WHOLE, *WHOLE, *REAL, *REAL, *DECIMAL, *EMPTY]))
    if kind == "c" and depth > 2:
        return _filled("{v} {o} {k}", chance, depth)
    templates = {"v": VALUES, "c": CONDITIONS, "a": AGGREGATES, "w": WHERE}[kind]
    return _filled(chance.choice(templates), chance, depth + 1)


def write_odd_sky(folder: Path, *, rows: int = 300, seed: int = 1, first_key: int = 10**12) -> Path:
    """A synth folder with one director; a tenth of the values are NULL."""
    chance = Random(seed)
    (folder / "Object").mkdir(parents=True)
    keys = {
        "objectId": pa.array([first_key + row for row in range(rows)], pa.int64()),
        "ra": pa.array([20 + 14 * chance.random() for _ in range(rows)], pa.float64()),
        "decl": pa.array([20 * chance.random() - 10 for _ in range(rows)], pa.float64()),
    }
    data = keys | {column: _values(chance, column, kind, rows) for column, kind in COLUMNS.items()}
    path = folder / "Object" / "part0.parquet"
    pq.write_table(pa.table(data), path)
    columns = [{"name": one, "type": kind, "nullable": one not in KEYS} for one, kind in (KEYS | COLUMNS).items()]
    entry = {
        "role": "director", "key": "objectId", "director": "", "position": ["ra", "decl"], "primary_key": ["objectId"],
        "columns": columns, "indexes": [], "rows": rows,
        "files": [{"path": "Object/part0.parquet", "chunk": None, "rows": rows, "bytes": path.stat().st_size}],
    }  # fmt: skip
    striping = {"stripes": 85, "substripes": 3, "overlap_deg": 0.01}
    manifest = {"version": 1, "recipe": {"name": "odd"}, "striping": striping, "tables": {"Object": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _values(chance: Random, column: str, kind: str, rows: int) -> pa.Array:
    stored, ends = KINDS[kind]
    drawn = [None if column in EMPTY or chance.random() < 0.1 else chance.choice(ends) for _ in range(rows)]
    return pa.array(drawn, stored)
