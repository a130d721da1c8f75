"""Draws scans over columns at the ends of their types, and holds what columns give against what a server gives.

A statement depends only on the chance that it is drawn with.
"""

# ruff: noqa: E501  (templates read better whole)

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pyarrow as pa
from tests.support.split_sky import table_of

from skyshard.basics.errors import SkyshardError
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Table
from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.rewrite import rewrite
from skyshard.czar.columns.engine import Calls, compute, in_types
from skyshard.czar.columns.not_by_columns import NotByColumns
from skyshard.czar.plan.planner import plan_statement
from skyshard.czar.plan.query_plan import Pull, QueryPlan
from skyshard.czar.result.typed_results import TypedColumn, from_rows
from skyshard.czar.run.both_ways import difference
from skyshard.czar.run.pull_columns import read_columns
from skyshard.czar.run.pull_order import cast_template
from skyshard.czar.sql.statement import SelectStatement, parse_statement
from skyshard.db.connection import Connection
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable

DATABASE = "ends"
CHUNKS = tuple(range(300, 312))
"""The rows are all in the first; so many are a scan."""
COLUMNS = {
    "Ends": "id bigint!, ra double, decl double, t tinyint, tu tinyint unsigned, s smallint, su smallint unsigned, "
    "m mediumint, mu mediumint unsigned, i int, iu int unsigned, b bigint, bu bigint unsigned, f float, g float, d double, "
    "e double, p decimal(9,2), q decimal(20,10), r decimal(38,0), flag tinyint!, txt varchar(9)",
    "Tail": "tailId bigint!, endId bigint, n int, x double, y float, w bigint",
}
LAYOUTS = {
    "Ends": TableLayout(role=Role.DIRECTOR, key="id", position=("ra", "decl")),
    "Tail": TableLayout(role=Role.DEPENDENT, key="endId", director="Ends"),
}
WHOLE = ("t", "tu", "s", "su", "m", "mu", "i", "iu", "b", "bu", "flag", "id")
REAL = ("f", "g", "d", "e", "ra", "decl")
DECIMAL = ("p", "q", "r")
BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
REALS = (0.0, 1.0, -1.0, 0.5, 0.1, -0.1, 3.0, 2.5, 1e-300, 5e-324, 1e300, -1e300, 1.7976931348623157e308, 2.0**53, 2.0**53 + 2,
         2.0**63, -(2.0**63), 1 / 3, 16777217.0, 1e16, 123456.789)  # fmt: skip
FLOATS = (
    0.0,
    1.0,
    -1.0,
    0.5,
    0.1,
    -0.1,
    3.0,
    2.5,
    1e-38,
    1.4e-45,
    3.4028234e38,
    -3.4028234e38,
    16777216.0,
    1 / 3,
    1e10,
)
DECIMALS = {"p": ("0.00", "0.01", "-0.01", "1.00", "9999999.99", "-9999999.99", "2.50", "3.00"),
            "q": ("0", "0.0000000001", "-0.0000000001", "1", "9999999999.9999999999", "-9999999999.9999999999", "2.5"),
            "r": ("0", "1", "-1", "9" * 38, "-" + "9" * 38, "9007199254740993", "3")}  # fmt: skip
CONSTANTS = ("0", "1", "2", "3", "-1", "7", "127", "128", "255", "256", "-128", "32767", "65535", "8388607", "2147483647", "-2147483648",
             "2147483648", "4294967295", "4294967296", "9007199254740992", "9007199254740993", "9223372036854775807",
             "-9223372036854775807", "9223372036854775808", "18446744073709551615", "0.5", "2.5", "-2.5", "0.1", "3.0", "1e0", "0.1e0",
             "2.5e0", "1e10", "9007199254740993e0", "9.3e18", "1e300", "1e-300", "0.30000001", "1.00", "0e0", "TRUE")  # fmt: skip
