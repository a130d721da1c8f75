"""Skies whose keys and positions are awkward, in several transactions, beside the same rows in one plain MariaDB.

The plain tables get their rows by INSERT from the text of the input, so that the server itself rounds and compares;
nothing of ours is in between. Statements are drawn with constants of every spelling around the keys that there are.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from skyshard.cluster.cluster import MONO_NAME
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """The types of a director's key and positions, of the key that follows it, and whether keys stand once."""

    key: str = "bigint"
    position: str = "double"
    follower: str = "bigint"
    is_unique: bool = True
    is_scattered: bool = False
    """Followers carry positions of their own, not their director's."""

    def keys(self, chance: random.Random, count: int) -> list[int]:
        """Distinct keys that the type holds, its ends and the places where number types change among them."""
        bits = 8 if self.key.startswith("tinyint") else 64
        low, high = (0, 2**bits - 1) if "unsigned" in self.key else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        marks = [0, 1, 5, 2**31, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 5, low, high, high - 1, -1, -5]
        drawn = {key for key in marks if low <= key <= high}
        while len(drawn) < count:
            drawn.add(chance.randint(low, high))
        return chance.sample(sorted(drawn), count)


@dataclass(slots=True)
class KeyedSky:
    """One database; ``add`` is a transaction."""

    testbed: Testbed
    kind: Kind
    folder: Path
    seed: int
    name: str = field(default_factory=lambda: f"k{uuid.uuid4().hex[:8]}")
    keys: list[int] = field(default_factory=list)
    places: dict[str, list[Row]] = field(default_factory=dict)
    number: int = 0
    chance: random.Random = field(init=False)
    pool: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.kind} {self.seed}")
        self.pool = self.kind.keys(self.chance, 60)
        with self._plain() as server:
            server.execute(f"CREATE DATABASE {self.name}_plain")
            server.execute(f"CREATE TABLE {self.name}_plain.Object ({self._columns('Object')})")
            server.execute(f"CREATE TABLE {self.name}_plain.Src ({self._columns('Src')})")

    def _plain(self) -> Any:
        return connect(self.testbed.cluster.endpoint(MONO_NAME), Account.ADMIN)

    def _columns(self, table: str) -> str:
        kind = self.kind
        if table == "Object":
            return f"id {kind.key} not null, ra {kind.position}, decl {kind.position}, v int"
        return f"sid bigint, id {kind.follower}, ora {kind.position}, odecl {kind.position}, f int"

    def add(self, objects: int, sources: int) -> None:
        """Bring rows: new keys, more copies of old ones where keys may occur twice, sources of all and of none."""
        self.number += 1
        fresh = [self.pool.pop() for _ in range(objects)]
        copies = [] if self.kind.is_unique else [self.chance.choice([*self.keys, *fresh]) for _ in range(objects // 3)]
        self.keys += fresh
        rows = [(str(key), *self._place_of(str(key)), str(self.chance.randint(0, 9))) for key in [*fresh, *copies]]
        follow = [
            (str(100 * self.number + i), *self._follower(), str(self.chance.randint(0, 9))) for i in range(sources)
        ]
        self._ingest({"Object": rows, "Src": follow})
        with self._plain() as server:
            for table, values in (("Object", rows), ("Src", follow)):
                listed = ", ".join(f"({', '.join('NULL' if v == '' else v for v in row)})" for row in values)
                server.execute(f"INSERT INTO {self.name}_plain.{table} VALUES {listed}")

    def _position(self) -> Row:
        """Near the edges of chunks, where rounding changes the chunk, mostly."""
        decimals = 6 if "decimal" in self.kind.position else 9
        near = self.chance.choice([0.0, 0.0, 1e-9, -1e-9, 4e-7, -4e-7, 1e-3, -1e-3, 0.4, -0.4])
        far = self.chance.choice([0.0, 1e-8, -1e-8, -2e-6, 3e-5, 0.3])
        ra = self.chance.choice([0.0, 20.0, 40.0, 180.0, 359.9999999, 359.5]) + far
        return f"{ra:.{decimals}f}", f"{self.chance.choice([-10, 0, 10, 20]) + near:.{decimals}f}"

    def _place_of(self, key: str) -> Row:
        """A position of one more row of a key."""
        self.places.setdefault(key, []).append(self._position())
        return self.places[key][-1]

    def _follower(self) -> Row:
        """A key that the follower's type holds, of a director's row, of nobody, or none at all; and its position."""
        kind = self.kind.follower
        low, high = (-(2**53) + 1, 2**53 - 1) if kind == "double" else (-(2**63), 2**63 - 1)
        low, high = (0, 2**64 - 1) if "unsigned" in kind else (-(10**20), 10**20) if "decimal" in kind else (low, high)
        held = [key for key in self.keys if low <= key <= high] or [0]
        key = "" if self.chance.random() < 0.1 else str(self.chance.choice([*held, *held, *held, 77, 78]))
        known = [] if self.kind.is_scattered else self.places.get(key, [])
        return key, *(self.chance.choice(known) if known else self._position())

    def _ingest(self, tables: dict[str, Sequence[Row]]) -> None:
        folder = self.folder / f"{self.name}-{self.number}"
        folder.mkdir(parents=True)
        described: dict[str, Any] = {}
        for table, rows in tables.items():
            columns = [text.removesuffix(" not null").split(" ", 1) for text in self._columns(table).split(", ")]
            lines = [
                ",".join(name for name, _ in columns),
                *(",".join(value or "\\N" for value in row) for row in rows),
            ]
            (folder / f"{table}.csv").write_text("\n".join(lines) + "\n")
            described[table] = {
                "files": [f"{table}.csv"], "key": "id", "declare": [{"name": n, "type": t} for n, t in columns],
            }  # fmt: skip
        described["Object"] |= {"role": "director", "position": ["ra", "decl"], "unique_key": self.kind.is_unique}
        described["Src"] |= {"role": "dependent", "director": "Object", "position": ["ora", "odecl"]}
        content = {"version": 1, "database": self.name, "striping": STRIPING, "tables": described}
        (folder / "mapping.yaml").write_text(yaml.safe_dump(content))
        self.testbed.ingest(folder)

    # statements

    def statements(self, count: int) -> Iterator[tuple[str, str]]:
        """Pairs: what is asked of the sky, and the same for the plain server."""
        for _ in range(count):
            sql = self._by_key() if self.chance.random() < 0.7 else self._by_position()
            yield sql if isinstance(sql, tuple) else (sql, sql)

    def _constant(self) -> str:
        key = self.chance.choice(
            [*self.keys, self.chance.choice(self.keys) + 1, -1, -5, 2**63, 2**64 - 1, 2**64, 10**25, 77]
        )
        plain = str(key)
        spelt = [plain, plain, plain, plain, plain, f"{key}.0", f"{key}.5", f"'{key}'", f"{float(key)!r}e0"]
        return self.chance.choice([text for text in spelt if "e+" not in text] or [plain])

    def _condition(self, column: str) -> str:
        one, two, three = (self._constant() for _ in range(3))
        return self.chance.choice(
            [
                f"{column} = {one}", f"{column} = {one}", f"{one} = {column}", f"{column} IN ({one}, {two}, {three})",
                f"{column} BETWEEN {one} AND {two}", f"{column} < {one}", f"{column} <= {one}", f"{column} > {one}",
                f"{column} >= {one}", f"{column} <=> {one}", f"NOT ({column} < {one})", f"{column} <> {one}",
                f"({column} = {one} OR {column} = {two})", f"{column} > {one} AND {column} < {two}",
                f"NOT ({column} = {one} OR {column} > {two})", f"({column} IN ({one}) OR {column} > {two})",
            ]
        )  # fmt: skip

    def _by_key(self) -> str:
        own, other = self._condition("o.id"), self._condition("s.id")
        return self.chance.choice(
            [
                f"SELECT o.id, o.v FROM Object o WHERE {own}",
                f"SELECT COUNT(*), SUM(o.v) FROM Object o WHERE {own}",
                f"SELECT COUNT(DISTINCT o.id) FROM Object o WHERE {own}",
                f"SELECT s.sid, s.f FROM Src s WHERE {other}",
                f"SELECT o.id, s.sid FROM Object o JOIN Src s ON o.id = s.id WHERE {own}",
                "SELECT o.v, s.sid FROM Object o JOIN Src s USING (id) WHERE s.f > 3",
                f"SELECT COUNT(*), SUM(s.f) FROM Object o JOIN Src s ON s.id = o.id AND {other}",
                "SELECT s.sid FROM Src s LEFT JOIN Object o ON o.id = s.id WHERE o.id IS NULL",
                f"SELECT o.id, COUNT(s.sid) FROM Object o LEFT JOIN Src s ON o.id = s.id WHERE {own} GROUP BY o.id",
                "SELECT o.id, o.v FROM Object o WHERE o.id IN (SELECT s.id FROM Src s WHERE s.f > 4)",
                "SELECT COUNT(*) FROM Object o WHERE NOT EXISTS (SELECT 1 FROM Src s WHERE s.id = o.id)",
                "SELECT COUNT(*), SUM(a.v * b.v) FROM Object a JOIN Object b ON a.id = b.id",
                "SELECT COUNT(*) FROM Src s JOIN Src t ON s.id = t.id WHERE s.f < 6",
            ]
        )

    def _by_position(self) -> str | tuple[str, str]:
        tables = [("Object", "ra", "decl"), ("Src", "ora", "odecl")][: 1 if self.kind.is_scattered else 2]
        table, ra, dec = self.chance.choice(tables)
        low, high = sorted(self.chance.sample([-20, -10, 0, 10, 10.5, 20, 30], 2))
        west = self.chance.choice([0, 20, 40, 180, 360, 359.99999])
        item = "id, v" if table == "Object" else "sid, f"
        box: str | tuple[str, str] = (
            f"SELECT {item} FROM {table} WHERE qserv_areaspec_box(20, {low}, 180, {high})",
            f"SELECT {item} FROM {table} WHERE {ra} BETWEEN 20e0 AND 180e0 AND {dec} BETWEEN {low}e0 AND {high}e0",
        )
        near = "SELECT COUNT(*) FROM Object o JOIN Object p ON {} WHERE o.v < 7"
        apart = "DEGREES(2 * ASIN(LEAST(1, SQRT(POW(SIN(RADIANS(o.decl - p.decl) / 2), 2) + COS(RADIANS(o.decl)) * "
        apart += "COS(RADIANS(p.decl)) * POW(SIN(RADIANS(o.ra - p.ra) / 2), 2)))))"
        pairs = near.format("scisql_angSep(o.ra, o.decl, p.ra, p.decl) < 0.45"), near.format(f"{apart} < 0.45")
        return self.chance.choice(
            [
                box, pairs, f"SELECT {item} FROM {table} WHERE {dec} >= {low}",
                f"SELECT {item} FROM {table} WHERE {dec} < {high} AND {dec} > {low}",
                f"SELECT {item} FROM {table} WHERE {ra} = {west} AND {dec} >= {low}",
                f"SELECT {item} FROM {table} WHERE {ra} >= {west} AND {ra} <= 360 AND {dec} <= {high}",
                f"SELECT COUNT(*) FROM {table} WHERE {ra} BETWEEN {west} AND {west + 20}",
                "SELECT o.id, s.sid FROM Object o JOIN Src s ON o.id = s.id WHERE o.decl >= 10",
            ]
        )  # fmt: skip

    # answers

    def asked(self, sql: str, target: Any = "czar") -> list[Row]:
        table = self.testbed.query(sql, database=self.name, target=target).table
        return _sorted(tuple(column[i].as_py() for column in table.columns) for i in range(table.num_rows))

    def plain(self, sql: str) -> list[Row]:
        with connect(self.testbed.cluster.endpoint(MONO_NAME), Account.ADMIN, f"{self.name}_plain") as server:
            return _sorted(server.rows(sql))

    def drop(self) -> None:
        with self._plain() as server:
            for name in (self.name, f"{self.name}_plain"):
                server.execute(f"DROP DATABASE IF EXISTS {name}")


def _sorted(rows: Any) -> list[Row]:
    return sorted(tuple(_text(value) for value in row) for row in rows)


def _text(value: Any) -> str:
    return "NULL" if value is None else f"{Decimal(str(value)).normalize():f}"
