"""Generated statements: czar and oracle must agree, whatever is asked.

Hypothesis draws tables, terms, aggregates, ORDER BY and LIMIT; a shrunk counterexample is a readable statement, which
then becomes a line of tests/cases/statements.sql.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.same_answer import difference
from tests.support.trouble_sky import DATABASE, KEY, Sky, build_sky

from skyshard.basics.errors import Refusal, UserError
from skyshard.cluster.private_cluster import PrivateCluster

pytestmark = pytest.mark.integration


NUMBERS = {
    "o": ["ra", "decl", "mag", "flux", "kind", "price", "objectId"],
    "p": ["ra", "decl", "mag", "kind"],
    "s": ["flux", "t", "n", "filterId", "sourceId", "objectId"],
    "n": ["noteId"],
    "f": ["filterId", "width"],
    "v": ["visitId", "t", "filterId"],
}
TEXTS = {
    "o": ["name", "code", "seen"],
    "p": ["name"],
    "s": ["label"],
    "n": ["body"],
    "f": ["filterName"],
    "v": ["remark"],
}
NEAR = "scisql_angSep(o.ra, o.decl, p.ra, p.decl)"
SOURCES = [
    ("Object o", "o", ""),
    ("Source s", "s", ""),
    ("Object o, Source s", "os", "o.objectId = s.objectId"),
    ("Object o JOIN Source s USING (objectId)", "os", ""),
    ("Object o LEFT JOIN Source s ON o.objectId = s.objectId AND s.flux > 20", "os", ""),
    ("Source s LEFT JOIN Object o ON s.objectId = o.objectId", "so", ""),
    ("Source s JOIN Filter f ON s.filterId = f.filterId", "sf", ""),
    ("Filter f LEFT JOIN Source s ON s.filterId = f.filterId", "fs", ""),
    ("Object o, Object p", "op", f"{NEAR} < 0.3"),
    (f"Object o LEFT JOIN Object p ON {NEAR} <= 0.4 AND p.kind > 0", "op", ""),
    ("Object o, Object p, Source s", "ops", f"{NEAR} < 0.2 AND s.objectId = p.objectId"),
    ("Object o JOIN Note n ON o.objectId = n.objectId", "on", ""),
    ("Source s JOIN Note n ON s.objectId = n.objectId", "sn", ""),
    ("Visit v JOIN Source s ON v.filterId = s.filterId", "vs", "v.visitId < 6"),
    ("(SELECT objectId, ra, decl, kind, mag, flux, price, name, code, seen FROM Object WHERE kind < 3) o", "o", ""),
]
AREAS = [
    "qserv_areaspec_box(350, -20, 40, 60)",
    "qserv_areaspec_circle(20, 10, 0.3) = 1",
    "qserv_areaspec_circle(0, 90, 40)",
    "1 = qserv_areaspec_poly(350, -10, 40, -10, 40, 30, 350, 30)",
]


class _Draw:
    """Draws one statement over one FROM clause."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.source, self.aliases, self.tie = self.one_of(SOURCES)

    def one_of(self, choices: Any) -> Any:
        return self._draw(st.sampled_from(list(choices)))

    def count(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def column(self, names: dict[str, list[str]] = NUMBERS) -> str:
        alias = self.one_of(self.aliases)
        return f"{alias}.{self.one_of(names[alias])}"

    def key(self) -> int:
        return KEY + 3 * self.count(0, 160) + int(self.one_of([0, 0, 0, 1]))

    def value(self, depth: int = 0) -> str:
        kind = self.count(0, 9) if depth < 2 else 0
        if kind < 5:
            return self.column()
        if kind == 5:
            return str(self.one_of([0, 1, -1, 3.5, "1e2"]))
        if kind == 6:
            return f"({self.value(depth + 1)} {self.one_of('+-')} {self.value(depth + 1)})"
        if kind == 7:
            return f"COALESCE({self.column()}, {self.value(depth + 1)})"
        if kind == 8:
            return f"CASE WHEN {self.term(depth + 1)} THEN {self.value(depth + 1)} END"
        return f"ABS({self.value(depth + 1)})"

    def term(self, depth: int = 0) -> str:
        kind = self.count(0, 9 if depth < 2 else 4)
        keyed = [alias for alias in self.aliases if alias in "os"]
        if kind == 0:
            return f"{self.column()} IS {self.one_of(['', 'NOT '])}NULL"
        if kind == 1:
            return f"{self.column()} {self.one_of(['', 'NOT '])}BETWEEN {self.count(0, 30)} AND {self.count(5, 200)}"
        if kind == 2:
            return f"{self.column(TEXTS)} {self.one_of(['LIKE', 'NOT LIKE', '<', '='])} 'n1%'"
        if kind == 3 and keyed:
            return f"{self.one_of(keyed)}.objectId {self.one_of(['=', '<', '>=', '<>'])} {self.key()}"
        if kind == 4 and keyed:
            return f"{self.one_of(keyed)}.objectId {self.one_of(['', 'NOT '])}IN ({self.key()}, {self.key()}, 77)"
        if kind == 5:
            return f"({self.term(depth + 1)} {self.one_of(['AND', 'OR', 'OR', 'XOR'])} {self.term(depth + 1)})"
        if kind == 6:
            return f"NOT ({self.term(depth + 1)})"
        if kind == 7 and "o" in self.aliases:
            return f"scisql_s2PtInBox(o.ra, o.decl, 350, -20, 60, 50) = {self.one_of([1, 1, 0])}"
        if kind == 8 and "o" in self.aliases:
            return f"scisql_angSep(o.ra, o.decl, 20, 10) < {self.one_of([0.3, 5, 50])}"
        return f"{self.value(depth + 1)} {self.one_of(['<', '>', '<=', '=', '<=>'])} {self.value(depth + 1)}"

    def aggregate(self) -> str:
        kind = self.count(0, 6)
        if kind == 0:
            return "COUNT(*)"
        if kind == 1:
            return f"COUNT({self.column()})"
        if kind == 2:
            return f"{self.one_of(['MIN', 'MAX'])}({self.column(self.one_of([NUMBERS, TEXTS]))})"
        if kind == 3:
            return f"({self.aggregate()} {self.one_of('+-')} COUNT(*))"
        if kind == 4:
            return f"SUM({self.term(1)})"
        return f"{self.one_of(['SUM', 'AVG'])}({self.value(1)})"

    def where(self) -> str:
        terms = [self.tie] if self.tie else []
        terms += [self.term() for _ in range(self.count(0, 2))]
        is_placed = "SELECT" not in self.source and set(self.aliases) & set("os") and self.aliases != "sn"
        if is_placed and self.count(0, 4) == 0:
            terms.append(self.one_of(AREAS))
        return f" WHERE {' AND '.join(terms)}" if terms else ""

    def order(self, columns: int) -> tuple[str, bool]:
        if self.count(0, 2):
            return "", False
        by = ", ".join(f"{place + 1}{self.one_of(['', ' DESC'])}" for place in range(columns))
        limit = f" LIMIT {self.count(0, 20)} OFFSET {self.count(0, 5)}" if self.count(0, 1) else ""
        return f" ORDER BY {by}{limit}", True


@st.composite
def statements(draw: st.DrawFn) -> tuple[str, bool]:
    """A statement, and whether the order of its rows is total."""
    one = _Draw(draw)
    kind = one.count(0, 2)
    if kind == 0:
        items = [one.one_of([one.column, lambda: one.column(TEXTS), one.value])() for _ in range(one.count(1, 3))]
        order, is_ordered = one.order(len(items))
        return (
            f"SELECT {one.one_of(['', 'DISTINCT '])}{', '.join(items)} FROM {one.source}{one.where()}{order}",
            is_ordered,
        )
    if kind == 1:
        items = [one.aggregate() for _ in range(one.count(1, 3))]
        having = f" HAVING COUNT(*) > {one.count(0, 50)}" if one.count(0, 3) == 0 else ""
        return f"SELECT {', '.join(items)} FROM {one.source}{one.where()}{having}", False
    group = [
        one.one_of([one.column(), one.column(TEXTS), f"FLOOR({one.column()} / 10)"]) for _ in range(one.count(1, 2))
    ]
    items = [*group, *(f"{one.aggregate()} AS a{number}" for number in range(one.count(0, 2)))]
    having = f" HAVING {one.aggregate()} > {one.count(0, 5)}" if one.count(0, 2) == 0 else ""
    order, is_ordered = one.order(len(items))
    text = f"SELECT {', '.join(items)} FROM {one.source}{one.where()} GROUP BY {', '.join(group)}{having}{order}"
    return text, is_ordered


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[Sky]:
    made = build_sky(private_cluster)
    yield made
    made.close()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
@given(case=statements(), way=st.sampled_from(["text", "image"]))
def test_generated_statements_agree(sky: Sky, case: tuple[str, bool], way: str) -> None:
    """Czar and oracle give the same names, types and rows, or both refuse; as text and as row images."""
    sql, is_ordered = case
    czar = sky.czars[way]
    try:
        want = sky.mono.execute(sql, DATABASE)
    except Refusal:
        raise
    except UserError:
        with pytest.raises(UserError):
            czar.execute(sql, DATABASE)
        return
    got = czar.execute(sql, DATABASE)
    assert difference(got, want, is_ordered=is_ordered) == "", sql