VALUES = (
    "({v} + {v})", "({v} - {v})", "({v} * {v})", "({r} / {v})", "({v} / {v})", "({w} % {w})", "({w} DIV {w})", "(-{v})", "ABS({v})",
    "SQRT({r})", "IF({c}, {v}, {v})", "COALESCE({v}, {v})", "IFNULL({v}, {v})", "CASE WHEN {c} THEN {v} WHEN {c} THEN {v} ELSE {v} END",
    "CASE WHEN {c} THEN {v} END", "({c})",
)  # fmt: skip
CONDITIONS = (
    "{v} < {v}", "{v} <= {v}", "{v} > {v}", "{v} >= {v}", "{v} = {v}", "{v} <> {v}", "{v} <=> {v}", "{v} BETWEEN {v} AND {v}",
    "{v} NOT BETWEEN {v} AND {v}", "{v} IN ({v}, {v}, {v})", "{v} NOT IN ({k}, {k})", "{v} IN ({k}, {k}, {k}, {k})", "{v} IS NULL",
    "{v} IS NOT NULL", "txt IS NULL", "({c}) IS TRUE", "({c}) IS NOT FALSE", "({c} AND {c})", "({c} OR {c})", "({c} XOR {c})",
    "NOT ({c})", "{w}", "{r}", "{v} < {k}", "{v} > {k}", "{v} = {k}", "{k} >= {v}", "{v} BETWEEN {k} AND {k}",
)  # fmt: skip
AGGREGATES = ("COUNT(*)", "COUNT({v})", "SUM({v})", "MIN({v})", "MAX({v})", "AVG({v})", "STD({v})", "VAR_SAMP({v})",
              "COUNT(DISTINCT {w})", "SUM({c})", "COUNT({c})")  # fmt: skip
STATEMENTS = (
    "SELECT {v}, {v} FROM Ends", "SELECT id, {v} FROM Ends WHERE {c}", "SELECT COUNT(*) FROM Ends WHERE {c}",
    "SELECT id FROM Ends WHERE {c} AND {c}", "SELECT {a}, {a} FROM Ends", "SELECT {a} FROM Ends WHERE {c}",
    "SELECT {w}, {a} FROM Ends GROUP BY 1", "SELECT flag, {a}, {a} FROM Ends WHERE {c} GROUP BY flag", "SELECT DISTINCT {w} FROM Ends",
    "SELECT {g}, COUNT(*) FROM Ends GROUP BY {g}", "SELECT id, {v} FROM Ends WHERE {c} ORDER BY {v}, id LIMIT 7",
    "SELECT id FROM Ends ORDER BY {v} DESC, id DESC LIMIT 5",
    "SELECT e.id, tailId, n FROM Ends e JOIN Tail t ON e.id = t.endId WHERE n < {k} AND {c}",
    "SELECT n, COUNT(*), SUM(x) FROM Ends, Tail WHERE Ends.id = Tail.endId AND {c} GROUP BY n",
)  # fmt: skip
HOLE = re.compile(r"\{(\w)\}")


def drawn_statement(chance: Random) -> str:
    """One statement; {v}: a number, {w}: a whole one, {r}: a DOUBLE or FLOAT, {c}: a condition, {k}: a constant."""
    text = chance.choice(STATEMENTS)
    if "{g}" in text:
        text = text.replace("{g}", chance.choice((*WHOLE, *REAL)))
    return HOLE.sub(lambda match: _drawn(match.group(1), chance, 0), text)


def drawn_expression(chance: Random) -> str:
    """A number or a condition."""
    return _drawn(chance.choice("vvc"), chance, 0)


def _drawn(kind: str, chance: Random, depth: int) -> str:
    if kind == "k":
        return chance.choice(CONSTANTS)
    if kind == "w":
        return chance.choice(WHOLE) if depth > 2 or chance.random() < 0.7 else _drawn("v", chance, depth + 1)
    if kind == "r":
        return chance.choice(REAL)
    if kind == "v" and (depth > 2 or chance.random() < 0.55):
        return chance.choice((*WHOLE, *WHOLE, *REAL, *REAL, *DECIMAL, *CONSTANTS[:7]))
    if kind == "c" and depth > 2:
        return (
            f"{chance.choice((*WHOLE, *REAL))} {chance.choice(('<', '>', '=', '<>', '<='))} {chance.choice(CONSTANTS)}"
        )
    template = chance.choice({"v": VALUES, "c": CONDITIONS, "a": AGGREGATES}[kind])
    return HOLE.sub(lambda match: _drawn(match.group(1), chance, depth + 1), template)


