"""Draws statements over the split sky: joins, areas, subqueries, aggregates, windows, unions.

A statement depends only on the chance that it is drawn with, so a seed names it. What an answer may depend on besides
the rows (ties under LIMIT, order inside GROUP_CONCAT) is always pinned. ``a = b AND a <=> b`` is never drawn: MariaDB
10.11 then joins NULLs too; nor DISTINCT over constants alone with an OFFSET, which it passes over.
"""

# ruff: noqa: E501, C901  (rows and statements read better whole)

from __future__ import annotations

from dataclasses import dataclass
from random import Random

NUMBERS = {
    "Star": ["ra", "decl", "mag", "flux", "kind", "price", "starId"],
    "Galaxy": ["ra", "dec_", "z", "kind", "bits", "galaxyId"],
    "Epoch": ["epochId", "starId", "t", "flux", "bandId", "raStar"],
    "Spectrum": ["spectrumId", "galaxyId", "snr", "lines_"],
    "Pair": ["starId", "galaxyId", "sep", "weight"],
    "Loose": ["starId", "galaxyId", "score"],
    "Band": ["bandId", "width"],
    "Run": ["runId", "bandId", "kind"],
}
WHOLE = {
    "Star": ["kind", "starId", "price"],
    "Galaxy": ["kind", "bits", "galaxyId"],
    "Epoch": ["epochId", "starId", "bandId"],
    "Spectrum": ["spectrumId", "lines_", "galaxyId"],
    "Pair": ["starId", "galaxyId", "weight"],
    "Loose": ["starId", "galaxyId"],
    "Band": ["bandId"],
    "Run": ["runId", "bandId", "kind"],
}
TEXTS = {"Star": ["name"], "Epoch": ["label"], "Band": ["bandName"], "Run": ["remark"]}
KEYS = {
    "Star": "starId",
    "Galaxy": "galaxyId",
    "Epoch": "starId",
    "Spectrum": "galaxyId",
    "Pair": "starId",
    "Loose": "starId",
}
POSITIONS = {"Star": ("ra", "decl"), "Galaxy": ("ra", "dec_"), "Epoch": ("raStar", "declStar")}


def near(one: str, other: str, radius: float, comparison: str = "<") -> str:
    columns = {
        "s": "s.ra, s.decl",
        "u": "u.ra, u.decl",
        "g": "g.ra, g.dec_",
        "e": "e.ra, e.decl",
        "d": "e.raStar, e.declStar",
        "h": "h.ra, h.dec_",
    }
    return f"scisql_angSep({columns[one]}, {columns[other]}) {comparison} {radius}"


