"""Histories of a catalog, drawn from a seed: a schema, and what is done to it step by step. Values, no I/O.

Rows are texts as the input has them, so that whoever plays a history may hand them to an ingest and to a plain server
alike; the steps can be taken out one by one, which is how a history that fails is made smaller.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from skyshard.chunking import Chunker
from skyshard.chunking.sphere import ang_sep

Row = tuple[str | None, ...]
Rows = dict[str, list[Row]]
"""By table; a table that is not there has no file, an empty one a file without rows."""
KEYS = ["bigint", "bigint", "bigint unsigned", "int", "int unsigned", "smallint"]
POSITIONS = ["double", "double", "float", "decimal(12,6)"]
FOLLOWERS = ["bigint", "bigint", "bigint unsigned", "int", "double", "decimal(20,0)"]
TEXTS = ["varchar(9)", "char(6)", "varchar(9) character set utf8mb4", "char(5) character set utf8", "text"]
WORDS = ["alpha", "b\xeata", "\u20ac 5", "", None, "g'mm"]
WIDE_WORDS = [*WORDS, "\u03b4elta", "\u65e5\u672c"]
ENGINES = [*["MyISAM"] * 7, "Aria", "InnoDB", "MyRocks"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One table: its columns with their types, and its part of the layout."""

    columns: dict[str, str]
    layout: dict[str, Any]
    is_elsewhere: bool = False
    """In the second database of the family."""


@dataclass(frozen=True, slots=True)
class Schema:
    striping: dict[str, float]
    engine: str
    replicas: int
    tables: dict[str, Drawn]


@dataclass(frozen=True, slots=True)
class Step:
    """``kind``: ingest, abort, stop, again, compact, mono, rebuild, restart; who is stopped goes on with
    the next ingest of that number.

    ``number``: of the source, which names its files. ``share``: where an ingest is interrupted, of its steps.
    """

    kind: str
    number: int = 0
    rows: Rows = field(default_factory=dict)
    share: float = 0.0
    loader: str = ""
    grace_s: float = 0.0


@dataclass(frozen=True, slots=True)
class History:
    seed: int
    schema: Schema
    steps: tuple[Step, ...]

    def rows(self, table: str) -> list[Row]:
        """All rows of a table that any step brings, in order."""
        return [row for step in self.steps for row in step.rows.get(table, [])]


def draw_history(seed: int, nodes: int) -> History:
    chance = random.Random(seed)
    schema = _draw_schema(chance, nodes)
    batches = _split(chance, schema, _draw_rows(chance, schema))
    return History(seed, schema, tuple(_draw_steps(chance, schema, batches)))


# the schema


def _draw_schema(chance: random.Random, nodes: int) -> Schema:
    stripes = chance.choice([12, 18, 20, 36])
    striping = {"stripes": stripes, "substripes": chance.choice([1, 2, 4]), "overlap_deg": chance.choice([0.3, 0.5, 1])}
    tables = _directors(chance)
    tables["Src"] = _dependent(chance, "sid", has_position=True)
    if chance.random() < 0.7:
        tables["Note"] = replace(_dependent(chance, "nid", chance.random() < 0.4), is_elsewhere=chance.random() < 0.3)
    if chance.random() < 0.7:
        tables["Pair"] = _pair(chance)
    tables["Visit"] = Drawn({"visit": "int", "f": "int", "t": chance.choice(TEXTS)}, {"role": "regular"})
    return Schema(striping, chance.choice(ENGINES), chance.randint(1, nodes), tables)


def _directors(chance: random.Random) -> dict[str, Drawn]:
    kind, text = chance.choice(POSITIONS), chance.choice(TEXTS)
    star = {"id": f"{chance.choice(KEYS)} not null", "ra": kind, "decl": kind, "v": "int", "m": "double", "t": text}
    layout = {"role": "director", "key": "id", "position": ["ra", "decl"], "unique_key": chance.random() < 0.75}
    kind = chance.choice(POSITIONS)
    galaxy = {"gid": f"{chance.choice(KEYS)} not null", "gra": kind, "gdec": kind, "k": "int"}
    second = {"role": "director", "key": "gid", "position": ["gra", "gdec"]}
    if chance.random() < 0.3:
        layout["indexes"] = [["v"]]
    return {"Star": Drawn(star, layout), "Gal": Drawn(galaxy, second)}


def _dependent(chance: random.Random, name: str, has_position: bool) -> Drawn:
    layout: dict[str, Any] = {"role": "dependent", "director": "Star", "key": "id"}
    columns = {name: "int", "id": chance.choice(FOLLOWERS)}
    if has_position:
        kind = chance.choice(POSITIONS)
        columns |= {"ora": kind, "odec": kind}
        layout["position"] = ["ora", "odec"]
    if chance.random() < 0.3:
        layout["indexes"] = [["f"]]
    return Drawn({**columns, "f": "int", "x": "float", "t": chance.choice(TEXTS)}, layout)