def drawn_rows(chance: Random, table: Table, count: int) -> list[tuple[Any, ...]]:
    """Rows at the ends of the columns' types."""
    columns = [
        _values(chance, one.name, one.type.base, one.type.is_unsigned, one.is_nullable, count) for one in table.columns
    ]
    rows = list(zip(*columns, strict=True))
    if table.name == "Ends":
        return [(number, *row[1:]) for number, row in enumerate(rows)]
    return [(number, chance.randrange(-2, 40), *row[2:]) for number, row in enumerate(rows)]


def _values(chance: Random, name: str, base: str, unsigned: bool, nullable: bool, count: int) -> list[Any]:
    if name == "flag":
        return [chance.randrange(3) for _ in range(count)]
    if name in DECIMALS:
        drawn: list[Any] = [*DECIMALS[name]]
    elif base in BITS:
        low, high = (0, 2 ** BITS[base] - 1) if unsigned else (-(2 ** (BITS[base] - 1)), 2 ** (BITS[base] - 1) - 1)
        near = [
            0,
            1,
            2,
            3,
            7,
            low,
            low + 1,
            high,
            high - 1,
            -1,
            -7,
            2**31 - 1,
            2**31,
            2**32,
            2**53,
            2**53 + 1,
            2**63 - 1,
        ]
        drawn = [one for one in near if low <= one <= high]
    elif base == "varchar":
        drawn = ["a", "B"]
    else:
        drawn = [*(FLOATS if base == "float" else REALS)]
    return [chance.choice(drawn + [None] * nullable) for _ in range(count)]


def _catalog(counts: dict[str, int]) -> Catalog:
    tables = {}
    for name, columns in COLUMNS.items():
        entries = {chunk: ChunkEntry(counts[name] if chunk == CHUNKS[0] else 9, 0, ("one",)) for chunk in CHUNKS}
        table = table_of(name, columns).with_chunk_columns()
        tables[name] = CatalogTable(table, LAYOUTS[name], counts[name] + 99, ChunkEntries.of(entries))
    layout = Layout(striping=Striping(stripes=18, substripes=6, overlap_deg=0.1), tables={})
    return Catalog(DATABASE, layout, tables, ("one",))


class _Source:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def databases(self) -> list[str]:
        return [DATABASE]

    def catalog(self, name: str) -> Catalog:
        return self._catalog

    def locate_keys(self, database: str, director: str, keys: Any) -> dict[int, frozenset[int]]:
        return {key: frozenset(CHUNKS) for key in keys}

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return set(CHUNKS)