def sources(overlap_deg: float) -> list[tuple[str, dict[str, str], str]]:
    """FROM clauses, the tables of their aliases, and the terms that belong into WHERE."""
    o = overlap_deg
    star, galaxy, epoch, pair, loose = "Star s", "Galaxy g", "Epoch e", "Pair p", "Loose l"
    se, sg = {"s": "Star", "e": "Epoch"}, {"s": "Star", "g": "Galaxy"}
    spg, slg = {"s": "Star", "p": "Pair", "g": "Galaxy"}, {"s": "Star", "l": "Loose", "g": "Galaxy"}
    su = {"s": "Star", "u": "Star"}
    return [
        (star, {"s": "Star"}, ""),
        (galaxy, {"g": "Galaxy"}, ""),
        (epoch, {"e": "Epoch"}, ""),
        (pair, {"p": "Pair"}, ""),
        (loose, {"l": "Loose"}, ""),
        (f"{star}, {epoch}", se, "s.starId = e.starId"),
        (f"{star} JOIN {epoch} USING (starId)", se, ""),
        (f"{star} LEFT JOIN {epoch} ON s.starId = e.starId AND e.flux > 40", se, ""),
        (f"{epoch} LEFT JOIN {star} ON s.starId = e.starId", se, ""),
        (f"{epoch} RIGHT JOIN {star} ON s.starId = e.starId", se, ""),
        (f"{star} NATURAL JOIN Spectrum n", {"s": "Star", "n": "Spectrum"}, "s.kind = n.lines_ AND s.kind < 2 AND n.snr < 5"),
        (f"{epoch} JOIN Band b ON e.bandId = b.bandId", {"e": "Epoch", "b": "Band"}, ""),
        (f"Band b LEFT JOIN {epoch} ON e.bandId = b.bandId", {"e": "Epoch", "b": "Band"}, ""),
        (f"{epoch} LEFT JOIN Band b ON e.bandId = b.bandId", {"e": "Epoch", "b": "Band"}, ""),
        (f"{star}, {epoch}, Band b", {**se, "b": "Band"}, "s.starId = e.starId AND b.bandId = e.bandId"),
        (f"{epoch} JOIN Epoch f ON e.starId = f.starId", {"e": "Epoch", "f": "Epoch"}, "e.epochId < f.epochId"),
        (f"{star}, Star u", su, near("s", "u", o)),
        (f"{star} JOIN Star u ON {near('s', 'u', o, '<=')}", su, "s.starId <> u.starId"),
        (f"{star} LEFT JOIN Star u ON {near('s', 'u', o / 2)} AND u.starId <> s.starId", su, ""),
        (f"{star}, {galaxy}", sg, near("s", "g", o)),
        (f"{galaxy} LEFT JOIN {star} ON {near('g', 's', o / 3)}", sg, ""),
        (f"{star}, Star u, {epoch}", {**su, "e": "Epoch"}, f"{near('s', 'u', o / 2)} AND e.starId = u.starId"),
        (f"{star}, Star u, {galaxy}", {**su, "g": "Galaxy"}, f"{near('s', 'u', o / 3)} AND {near('u', 'g', o / 3)}"),
        (f"{star}, {epoch}", se, near("s", "e", 0.002)),
        (f"{star}, {epoch}", se, near("s", "d", o / 2)),
        (f"{epoch} LEFT JOIN {star} ON {near('d', 's', o / 3)}", se, ""),
        (f"{galaxy} LEFT JOIN {epoch} ON {near('g', 'd', o / 3)}", {"g": "Galaxy", "e": "Epoch"}, ""),
        (f"{pair} JOIN {star} ON p.starId = s.starId", {"p": "Pair", "s": "Star"}, ""),
        (f"{pair} JOIN {galaxy} ON p.galaxyId = g.galaxyId", {"p": "Pair", "g": "Galaxy"}, ""),
        (f"{star}, {pair}, {galaxy}", spg, "s.starId = p.starId AND p.galaxyId = g.galaxyId"),
        (f"{star}, {pair}, {galaxy}", spg, f"s.starId = p.starId AND p.galaxyId = g.galaxyId AND {near('s', 'g', o)}"),
        (f"{star} LEFT JOIN {pair} ON s.starId = p.starId LEFT JOIN {galaxy} ON g.galaxyId = p.galaxyId", spg, ""),
        (f"{pair} LEFT JOIN {galaxy} ON p.galaxyId = g.galaxyId", {"p": "Pair", "g": "Galaxy"}, ""),
        (f"{pair} LEFT JOIN {star} ON p.starId = s.starId", {"p": "Pair", "s": "Star"}, ""),
        (f"{galaxy} LEFT JOIN {pair} ON p.galaxyId = g.galaxyId AND p.weight > 5", {"p": "Pair", "g": "Galaxy"}, ""),
        (f"{epoch} JOIN {pair} ON p.starId = e.starId", {"p": "Pair", "e": "Epoch"}, ""),
        (f"{pair} JOIN Spectrum n USING (galaxyId)", {"p": "Pair", "n": "Spectrum"}, ""),
        (f"{star} JOIN {loose} ON s.starId = l.starId", {"s": "Star", "l": "Loose"}, ""),
        (f"{galaxy} JOIN {loose} ON g.galaxyId = l.galaxyId", {"g": "Galaxy", "l": "Loose"}, ""),
        (f"{star}, {loose}, {galaxy}", slg, "s.starId = l.starId AND l.galaxyId = g.galaxyId"),
        (f"{loose} LEFT JOIN {star} ON l.starId = s.starId", {"s": "Star", "l": "Loose"}, ""),
        (f"{pair} JOIN {loose} ON p.starId = l.starId AND p.galaxyId <> l.galaxyId", {"p": "Pair", "l": "Loose"}, ""),
        (f"{galaxy} JOIN Spectrum n ON g.galaxyId = n.galaxyId", {"g": "Galaxy", "n": "Spectrum"}, ""),
        ("Run r LEFT JOIN Band b ON r.bandId = b.bandId", {"r": "Run", "b": "Band"}, ""),
        ("(SELECT * FROM Star WHERE kind < 3) s", {"s": "Star"}, ""),
        (f"(SELECT starId, COUNT(*) epochId, MAX(t) t, MIN(flux) flux, 1 bandId, 'x' label, 0e0 raStar FROM Epoch GROUP BY starId) e JOIN {star} ON s.starId = e.starId", se, ""),
    ]  # fmt: skip