def _pair(chance: random.Random) -> Drawn:
    layout: dict[str, Any] = {"role": "ref-match", "director": "Star", "key": "id", "director2": "Gal", "key2": "gid"}
    columns = {"id": chance.choice(FOLLOWERS), "gid": chance.choice(FOLLOWERS)}
    if chance.random() < 0.4:
        columns |= dict.fromkeys(("pra", "pdec", "qra", "qdec"), chance.choice(POSITIONS))
        layout |= {"position": ["pra", "pdec"], "position2": ["qra", "qdec"]}
    return Drawn({**columns, "w": "int"}, {**layout, "flag": "flag"})


def bounds(kind: str) -> tuple[int, int]:
    """The least and the largest whole number that a column of a type holds, and that leads to one key."""
    kind = kind.removesuffix(" not null")
    bits = {"smallint": 15, "int": 31, "bigint": 63}.get(kind.removesuffix(" unsigned"), 53)
    if kind == "double":
        return -(2**53) + 1, 2**53 - 1
    if kind == "decimal(20,0)":
        return -(10**20) + 1, 10**20 - 1
    return (0, 2 ** (bits + 1) - 1) if "unsigned" in kind else (-(2**bits), 2**bits - 1)


# rows


def _draw_rows(chance: random.Random, schema: Schema) -> Rows:
    places = _Places(chance, schema)
    count = chance.choice([4, 15, 40])
    keys = _keys(chance, schema.tables["Star"].columns["id"], count)
    rows: Rows = {"Star": [(str(key), *places.draw("Star"), *_values(chance, schema, "Star", 3)) for key in keys]}
    if not schema.tables["Star"].layout["unique_key"]:
        doubled = chance.choices(keys, k=count // 4)
        rows["Star"] += [(str(key), *places.draw("Star"), *_values(chance, schema, "Star", 3)) for key in doubled]
    others = _keys(chance, schema.tables["Gal"].columns["gid"], count // 2 + 1)
    rows["Gal"] = [(str(key), *places.beside(chance.choice(rows["Star"]), "Gal"), str(key % 7)) for key in others]
    for name in ("Src", "Note"):
        if name in schema.tables:
            rows[name] = [_follower(chance, schema, name, n, rows["Star"], places) for n in range(2 * count)]
    if "Pair" in schema.tables:
        rows["Pair"] = _pairs(chance, schema, rows)
    rows["Visit"] = [(str(n), str(n % 5), _word(chance, schema.tables["Visit"].columns["t"])) for n in range(12)]
    return rows


class _Places:
    """Positions as texts: at corners of chunks, at the wrap, at the poles, some anywhere."""

    def __init__(self, chance: random.Random, schema: Schema) -> None:
        self._chance = chance
        self._schema = schema
        self._reach = schema.striping["overlap_deg"]
        stripes, substripes = int(schema.striping["stripes"]), int(schema.striping["substripes"])
        chunker = Chunker(stripes, substripes, self._reach)
        boxes = [chunker.chunk_box(int(chance.choice(chunker.chunk_ids()))) for _ in range(3)]
        self._corners = [(box.ra_min, box.dec_min) for box in boxes]
        self._corners += [(0.0, 0.0), (360.0, boxes[0].dec_max), (chance.uniform(0, 360), chance.choice([-90.0, 90.0]))]

    def draw(self, table: str) -> tuple[str, str]:
        steps = [0.0, 0.0, 1e-9, -1e-9, 3e-6, -3e-6, 0.01, -0.01, 0.7 * self._reach, -0.7 * self._reach]
        ra, dec = self._chance.choice(self._corners)
        if self._chance.random() < 0.2:
            ra, dec = self._chance.uniform(-180, 360), math.degrees(math.asin(self._chance.uniform(-1, 1)))
        return self._text(table, ra + self._chance.choice(steps), dec + self._chance.choice(steps))

    def beside(self, row: Row, table: str) -> tuple[str, str]:
        ra, dec = float(row[1] or 0), float(row[2] or 0)
        reach = 0.4 * self._reach
        width = reach / max(math.cos(math.radians(dec)), 0.05)
        return self._text(table, ra + self._chance.uniform(-width, width), dec + self._chance.uniform(-reach, reach))

    def _text(self, table: str, ra: float, dec: float) -> tuple[str, str]:
        decimals = 6 if "decimal" in list(self._schema.tables[table].columns.values())[1] else 9
        return f"{ra:.{decimals}f}", f"{max(-90.0, min(90.0, dec)):.{decimals}f}"


def _keys(chance: random.Random, kind: str, count: int) -> list[int]:
    low, high = bounds(kind)
    marks = [0, 1, 2, 5, 2**31 - 1, 2**31, 2**53 - 1, 2**53 + 1, 2**63 - 1, 2**63, low, high, -1, -7]
    near = {key for key in marks if low <= key <= high} | set(range(10, 10 + 2 * count))
    return chance.sample(sorted(near), count)


def _follower(chance: random.Random, schema: Schema, name: str, n: int, stars: list[Row], places: _Places) -> Row:
    low, high = bounds(schema.tables[name].columns["id"])
    held = [row for row in stars if low <= int(row[0] or 0) <= high]
    star = chance.choice(held) if held and chance.random() < 0.9 else None
    key = star[0] if star is not None else chance.choice([None, "7777", "7778"])
    has_position = "position" in schema.tables[name].layout
    own = () if not has_position else places.draw(name) if star is None or chance.random() < 0.05 else star[1:3]
    return (str(n), key, *own, *_values(chance, schema, name, 3))


def _values(chance: random.Random, schema: Schema, table: str, count: int) -> Row:
    """Values of the last columns, by their types."""
    kinds = list(schema.tables[table].columns.values())[-count:]
    return tuple(_value(chance, kind) for kind in kinds)


def _value(chance: random.Random, kind: str) -> str | None:
    if chance.random() < 0.15:
        return None
    if kind in ("double", "float"):
        return str(chance.choice([0.5, 1.25, 7.0, 100.125, 0.0]))
    return str(chance.randint(0, 9)) if kind == "int" else _word(chance, kind)


def _word(chance: random.Random, kind: str) -> str | None:
    return chance.choice(WIDE_WORDS if "utf8" in kind else WORDS)


def _pairs(chance: random.Random, schema: Schema, rows: Rows) -> list[Row]:
    """Neighbours of both directors; some lack a side, some name nobody on one of them."""
    columns = schema.tables["Pair"].columns
    (low, high), (low2, high2) = bounds(columns["id"]), bounds(columns["gid"])
    near = [
        (star, galaxy)
        for star in rows["Star"]
        for galaxy in rows["Gal"]
        if low <= int(star[0] or 0) <= high
        and low2 <= int(galaxy[0] or 0) <= high2
        and _apart_deg(star, galaxy) < 0.9 * schema.striping["overlap_deg"]
    ]
    made: list[Row] = []
    for star, galaxy in chance.choices(near, k=2 * len(rows["Gal"])) if near else []:
        turn = chance.random()
        left = None if turn < 0.1 else "7777" if turn < 0.2 else star[0]
        right = galaxy[0] if turn < 0.2 else None if turn < 0.3 else "7779" if turn < 0.4 else galaxy[0]
        places = (*_side(left, star), *_side(right, galaxy)) if _is_pair_placed(schema) else ()
        made.append((left, right, *places, str(chance.randint(0, 9))))
    return made


def _side(key: str | None, row: Row) -> Row:
    return (None, None) if key is None else row[1:3]


def _is_pair_placed(schema: Schema) -> bool:
    """Pairs carry both positions, so that they may come before either director."""
    return "Pair" in schema.tables and "position" in schema.tables["Pair"].layout


def _apart_deg(one: Row, other: Row) -> float:
    return float(ang_sep(float(one[1] or 0), float(one[2] or 0), float(other[1] or 0), float(other[2] or 0)))


# steps


def _split(chance: random.Random, schema: Schema, rows: Rows) -> list[Rows]:
    """Every row in one of one to four transactions, whatever it hangs on; pairs once a side of theirs may be there."""
    count = chance.randint(1, 4)
    batches: list[Rows] = [{} for _ in range(count)]
    came: dict[tuple[str, str | None], int] = {}
    for name, some in rows.items():
        for row in some:
            sides = (came.get(("Star", row[0]), count), came.get(("Gal", row[1]), count))
            waits = name == "Pair" and not _is_pair_placed(schema)
            at = chance.randrange(min(*sides, count - 1) if waits else 0, count)
            came[name, row[0]] = min(at, came.get((name, row[0]), count))
            batches[at].setdefault(name, []).append(row)
    _fill_first(batches)
    for batch in batches[1:]:
        for name in schema.tables:
            if name not in batch and chance.random() < 0.3:
                batch[name] = []
    return batches


def _fill_first(batches: list[Rows]) -> None:
    """Directors have rows in the first transaction, as those without position need somebody to follow."""
    first = batches[0]
    for name in ("Star", "Gal"):
        if not first.get(name):
            key = next(batch[name][0][0] for batch in batches if batch.get(name))
            first[name] = [row for batch in batches for row in batch.get(name, []) if row[0] == key]
            for batch in batches[1:]:
                batch[name] = [row for row in batch.get(name, []) if row[0] != key]


def _draw_steps(chance: random.Random, schema: Schema, batches: list[Rows]) -> Iterator[Step]:
    for number, rows in enumerate(batches):
        loader = chance.choice(["image", "load-data"])
        made = Step("ingest", number, rows, chance.random(), loader)
        if (turn := chance.random()) < 0.3:
            yield replace(made, kind="abort" if turn < 0.15 else "stop")
            if turn > 0.2:
                yield Step(chance.choice(["mono", "restart"]))
        yield made
        for _ in range(chance.choice([0, 1, 1, 2])):
            kind = chance.choice(["compact", "compact", "compact", "mono", "mono", "rebuild", "again", "restart"])
            again = made if kind == "again" else Step(kind)
            yield replace(again, kind=kind, grace_s=chance.choice([0.0, 60.0]))