@dataclass(slots=True, eq=False)
class BothWays:
    """One chunk's tables on a server, and their columns here. ``counts``: what became of statements."""

    server: Connection
    seed: int
    rows: int = 60
    counts: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    _arrow: dict[str, pa.Table] = field(default_factory=dict)
    _source: _Source = field(init=False)

    def __post_init__(self) -> None:
        """Make the tables anew."""
        chance, counts = Random(self.seed), {"Ends": self.rows, "Tail": 2 * self.rows}
        self._source = _Source(_catalog(counts))
        self.server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        self.server.execute(f"CREATE DATABASE {DATABASE}")
        self.server.execute("CREATE DATABASE IF NOT EXISTS skyshard_scratch")
        for name, table in self._source.catalog("").tables.items():
            lines = ", ".join(
                f"`{one.name}` {one.type.text} {'NULL' if one.is_nullable else 'NOT NULL'}"
                for one in table.table.columns
            )
            for stored in (name, f"{name}_{CHUNKS[0]}"):
                self.server.execute(f"CREATE TABLE {DATABASE}.{stored} ({lines}) ENGINE=MyISAM DEFAULT CHARSET=latin1")
            rows = [(*row[:-2], CHUNKS[0], 1) for row in drawn_rows(chance, table.table, counts[name])]
            self.server.insert(f"{DATABASE}.{name}_{CHUNKS[0]}", rows)
            columns = [TypedColumn(one.name, one.type) for one in table.table.columns]
            read = ", ".join(column.fetched for column in columns)
            stored_rows = self.server.rows(f"SELECT {read} FROM {DATABASE}.{name}_{CHUNKS[0]}")
            self._arrow[name] = from_rows(stored_rows, columns)

    def plan(self, sql: str) -> QueryPlan:
        statement = parse_statement(sql)
        assert isinstance(statement, SelectStatement)
        return plan_statement(rewrite(bind(statement, self._source.catalog, DATABASE)), self._source)

    def difference(self, sql: str) -> str:
        """What differs between the two ways; empty where nothing does, or only the server answers."""
        try:
            plan = self.plan(sql)
        except SkyshardError:
            return self._counted("refused")
        pull = plan.pulls[0] if plan.pulls else None
        if pull is None or pull.column_way is None:
            self.why[pull.column_why if pull is not None else str(plan.kind)] += 1
            return self._counted("rows")
        try:
            columns = read_columns(pull, "q", self.server)
        except SkyshardError:
            return self._counted("no types")
        try:
            got = self._by_columns(pull, columns)
        except NotByColumns as error:
            self.why[str(error)[:60]] += 1
            return self._counted("fell back")
        try:
            want = self._by_rows(pull, columns)
        except SkyshardError as error:
            if "Tail" in sql:  # which rows of a join a condition meets is any server's choice
                return self._counted("any order")
            return f"an answer where the server says {error}"
        return self._counted(
            "alike", difference(got, want, is_exact=not any(word in sql for word in ("SUM(", "AVG(", "STD", "VAR")))
        )

    def admitted(self, expression: str) -> Pull | None:
        """The pull of an expression as a select item; None where the proof does not admit it."""
        try:
            pull = self.plan(f"SELECT {expression} FROM Ends").pulls[0]
        except SkyshardError:
            return None
        return pull if pull.column_way is not None else None

    def differences(self, drawn: list[tuple[str, Pull]]) -> list[str]:
        """What differs between expressions computed by columns, each alone, and on the server, all in one statement."""
        together = self.plan(f"SELECT {', '.join(one for one, _ in drawn)} FROM Ends").pulls[0]
        try:
            columns = read_columns(together, "q", self.server)
        except SkyshardError:
            return [found for one, _ in drawn if (found := self.difference(f"SELECT {one} FROM Ends"))]
        made: list[tuple[str, TypedColumn, pa.Table]] = []
        for (text, pull), column in zip(drawn, columns, strict=True):
            try:
                made.append((text, column, self._by_columns(pull, (column.renamed("c0"),))))
            except NotByColumns:
                self.counts["fell back"] += 1
        if not made:
            return []
        try:
            pull = self.plan(f"SELECT {', '.join(text for text, _, _ in made)} FROM Ends").pulls[0]
            want = self._by_rows(pull, tuple(one.renamed(f"c{at}") for at, (_, one, _) in enumerate(made)))
        except SkyshardError as error:
            return [f"the server says {error}", *(self.difference(f"SELECT {one} FROM Ends") for one, _, _ in made)]
        wrong = []
        for at, (text, _, got) in enumerate(made):
            alike = got.schema.types[0] == want.schema.types[at] and repr(got.column(0).to_pylist()) == repr(
                want.column(at).to_pylist()
            )
            self.counts["alike"] += alike
            wrong += [] if alike else [f"{got.column(0).to_pylist()} instead of {want.column(at).to_pylist()}: {text}"]
        return wrong

    def _counted(self, what: str, found: str = "") -> str:
        self.counts[what] += not found
        return found

    def _by_columns(self, pull: Pull, columns: tuple[TypedColumn, ...]) -> pa.Table:
        assert pull.column_way is not None
        slots = pull.template.slots
        tables = {
            part.slot: self._arrow[slots[part.slot].table.table.name].select(list(part.names))
            for part in pull.column_way.tables
        }
        found = compute(pull.column_way, tables, Calls())
        return in_types(found, [one.name for one in columns], [one.arrow for one in columns])

    def _by_rows(self, pull: Pull, columns: tuple[TypedColumn, ...]) -> pa.Table:
        text = cast_template(pull, columns, is_text=True).of_chunk(CHUNKS[0])
        return from_rows(self.server.rows(text), columns)
