"""A split sky of odd columns: texts that differ in case and trailing spaces only, numbers at the ends of their types,
zero dates, BIT, SET, JSON, BLOB, names that need quotes. The rows of equal texts lie in different chunks.
"""

# ruff: noqa: E501  (rows read better whole)

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.split_sky import Row, SplitSky, Splitter, drop

from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.cluster.private_cluster import PrivateCluster

STRIPING = Striping(stripes=8, substripes=3, overlap_deg=1.0)

COLUMNS = {
    "Odd": "id bigint!, ra double, decl double, f float, d double, u bigint unsigned, v int unsigned, i int, w bigint, "
    "tiny tinyint, txt varchar(10), fix char(6), exact varchar(10) character set latin1 collate latin1_bin, "
    "uni varchar(10) character set utf8mb4, fine decimal(20,10), price decimal(9,2), big decimal(38,0), pick enum('b','a','C'), "
    "tags set('x','y','z'), bits bit(10), yr year(4), tm time(3), dy date, dt datetime, bin binary(4), vb varbinary(6)",
    "Tail": "tailId int!, id bigint, raOdd double, declOdd double, bl blob, tx text, js longtext, `a.b` int, `select` int, "
    "`two words` varchar(8), n int, x double",
    "Lone": "loneId bigint!, ra double, decl double, txt varchar(10), n int",
    "Word": "txt varchar(10), n int, `order` int",
}
LAYOUTS = {
    "Odd": TableLayout(role=Role.DIRECTOR, key="id", position=("ra", "decl")),
    "Tail": TableLayout(role=Role.DEPENDENT, key="id", director="Odd", position=("raOdd", "declOdd")),
    "Lone": TableLayout(role=Role.DIRECTOR, key="loneId", position=("ra", "decl")),
}  # fmt: skip
TEXTS = (
    "abc",
    "ABC",
    "Abc ",
    "abc  ",
    "",
    " ",
    "  b",
    "b",
    "B",
    None,
    "\xe9",
    "e",
    "E",
    "\xdf",
    "ss",
    "a%b",
    "a_b",
    "x\\y",
    "it's",
    "1e1",
)
WHOLE = (0, 1, 2**63 - 1, 2**63, 2**64 - 1, 5, 2**53 + 1, None)
SIGNED = (0, -1, 1, 2**63 - 1, -(2**63), 7, None)
DATES = ("0000-00-00", "2000-00-00", "1999-12-31", "2024-02-29", None, "9999-12-31")
TIMES = ("00:00:00", "-838:59:59", "838:59:59", "-00:00:00.500", "12:34:56.789", None)


@contextmanager
def odd_sky(cluster: PrivateCluster, name: str, seed: int, rows: int) -> Iterator[SplitSky]:
    """A sky of odd rows over all nodes and in one server; dropped at the end."""
    made = Splitter(cluster, STRIPING, len(cluster.node_names), 0, COLUMNS, LAYOUTS).build(
        name, make_odd_rows(seed, rows)
    )
    yield made
    made.close()
    drop(cluster, made.database)


def make_odd_rows(seed: int, count: int) -> dict[str, list[Row]]:
    """The rows of all tables, without chunk numbers."""
    chance = random.Random(seed)
    odd = [_odd(chance, n) for n in range(count)]
    tail = [_tail(chance, n, odd[chance.randrange(count)]) for n in range(2 * count)]
    tail += [
        (
            10**6 + n,
            -n or None,
            chance.uniform(0, 360),
            chance.uniform(-90, 90),
            None,
            None,
            "[1]",
            n,
            n,
            "lost",
            n,
            0.5,
        )
        for n in range(5)
    ]
    lone = [(n * 5, *_place(chance), chance.choice(TEXTS), n % 4) for n in range(count // 2)]
    words = [(text, n % 5, n) for n, text in enumerate(TEXTS)]
    return {"Odd": odd, "Tail": tail, "Lone": lone, "Word": words}


def _place(chance: random.Random) -> tuple[float, float]:
    return chance.choice([0.0, 359.999999, chance.uniform(0, 360)]), chance.choice(
        [90.0, -90.0, *(chance.uniform(-90, 90) for _ in range(6))]
    )


def _odd(chance: random.Random, n: int) -> Row:
    text = TEXTS[n % len(TEXTS)]
    numbers: tuple[Any, ...] = (
        chance.choice([0.1, 1.1, -0.0, 0.0, 1e30, 3.4e38, 16777217.0, None, 1.17549435e-38]),
        chance.choice([0.1, 1.1, -0.0, 0.0, 1e300, -1e300, 5e-324, 1e15, 1e16, None, 123456789.123456789]),
        WHOLE[n % len(WHOLE)], chance.choice([0, 1, 2**32 - 1, None]), chance.choice([0, 1, -(2**31), 2**31 - 1, 3, None]),
        SIGNED[n % len(SIGNED)], chance.choice([-128, 127, 0, None]),
    )  # fmt: skip
    texts = (
        text,
        None if text is None else text[:6],
        text,
        None if text is None else text + chance.choice(["", " ", "\xf6"]),
    )
    decimals = (
        f"{chance.randrange(10**9) / 7:.10f}",
        f"{chance.randrange(10**8) / 100:.2f}",
        str(chance.choice([10**37, -(10**37), 1, 0])),
    )
    sets = (
        chance.choice(["b", "a", "C", None]),
        chance.choice(["", "x", "z,x", "x,y,z", None]),
        n * 37 % 1024 if n % 9 else None,
    )
    times = (chance.choice([0, 1901, 2155, 2024, None]), chance.choice(TIMES), chance.choice(DATES))
    moment = chance.choice(["0000-00-00 00:00:00", "2024-02-29 23:59:59", None, "1000-01-01 00:00:00"])
    raw = (bytes([0, n % 256, 92, 32]), bytes([n % 256, 39, 9][: n % 4]))
    return (n * 11 + 3, *_place(chance), *numbers, *texts, *decimals, *sets, *times, moment, *raw)


def _tail(chance: random.Random, n: int, odd: Row) -> Row:
    blob = None if n % 5 == 0 else bytes([n % 256, 0, 9, 92, 10, 39, 255])
    text = chance.choice([None, "A;b", "a;B", "-- no", "x" * 300, "\xe4\xf6", "tab\there"])
    json = chance.choice([None, '{"a": 1}', '{"a": [1, 2, {"b": "x  y"}]}', "null"])
    return (
        n,
        odd[0],
        odd[1],
        odd[2],
        blob,
        text,
        json,
        n % 3,
        n % 4,
        chance.choice(["p q", "P Q ", None]),
        chance.choice([None, n % 6]),
        n / 3,
    )