@dataclass
class Grammar:
    """Draws one statement after the other; ``extent``: how many stars there are, for keys.

    ``box``: four numbers of a box that all rows with a position are held to.
    """

    chance: Random
    overlap_deg: float
    extent: int
    box: str = ""

    def statement(self) -> tuple[str, bool]:
        """A statement, and whether the order of its rows is total."""
        kind = self.chance.randrange(12)
        if kind == 0:
            return self.union()
        if kind == 1:
            return self.with_clause()
        if kind == 2:
            return self.window()
        if kind < 6:
            return self.plain()
        return self.totals() if kind < 9 else self.grouped()

    def pick(self) -> None:
        self.source, self.aliases, self.tie = self.chance.choice(sources(self.overlap_deg))

    def column(self, kinds: dict[str, list[str]] = NUMBERS) -> str:
        alias = self.chance.choice([one for one, table in self.aliases.items() if table in kinds] or list(self.aliases))
        table = self.aliases[alias]
        return f"{alias}.{self.chance.choice(kinds.get(table) or NUMBERS[table])}"

    def value(self, depth: int = 0) -> str:
        kind = self.chance.randrange(11) if depth < 2 else 0
        if kind < 5:
            return self.column()
        if kind == 5:
            return str(self.chance.choice([0, 1, -1, 3.5, "1e2", "0.25"]))
        if kind == 6:
            return f"({self.value(depth + 1)} {self.chance.choice('+-*')} {self.value(depth + 1)})"
        if kind == 7:
            return f"COALESCE({self.column()}, {self.value(depth + 1)})"
        if kind == 8:
            return f"CASE WHEN {self.term(depth + 2)} THEN {self.value(depth + 1)} ELSE {self.column()} END"
        if kind == 9:
            return f"IF({self.term(depth + 2)}, {self.column()}, 7)"
        return f"ABS({self.value(depth + 1)})"

    def key(self) -> str:
        n = self.chance.randrange(self.extent)
        return str(self.chance.choice([n * 3 + 7, n * 3 + 7, n, n * 2 + 10**5]))

    def term(self, depth: int = 0) -> str:
        kind = self.chance.randrange(17 if depth < 1 else 12 if depth < 2 else 6)
        chance = self.chance
        if kind == 0:
            return f"{self.column()} IS {chance.choice(['', 'NOT '])}NULL"
        if kind == 1:
            return f"{self.column()} {chance.choice(['', 'NOT '])}BETWEEN {chance.randrange(30)} AND {chance.randrange(5, 2000)}"
        if kind == 2:
            text = self.column(TEXTS)
            return f"{text} {chance.choice(['LIKE', 'NOT LIKE', '<', '=', '>='])} '{chance.choice('sel')}{chance.randrange(3)}%'"
        if kind in (3, 4):
            return self.keyed()
        if kind == 5:
            return self.placed()
        if kind == 6:
            words = chance.choice(["AND", "OR", "OR", "XOR"])
            return f"({self.term(depth + 1)} {words} {self.term(depth + 1)})"
        if kind == 7:
            return f"NOT ({self.term(depth + 1)})"
        if kind in (12, 13):
            return self.subquery()
        if kind == 8:
            return f"{self.column()} <=> {chance.choice(['NULL', '1', self.key()])}"
        return f"{self.value(depth + 1)} {chance.choice(['<', '>', '<=', '=', '<>'])} {self.value(depth + 1)}"

    def keyed(self) -> str:
        found = [f"{alias}.{KEYS[table]}" for alias, table in self.aliases.items() if table in KEYS]
        name = self.chance.choice(found) if found else self.column(WHOLE)
        kind = self.chance.randrange(4)
        if kind == 0:
            return f"{name} {self.chance.choice(['=', '<', '>=', '<>', '<=>'])} {self.key()}"
        if kind == 1:
            return f"{name} {self.chance.choice(['', 'NOT '])}IN ({self.key()}, {self.key()}, {self.key()})"
        if kind == 2:
            return f"({name} = {self.key()} OR {name} = {self.key()})"
        return f"{name} BETWEEN {self.key()} AND {self.key()}"

    def placed(self) -> str:
        found = [(alias, POSITIONS[table]) for alias, table in self.aliases.items() if table in POSITIONS]
        if not found:
            return f"{self.column()} IS NOT NULL"
        alias, (ra, dec) = self.chance.choice(found)
        if alias == "e" and "SELECT" in self.source:
            return "e.t > 3"
        at = f"{alias}.{ra}, {alias}.{dec}"
        centre = f"{self.chance.choice([0, 20, 180, 359.9, 77])}, {self.chance.choice([0, -89.9, 90, 45, -30])}"
        kind = self.chance.randrange(8)
        if kind == 0:
            return f"scisql_s2PtInCircle({at}, {centre}, {self.chance.choice([0.3, 10, 60])}) = {self.chance.choice([1, 1, 0])}"
        if kind == 1:
            return f"scisql_s2PtInBox({at}, 350, -20, 60, 50) {self.chance.choice(['= 1', '= 1', '<> 0', '= 0'])}"
        if kind == 2:
            return f"scisql_angSep({at}, {centre}) {self.chance.choice(['<', '<=', '>'])} {self.chance.choice([0.5, 20, 80])}"
        if kind == 3:
            low = self.chance.choice([-180, -20, 0, 10, 170, 200])
            return f"{alias}.{ra} BETWEEN {low} AND {low} + {self.chance.choice([0, 5, 40, 200])}"
        if kind == 4:
            return f"{alias}.{dec} {self.chance.choice(['<', '>=', '>'])} {self.chance.choice([-88, -30, 0, 45, 89.5])}"
        if kind == 5:
            return f"scisql_s2PtInCPoly({at}, 350, -10, 40, -10, 40, 30, 350, 30) = 1"
        if kind == 6 and self.source.split()[0] in ("Star", "Galaxy") and "Loose" not in self.source:
            return self.area()
        return f"{alias}.{ra} > {self.chance.choice([-90, 0, 100, 300])} AND {alias}.{ra} < {self.chance.choice([-60, 20, 180, 360])}"

    def boxed(self) -> list[str]:
        """Terms that hold all positions to the box."""
        found = [(alias, POSITIONS[table]) for alias, table in self.aliases.items() if table in POSITIONS]
        placed = [one for one in found if one[0] != "e" or "SELECT" not in self.source]
        return [f"scisql_s2PtInBox({alias}.{ra}, {alias}.{dec}, {self.box}) = 1" for alias, (ra, dec) in placed]

    def area(self) -> str:
        if any(table in ("Spectrum", "Pair") for table in self.aliases.values()):
            return "1 = 1"
        area = self.chance.choice([
            "qserv_areaspec_box(350, -20, 40, 60)", "qserv_areaspec_circle(20, 10, 30)", "qserv_areaspec_circle(0, 90, 40)",
            "qserv_areaspec_poly(350, -10, 40, -10, 40, 30, 350, 30)", "qserv_areaspec_ellipse(180, 45, 30000, 9000, 30)",
        ])  # fmt: skip
        return f"{area}{self.chance.choice(['', '', ' = 1', ' = 0'])}"

    def subquery(self) -> str:
        chance = self.chance
        keyed = [(alias, KEYS[table]) for alias, table in self.aliases.items() if table in KEYS]
        kind = chance.randrange(6)
        if kind == 0 or not keyed:
            inner = chance.choice(
                [
                    "AVG(mag) FROM Star",
                    "MAX(t) FROM Epoch WHERE flux > 50",
                    "MIN(weight) FROM Pair",
                    "COUNT(*) FROM Galaxy WHERE z > 1",
                ]
            )
            return f"{self.column()} {chance.choice(['<', '>', '='])} (SELECT {inner})"
        alias, key = chance.choice(keyed)
        table = chance.choice(
            ["Epoch", "Star", "Pair", "Loose"] if key == "starId" else ["Galaxy", "Spectrum", "Pair", "Loose"]
        )
        where = {
            "Epoch": "flux > 80",
            "Star": "mag < 15",
            "Pair": "weight < 4",
            "Loose": "score > 0.8",
            "Galaxy": "z > 2",
            "Spectrum": "snr > 20",
        }[table]
        if kind < 3:
            not_null = f" AND {key} IS NOT NULL" if chance.random() < 0.7 else ""
            return f"{alias}.{key} {chance.choice(['', 'NOT '])}IN (SELECT {key} FROM {table} WHERE {where}{not_null})"
        if kind == 3:
            return f"{chance.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM {table} x WHERE x.{key} = {alias}.{key} AND {where})"
        if kind == 4:
            return f"{alias}.{key} {chance.choice(['>= ALL', '> ANY', '= ANY'])} (SELECT {key} FROM {table} WHERE {where} AND {key} IS NOT NULL)"
        return f"(SELECT COUNT(*) FROM {table} x WHERE x.{key} = {alias}.{key}) {chance.choice(['=', '>'])} {chance.randrange(3)}"

    def where(self) -> str:
        terms = [self.tie] if self.tie else []
        terms += [self.term() for _ in range(self.chance.choice([0, 1, 1, 2, 3]))]
        terms += self.boxed() if self.box else []
        return f" WHERE {' AND '.join(f'({term})' if ' OR ' in term else term for term in terms)}" if terms else ""

    def aggregate(self) -> str:
        kind, chance = self.chance.randrange(16), self.chance
        if kind == 0:
            return "COUNT(*)"
        if kind == 1:
            return f"COUNT({self.column()})"
        if kind in (2, 3):
            return f"COUNT(DISTINCT {chance.choice([self.column(), self.column(WHOLE), self.column(TEXTS)])})"
        if kind == 4:
            return f"{chance.choice(['MIN', 'MAX'])}({self.column(chance.choice([NUMBERS, TEXTS]))})"
        if kind == 5:
            return f"({self.aggregate()} {chance.choice('+-')} COUNT(*))"
        if kind == 6:
            return f"{chance.choice(['BIT_AND', 'BIT_OR', 'BIT_XOR'])}({self.column(WHOLE)})"
        if kind in (7, 8):
            name = chance.choice(["STD", "STDDEV_SAMP", "VAR_POP", "VARIANCE", "VAR_SAMP", "STDDEV"])
            return f"{name}({chance.choice([self.column(), self.value(1)])})"
        if kind == 9:
            one = self.column(WHOLE)
            return f"GROUP_CONCAT(DISTINCT {one} ORDER BY {one}{chance.choice(['', ' DESC'])} SEPARATOR '{chance.choice(',;')}')"
        if kind == 10:
            return f"{chance.choice(['SUM', 'AVG'])}(DISTINCT {self.column(WHOLE)})"
        if kind == 11:
            return f"ROUND(AVG({self.column(WHOLE)}), 3)"
        if kind == 12:
            return f"SUM({self.term(1)})"
        if kind == 13:
            return f"COUNT(DISTINCT {self.column(WHOLE)}, {self.column(WHOLE)})"
        return f"{chance.choice(['SUM', 'AVG'])}({self.value(1)})"

    def order(self, columns: int) -> tuple[str, bool]:
        if self.chance.randrange(3):
            return "", False
        by = ", ".join(f"{place + 1}{self.chance.choice(['', ' DESC'])}" for place in range(columns))
        limit = (
            f" LIMIT {self.chance.randrange(20)} OFFSET {self.chance.randrange(5)}"
            if self.chance.random() < 0.5
            else ""
        )
        return f" ORDER BY {by}{limit}", True

    def items(self, most: int) -> list[str]:
        draw = [self.column, lambda: self.column(TEXTS), self.value]
        return [self.chance.choice(draw)() for _ in range(self.chance.randint(1, most))]

    def plain(self) -> tuple[str, bool]:
        self.pick()
        items = [self.column(), *self.items(2)]
        order, is_ordered = self.order(len(items))
        distinct = self.chance.choice(["", "", "DISTINCT "])
        return f"SELECT {distinct}{', '.join(items)} FROM {self.source}{self.where()}{order}", is_ordered

    def totals(self) -> tuple[str, bool]:
        self.pick()
        items = [self.aggregate() for _ in range(self.chance.randint(1, 3))]
        having = f" HAVING {self.aggregate()} > {self.chance.randrange(50)}" if self.chance.random() < 0.2 else ""
        return f"SELECT {', '.join(items)} FROM {self.source}{self.where()}{having}", False

    def grouped(self) -> tuple[str, bool]:
        self.pick()
        choices = [
            self.column(),
            self.column(TEXTS),
            f"FLOOR({self.column()} / 10)",
            self.column(WHOLE),
            f"{self.column(WHOLE)} % 3",
        ]
        group = [self.chance.choice(choices) for _ in range(self.chance.randint(1, 2))]
        items = [*group, *(f"{self.aggregate()} AS a{number}" for number in range(self.chance.randrange(3)))]
        having = f" HAVING {self.aggregate()} > {self.chance.randrange(5)}" if self.chance.random() < 0.3 else ""
        rollup = " WITH ROLLUP" if self.chance.random() < 0.05 else ""
        order, is_ordered = ("", False) if rollup else self.order(len(items))
        text = f"SELECT {', '.join(items)} FROM {self.source}{self.where()} GROUP BY {', '.join(group)}{rollup}{having}{order}"
        return text, is_ordered

    def union(self) -> tuple[str, bool]:
        self.pick()
        one = f"SELECT {self.column(WHOLE)} a, {self.column()} b FROM {self.source}{self.where()}"
        self.pick()
        other = f"SELECT {self.column(WHOLE)}, {self.column()} FROM {self.source}{self.where()}"
        word = self.chance.choice(["UNION", "UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
        order = self.chance.choice(["", " ORDER BY a, b", " ORDER BY 2, 1 DESC LIMIT 7"])
        return f"{one} {word} {other}{order}", bool(order)

    def with_clause(self) -> tuple[str, bool]:
        self.pick()
        first = f"SELECT {self.column(WHOLE)} a, {self.column()} b FROM {self.source}{self.where()}"
        inner = self.chance.choice(["SELECT a, COUNT(*) n FROM w GROUP BY a", "SELECT x.a, y.b FROM w x JOIN w y ON x.a = y.a AND x.b < y.b",
                                    "SELECT COUNT(*), MAX(b) FROM w", "SELECT w.a, r.runId FROM w, Run r WHERE w.a = r.kind",
                                    "SELECT s.starId, w.b FROM w JOIN Star s ON s.starId = w.a"])  # fmt: skip
        return f"WITH w AS ({first}) {inner}", False

    def window(self) -> tuple[str, bool]:
        self.pick()
        part, by = (
            self.column(WHOLE),
            ", ".join(f"{alias}.{name}" for alias, table in self.aliases.items() for name in NUMBERS[table]),
        )
        call = self.chance.choice([f"SUM({self.column(WHOLE)})", "COUNT(*)", f"MAX({self.column()})"])
        ranked = self.chance.choice([f"ROW_NUMBER() OVER (PARTITION BY {part} ORDER BY {by})", f"{call} OVER (PARTITION BY {part})",
                                     f"RANK() OVER (ORDER BY {by})"])  # fmt: skip
        return f"SELECT {self.column()} x, {ranked} w FROM {self.source}{self.where()}", False
