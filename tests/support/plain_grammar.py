"""Draws statements over ``plain_sky``: as the czar gets them, and as a plain server does, which is the very same text.

Only areas and separations, which a plain server does not know, are written out for it, by other formulas than ours. A
statement depends only on the chance that it is drawn with. What an answer may depend on besides the rows is pinned: a
LIMIT, a frame and GROUP_CONCAT have a total order, no sum is of quotients, nothing is taken from any row of a group. Nothing
is grouped by a BIT: MariaDB 10.11 names such groups by the next one where it sorts the rows, as for COUNT(DISTINCT x).
"""

# ruff: noqa: E501  (templates read better whole)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from tests.support.plain_areas import Areas
from tests.support.plain_tables import draw_table
from tests.support.plain_templates import COLUMN_KINDS, FALLBACK, HOLE, SIMPLE, TEMPLATES, Column, Source, Statement

T = TypeVar("T")


class Grammar:
    """Draws one statement."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.areas = Areas(chance)
        self._aliases = iter(chance.sample([f"{a}{b}" for a in "opqrst" for b in ("", "1", "2", "_x")], 24))
        self._ctes: list[Source] = []
        self._bare: set[tuple[str, str]] = set()
        """Tables that stand without an alias: each once."""
        self.has_nested = self.often(0.4)
        """Whether it may have subqueries in its conditions and values."""
        self.templates = TEMPLATES | SIMPLE if self.often(0.3) else TEMPLATES

    def statement(self) -> Statement:
        text, is_ordered = self.one_of([self._query] * 9 + [self._set_operation, self._with, self._with])()
        text = self._decorated(text)
        return Statement(*self.areas.written(text), is_ordered)

    def one_of(self, choices: Sequence[T]) -> T:
        return self.chance.choice(choices)

    def often(self, share: float) -> bool:
        return self.chance.random() < share

    def _decorated(self, text: str) -> str:
        kind = self.chance.randrange(24)
        decorated = {
            0: f"/* ' a */ {text}",
            1: f"{text} -- end",
            2: f"{text} # end;",
            3: f"{text};",
            4: text.replace(" WHERE ", "\n  where ", 1),
        }
        return decorated.get(kind, text)

    # queries

    def _query(self, outer: Sequence[Column] = ()) -> tuple[str, bool]:
        source = self.source(1 if outer else 3)
        one = Block(self, source, outer)
        if self.often(0.02):
            return (
                f"SELECT {self.one_of(['1 + 1', 'NULL AS x', chr(39) + 'a' + chr(39), 'GREATEST(1, 2e0), 0x41', 'PI() > 3'])}",
                True,
            )
        return self.one_of([one.plain, one.plain, one.totals, one.grouped, one.grouped, one.windows])()

    def _set_operation(self) -> tuple[str, bool]:
        """Of queries with as many columns of like kinds."""
        kinds = [self.one_of("ninti") for _ in range(self.chance.randint(1, 3))]

        def side(depth: int = 0) -> str:
            if depth < 2 and self.often(0.25):
                return f"({side(depth + 1)} {word()} {side(depth + 1)})"
            one = Block(self, self.source(2), ())
            items = [f"{one.filled('{' + kind + '}')} AS c{at}" for at, kind in enumerate(kinds)]
            text = (
                f"SELECT {self.one_of(['', 'DISTINCT ', 'ALL '])}{', '.join(items)} FROM {one.source.text}{one.where()}"
            )
            return f"({text})" if self.often(0.3) else text

        def word() -> str:
            return self.one_of(
                ["UNION", "UNION ALL", "EXCEPT", "INTERSECT", "UNION DISTINCT", "EXCEPT ALL", "INTERSECT ALL"]
            )

        text = f"{side()} {word()} {side()}"
        if self.often(0.4):
            text += f" {word()} {side()}"
        if self.often(0.4):
            order = ", ".join(f"{at + 1}{self.one_of(['', ' DESC'])}" for at in range(len(kinds)))
            text += f" ORDER BY {order}{self.limit()}"
            return text, False  # texts that are equal may come in any order
        return text, False

    def _with(self) -> tuple[str, bool]:
        if self.often(0.2):
            limit = self.chance.randint(2, 6)
            text = f"WITH RECURSIVE r (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM r WHERE a < {limit}) SELECT r.a, COUNT(o.id) n FROM r LEFT JOIN Obj o ON o.n = r.a GROUP BY r.a"
            return text, False
        parts = []
        for at in range(self.chance.randint(1, 2)):
            source = self.derived(f"w{at}")
            parts.append(f"w{at} AS {source.text.rpartition(' AS ')[0]}")
            self._ctes.append(replace(source, text=f"w{at}"))
        text, is_ordered = self._query()
        return f"WITH {', '.join(parts)} {text}", is_ordered

    def limit(self) -> str:
        count, offset = self.chance.randrange(12), self.chance.randrange(6)
        return self.one_of(
            [
                "",
                "",
                f" LIMIT {count}",
                f" LIMIT {count} OFFSET {offset}",
                f" LIMIT {offset}, {count}",
                " LIMIT 0",
                f" OFFSET {offset} ROWS FETCH NEXT {count + 1} ROWS ONLY",
                f" FETCH FIRST {count + 1} ROWS WITH TIES",
            ]
        )

    # sources

    def source(self, most: int) -> Source:
        found = self._one()
        for _ in range(self.one_of([0, 0, 0, 1, 1, 2][: most + 3]) if most > 1 else 0):
            found = self._joined(found, self._one())
        return found

    def _one(self) -> Source:
        if self._ctes and self.often(0.6):
            cte, alias = self.one_of(self._ctes), next(self._aliases)
            columns = [Column(one.text.replace(f"{cte.text}.", f"{alias}.", 1), one.kind) for one in cte.columns]
            return Source(
                f"{cte.text} {alias}", columns, [key.replace(f"{cte.text}.", f"{alias}.", 1) for key in cte.keys]
            )
        return self.derived(next(self._aliases)) if self.often(0.15) else self._table()

    def _table(self) -> Source:
        return draw_table(self.chance, lambda: next(self._aliases), self._bare)

    def derived(self, alias: str) -> Source:
        """A derived table with a key, of values or of groups."""
        inner = Block(self, self._one() if self.often(0.2) else self._table(), ())
        if self.often(0.12):
            other = Block(self, self._table(), ())
            sides = [f"SELECT {one.filled('{I}')} AS k FROM {one.source.text}{one.where()}" for one in (inner, other)]
            text = f"({self.one_of([' UNION ', ' INTERSECT ', ' EXCEPT ']).join(sides)})"
            return Source(f"{text} AS {alias}", [Column(f"{alias}.k", "i")], [f"{alias}.k"])
        kinds = [self.one_of("intIDtN") for _ in range(self.chance.randint(1, 3))]
        if self.often(0.5):
            items = [
                f"{inner.source.keys[0]} AS k",
                *(f"{inner.filled('{' + kind + '}')} AS e{at}" for at, kind in enumerate(kinds)),
            ]
            text = f"(SELECT {', '.join(items)} FROM {inner.source.text}{inner.where()}{' LIMIT 1000' if self.often(0.1) else ''})"
            columns = [
                Column(f"{alias}.k", "i"),
                *(
                    Column(f"{alias}.e{at}", {"n": "p", "N": "p", "I": "i"}.get(kind, kind))
                    for at, kind in enumerate(kinds)
                ),
            ]
        else:
            group = inner.filled("{I}")
            text = f"(SELECT {group} AS k, COUNT(*) AS e0, MAX({inner.filled('{t}')}) AS e1 FROM {inner.source.text}{inner.where()} GROUP BY {group})"
            columns = [Column(f"{alias}.k", "i"), Column(f"{alias}.e0", "i"), Column(f"{alias}.e1", "t")]
        return Source(f"{text} AS {alias}", columns, [f"{alias}.k"])

    def _joined(self, left: Source, right: Source) -> Source:
        columns, keys = [*left.columns, *right.columns], [*left.keys, *right.keys]
        pair = Block(self, Source("", columns, keys), ())
        one, other = (self.one_of([c.text for c in side.columns if c.kind == "i"][:2]) for side in (left, right))
        on = self.one_of(
            [
                f"{one} = {other}",
                f"{left.keys[-1]} = {right.columns[min(1, len(right.columns) - 1)].text}",
                f"{one} = {other} AND {pair.filled('{c}', 2)}",
            ]
        )
        ids = [[c.text for c in side.columns if c.text.endswith(".id")] for side in (left, right)]
        if all(ids) and self.often(0.85):
            on = f"{ids[0][-1]} = {ids[1][0]}" + (f" AND {pair.filled('{c}', 2)}" if self.often(0.3) else "")
        places, is_placed = [*left.places, *right.places], left.is_placed and right.is_placed
        kind = self.chance.randrange(9)
        is_pair = not {",", "J"} & {*left.text} and "(" not in left.text + right.text
        if kind == 8 and is_pair and self.often(0.5):
            word = self.one_of(["NATURAL JOIN", "NATURAL LEFT JOIN", "NATURAL RIGHT JOIN"])
            return Source(f"{left.text} {word} {right.text}", columns, keys, left.tie, places, False)
        if kind == 0:
            tie = f"{left.tie} AND {on}" if left.tie else on
            return Source(f"{left.text}, {right.text}", columns, keys, tie, places, is_placed)
        if kind < 4:
            side = self.one_of(["LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "LEFT JOIN"])
            text = (
                f"{left.text} {side} {right.text} ON {on}"
                if "," not in left.text
                else f"({left.text}) {side} {right.text} ON {on}"
            )
            return Source(text, columns, keys, left.tie, places, False)
        if kind == 4 and "," not in left.text and "JOIN" not in left.text and all(ids):
            side = self.one_of(["JOIN", "LEFT JOIN", "RIGHT JOIN", "INNER JOIN"])
            return Source(
                f"{left.text} {side} {right.text} USING (id)",
                columns,
                keys,
                left.tie,
                places,
                is_placed and side.endswith("R JOIN"),
            )
        word = self.one_of(["JOIN", "INNER JOIN", "STRAIGHT_JOIN", "CROSS JOIN"])
        text = (
            f"({left.text}) {word} {right.text} ON {on}"
            if "," in left.text
            else f"{left.text} {word} {right.text} ON {on}"
        )
        return Source(text, columns, keys, left.tie, places, is_placed)


@dataclass(slots=True)
class Block:
    """One SELECT; ``outer``: columns of the query around it."""

    grammar: Grammar
    source: Source
    outer: Sequence[Column]
    depth: int = 0

    def filled(self, template: str, depth: int = 0) -> str:
        return HOLE.sub(lambda match: self._drawn(match.group(1), depth), template)

    def _drawn(self, kind: str, depth: int) -> str:
        grammar = self.grammar
        if kind in ("K", "O"):
            return ", ".join(self.source.keys)
        if kind == "A":
            return grammar.areas.draw(self.source) if self.depth == 0 else "1 = 1"
        if kind == "G":
            one = self.filled("{I}")
            return f"{one} ORDER BY {one}{grammar.one_of(['', ' DESC'])}"
        if kind in ("E", "S") and (not grammar.has_nested or depth > 1 or self.depth > 1):
            return self.filled("{I} {o} {k}" if kind == "E" else "{I}", 3)
        if kind in ("E", "S"):
            return self.subquery(kind)
        if kind == "v" and "v" in grammar.templates:
            return self.filled(grammar.one_of(grammar.templates["v"]), depth)
        if kind == "v":
            kind = grammar.one_of("nnttDTIUZy")
        if kind == "g":
            return self.filled(grammar.one_of(["{I}", "{I}", "{T0}", "{I} % 3"]), 3)
        wanted = COLUMN_KINDS.get(kind) or {
            "n": "iiiprpr",
            "i": "i",
            "t": "t",
            "D": "D",
            "T": "T",
            "j": "j",
            "y": "y",
        }.get(kind, "")
        if wanted and (kind in COLUMN_KINDS or depth > 2 or grammar.often(0.55)):
            known = [
                *self.source.columns,
                *(self.outer if self.outer and grammar.often(0.3) and kind not in COLUMN_KINDS else ()),
            ]
            found = [one.text for one in known if one.kind in wanted]
            return grammar.one_of(found) if found else self.filled(FALLBACK[kind], depth + 1)
        if kind == "c" and depth > 2:
            return self.filled("{I} {o} {k}", depth)
        return self.filled(grammar.one_of(grammar.templates[kind]), depth + 1)

    def subquery(self, kind: str) -> str:
        """E: a condition, S: a value."""
        grammar = self.grammar
        inner = Block(grammar, grammar.source(1), self.source.columns, self.depth + 1)
        mine = self.filled("{I}", 3)
        tie = f"{inner.filled('{I}', 3)} = {mine}"
        rest = f"FROM {inner.source.text}"
        if kind == "S":
            return grammar.one_of([f"(SELECT {inner.filled('{a}', 2)} {rest}{inner.where()})", f"(SELECT COUNT(*) {rest} WHERE {tie})", f"(SELECT MAX({inner.filled('{n}', 2)}) {rest} WHERE {tie} AND {inner.filled('{c}', 2)})",
                                   f"(SELECT {inner.source.keys[0]} {rest}{inner.where()} ORDER BY {', '.join(inner.source.keys)} LIMIT 1)"])  # fmt: skip
        item = inner.filled(grammar.one_of(["{I}", "{I}", "{n}"]), 2)
        return grammar.one_of([
            f"{mine} {grammar.one_of(['', 'NOT '])}IN (SELECT {item} {rest}{inner.where()})", f"{grammar.one_of(['', 'NOT '])}EXISTS (SELECT 1 {rest} WHERE {tie} AND {inner.filled('{c}', 2)})",
            f"{mine} {grammar.one_of(['> ANY', '= ANY', '<> ALL', '= SOME'])} (SELECT {item} {rest}{inner.where()})", f"EXISTS (SELECT * {rest}{inner.where()})",
            f"{mine} IN (SELECT {item} {rest}{inner.where()} GROUP BY {item} HAVING COUNT(*) > 1)", f"({mine}, 1) IN (SELECT {inner.filled('{I}', 3)}, {inner.filled('{I}', 3)} {rest})",
        ])  # fmt: skip

    def where(self) -> str:
        terms = [self.source.tie] if self.source.tie else []
        terms += [self.filled("{c}") for _ in range(self.grammar.one_of([0, 1, 1, 2]))]
        if self.depth == 0 and not self.outer and self.grammar.often(0.12):
            area = self.grammar.areas.draw(self.source)
            terms.append(self.grammar.one_of([area, f"NOT {area}", f"({area} OR {self.filled('{c}', 2)})"]))
        return f" WHERE {' AND '.join(f'({term})' for term in terms)}" if terms else ""

    def _items(self, most: int) -> list[str]:
        return [self.filled("{v}") for _ in range(self.grammar.chance.randint(1, most))]

    def _ordered(self, by: list[str], *, is_total: bool) -> tuple[str, bool]:
        grammar = self.grammar
        if grammar.often(0.55):
            return "", False
        terms = [f"{term}{grammar.one_of(['', ' DESC', ' ASC'])}" for term in by]
        return f" ORDER BY {', '.join(terms)}{grammar.limit() if is_total else ''}", is_total

    def plain(self) -> tuple[str, bool]:
        grammar = self.grammar
        items = self._items(4)
        named = [f"{item}{grammar.one_of(['', '', f' AS x{at}', f' `y {at}`'])}" for at, item in enumerate(items)]
        distinct = grammar.one_of(["", "", "", "DISTINCT ", "ALL ", "SQL_NO_CACHE "])
        if grammar.often(0.06) and distinct != "DISTINCT ":
            named = ["*"]
        order, is_ordered = (
            ("", False)
            if distinct == "DISTINCT "
            else self._ordered([self.filled("{v}", 2), *self.source.keys], is_total=True)
        )
        return f"SELECT {distinct}{', '.join(named)} FROM {self.source.text}{self.where()}{order}", is_ordered

    def totals(self) -> tuple[str, bool]:
        items = [self.filled("{a}") for _ in range(self.grammar.chance.randint(1, 4))]
        having = (
            f" HAVING {self.filled('{a}')} {self.filled('{o}')} {self.filled('{k}')}"
            if self.grammar.often(0.15)
            else ""
        )
        return f"SELECT {', '.join(items)} FROM {self.source.text}{self.where()}{having}", False

    def grouped(self) -> tuple[str, bool]:
        grammar = self.grammar
        groups = [
            self.filled(grammar.one_of(["{I}", "{T0}", "{I} % 3", "{i}", "{t}", "{n}", "({c})", "{D}", "{U}"]), 1)
            for _ in range(grammar.one_of([1, 1, 2]))
        ]
        items = [
            *(f"{group} AS g{at}" for at, group in enumerate(groups)),
            *(f"{self.filled('{a}')} AS a{at}" for at in range(grammar.chance.randint(1, 3))),
        ]
        if grammar.often(0.06):
            items.append(
                f"{grammar.one_of(['SUM(COUNT(*)) OVER ()', 'RANK() OVER (ORDER BY COUNT(*))', 'COUNT(*) OVER ()'])} AS w0"
            )
        written = [grammar.one_of([group, f"g{at}", str(at + 1)]) for at, group in enumerate(groups)]
        rollup = " WITH ROLLUP" if grammar.often(0.12) else ""
        having = (
            f" HAVING {grammar.one_of(['a0 IS NOT NULL', 'COUNT(*) > 1', 'g0 IS NOT NULL', 'COUNT(*) < (SELECT COUNT(*) FROM Obj)', self.filled('{a}') + ' > 0'])}"
            if grammar.often(0.35)
            else ""
        )
        by = [f"g{at}" for at in range(len(groups))]
        is_first = grammar.often(0.3)  # an aggregate, whose last digit may hang on the order of rows
        by = ["a0", *by] if is_first else by
        order, is_ordered = ("", False) if rollup else self._ordered(by, is_total=not is_first)
        tail = f"GROUP BY {', '.join(written)}{rollup}{having}{order}"
        return f"SELECT {', '.join(items)} FROM {self.source.text}{self.where()} {tail}", is_ordered

    def windows(self) -> tuple[str, bool]:
        items = [
            *self._items(2),
            *(f"{self.filled('{w}')} AS w{at}" for at in range(self.grammar.chance.randint(1, 2))),
        ]
        order, is_ordered = self._ordered([*self.source.keys], is_total=True)
        return f"SELECT {', '.join(items)} FROM {self.source.text}{self.where()}{order}", is_ordered
