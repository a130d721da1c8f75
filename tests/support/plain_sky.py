"""Two databases with tables of the same names, ingested in several transactions, beside plain tables of one server.

The plain tables have the same names in databases of the same names, so that a statement's very text may be asked there;
they are loaded by hand from the rows as they were drawn. Doubles are eighths, so that sums do not hang on an order.
"""

# ruff: noqa: E501  (columns read better whole)

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.support.killing import forget
from tests.support.raw_server import RawServer
from tests.support.split_sky import table_of

from skyshard.catalog.ddl import create_table
from skyshard.cluster.cluster import MONO_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.testbed import Testbed

Row = tuple[Any, ...]
STRIPING = {"stripes": 18, "substripes": 3, "overlap_deg": 1.0}
FIRST, SECOND = "sa", "sb"
OBJ = (
    "id bigint!, ra double, decl double, n int, k tinyint, u bigint unsigned, b bit(6), p decimal(12,4), f float, d double, "
    "dt datetime(6), dy date, tm time(3), yr year, pick enum('b','a','c'), c char(6), v varchar(12), "
    "bin varchar(12) character set latin1 collate latin1_bin, uni varchar(12) character set utf8mb4, vb varbinary(6)"
)
SRC = "sid int!, id bigint, raObj double, declObj double, n int, m smallint, x double, y float, w decimal(9,3), dt datetime, v varchar(12)"
COLUMNS = {
    FIRST: {
        "Obj": OBJ, "Src": SRC, "Note": "nid int!, id bigint, n int, body text, raw_ blob, js longtext",
        "Band": "n int!, name varchar(8), `order` int, `two words` int, k tinyint", "Void": "sid int!, id bigint, n int, v varchar(4)",
        "Gone": "n int!, name varchar(8)",
    },
    SECOND: {
        "Obj": "id bigint!, ra double, decl double, n int, v varchar(12), z double",
        "Src": "sid int!, id bigint, n int, x double, note varchar(12)", "Band": "n int!, name varchar(8), width double",
    },
}  # fmt: skip
LAYOUT: dict[str, dict[str, Any]] = {
    "Obj": {"role": "director", "key": "id", "position": ["ra", "decl"], "primary_key": ["id"]},
    "Src": {"role": "dependent", "director": "Obj", "key": "id"},
    "Note": {"role": "dependent", "director": "Obj", "key": "id"},
    "Void": {"role": "dependent", "director": "Obj", "key": "id"},
}
WORDS = ("abc", "bcd", "", "a%b", "a_b", "x\\y", "it's", "12", "-3.5e1", "b c", "zz", "aXbXc", None)
LATIN = (*WORDS, "\xe9t\xe9", "na\xefve")
WIDE = (*LATIN, "\u20ac5", "\u03b1\u03b2")
JSON = ('{"a": 1, "b": "x"}', '{"a": [1, 2, 3]}', "[]", '"text"', '{"b": null}', None)


@contextmanager
def plain_sky(
    cluster: PrivateCluster, testbed: Testbed, folder: Path, seed: int, replicas: int = 1
) -> Iterator[RawServer]:
    """Both databases, and a session of the server with the plain tables; dropped at the end."""
    cluster.start_mono()
    for database in COLUMNS:
        batches = _batches(random.Random(f"{seed} {database}"), database, 60 if database == FIRST else 24)
        for number, batch in enumerate(batches):
            source = _write(folder / database / str(number), database, batch)
            testbed.ingest(source, database=database, replicas=replicas, columns="all" if database == FIRST else None)
        _load_plain(cluster, testbed, database, batches)
    testbed.drop_table(FIRST, "Gone")
    raw = RawServer(cluster.endpoint(MONO_NAME), FIRST)
    try:
        yield raw
    finally:
        raw.close()
        with connect(cluster.endpoint(MONO_NAME), Account.ADMIN) as server:
            for database in COLUMNS:
                server.execute(f"DROP DATABASE IF EXISTS {database}")
        for database in COLUMNS:
            forget(testbed, database)


def _batches(chance: random.Random, database: str, count: int) -> list[dict[str, list[Row]]]:
    """The rows of three transactions; some dependents come before their directors."""
    drawn: dict[str, list[Row]] = {"Obj": [_object(chance, database, n) for n in range(count)]}
    drawn["Src"] = [_source(chance, database, n, chance.choice(drawn["Obj"])) for n in range(2 * count)]
    if database == FIRST:
        drawn["Note"] = [_note(chance, n, chance.choice(drawn["Obj"])) for n in range(count)]
        drawn["Gone"] = [(1, "gone")]
        drawn["Band"] = [(n, name, 3 - n, n % 2, n - 2) for n, name in enumerate(("u", "g", "r", None, "z"))]
        drawn["Void"] = []
    else:
        drawn["Band"] = [(n, name, n / 8) for n, name in enumerate(("u", "g", "K"))]
    batches: list[dict[str, list[Row]]] = [{name: [] for name in drawn} for _ in range(3)]
    for name, rows in drawn.items():
        for place, row in enumerate(rows):
            batches[0 if place == 0 or name in ("Band", "Gone") else chance.randrange(3)][name].append(row)
    return batches


def _eighth(chance: random.Random, most: int) -> float:
    return chance.randrange(-8 * most, 8 * most) / 8


def _object(chance: random.Random, database: str, n: int) -> Row:
    dec = chance.choice([89.5, -89.75, *(_eighth(chance, 88) for _ in range(8))])
    ra = chance.choice([0.0, 359.875, *(abs(_eighth(chance, 359)) for _ in range(8))])
    place = (7 * n + 3, ra, dec, chance.choice([None, 0, 1, 2, 3, -7]))
    if database == SECOND:
        return (*place, chance.choice(LATIN), chance.choice([None, _eighth(chance, 9)]))
    moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(
        seconds=chance.randrange(10**8), microseconds=chance.randrange(10**6)
    )
    at = moment.replace(tzinfo=None)
    return (
        *place, chance.choice([None, 0, 1, 5, -128]), chance.choice([None, 0, 1, 2**63, 2**64 - 1]), chance.choice([None, 0, 9, 63]),
        chance.choice([None, Decimal("0.0000"), Decimal("12.5000"), Decimal("-99.1234"), Decimal("0.0001")]),
        chance.choice([None, 0.0, 1.5, -2.25]), chance.choice([None, 0.0, 0.125, -3.5, 1024.0]), chance.choice([None, at, at]),
        chance.choice([None, date(2024, 2, 29), date(1999, 12, 31), at.date()]),
        chance.choice([None, at.replace(microsecond=at.microsecond // 1000 * 1000).time()]), chance.choice([None, 1901, 2024]),
        chance.choice([None, "a", "b", "c"]), chance.choice(WORDS), chance.choice(LATIN), chance.choice(LATIN), chance.choice(WIDE),
        chance.choice([None, b"", b"\x00\xff", b"ab\\", b"'"]),
    )  # fmt: skip


def _source(chance: random.Random, database: str, n: int, one: Row) -> Row:
    is_lost = n % 17 == 16
    key = None if is_lost and n % 2 else 10**6 + n if is_lost else one[0]
    few = chance.choice([None, 0, 1, 2, 3])
    if database == SECOND:
        return (n, key, few, chance.choice([None, _eighth(chance, 9)]), chance.choice(WORDS))
    return (
        n, key, one[1], one[2], few, chance.choice([None, -2, 7, 300]), chance.choice([None, _eighth(chance, 50)]),
        chance.choice([None, _eighth(chance, 5)]), chance.choice([None, Decimal("1.500"), Decimal("-7.125"), Decimal("0.001")]),
        chance.choice([None, datetime(2024, 3, 1, 12) + timedelta(hours=n)]), chance.choice(LATIN),
    )  # fmt: skip


def _note(chance: random.Random, n: int, one: Row) -> Row:
    return (
        n,
        one[0],
        chance.choice([None, 1, 2]),
        chance.choice(LATIN),
        chance.choice([None, b"\x00a", b"zz"]),
        chance.choice(JSON),
    )


_ARROW = {
    "bigint": pa.int64(), "bigint unsigned": pa.uint64(), "int": pa.int32(), "smallint": pa.int16(), "tinyint": pa.int8(),
    "double": pa.float64(), "float": pa.float32(), "bit(6)": pa.int64(), "year": pa.int32(), "datetime(6)": pa.timestamp("us"),
    "datetime": pa.timestamp("us"), "date": pa.date32(), "time(3)": pa.time64("us"), "decimal(12,4)": pa.decimal128(12, 4),
    "decimal(9,3)": pa.decimal128(9, 3), "varbinary(6)": pa.binary(), "blob": pa.binary(),
}  # fmt: skip


def _write(folder: Path, database: str, batch: dict[str, list[Row]]) -> Path:
    """A synth folder with these rows."""
    tables: dict[str, Any] = {}
    for name, rows in batch.items():
        table = table_of(name, COLUMNS[database][name])
        path = folder / name / "part0.parquet"
        path.parent.mkdir(parents=True)
        values = list(zip(*rows, strict=True)) or [() for _ in table.columns]
        arrays = [
            pa.array(list(some), _ARROW.get(one.type.text, pa.string()))
            for one, some in zip(table.columns, values, strict=True)
        ]
        pq.write_table(pa.table(arrays, names=list(table.column_names)), path)
        columns = [{"name": one.name, "type": one.type.text, "nullable": one.is_nullable} for one in table.columns]
        file = {"path": f"{name}/part0.parquet", "chunk": None, "rows": len(rows), "bytes": path.stat().st_size}
        plain: dict[str, Any] = {
            "role": "regular",
            "key": "",
            "director": "",
            "position": None,
            "primary_key": [],
            "indexes": [],
        }
        layout = LAYOUT.get(name, {})
        if name == "Src" and database == FIRST:
            layout = {**layout, "position": ["raObj", "declObj"]}
        tables[name] = {**plain, **layout, "columns": columns, "rows": len(rows), "files": [file]}
    manifest = {"version": 1, "recipe": {"name": database}, "striping": STRIPING, "tables": tables}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _load_plain(cluster: PrivateCluster, testbed: Testbed, database: str, batches: list[dict[str, list[Row]]]) -> None:
    catalog = testbed.registry.published.catalog(database)
    with connect(cluster.endpoint(MONO_NAME), Account.ADMIN) as server:
        server.execute(f"DROP DATABASE IF EXISTS {database}")
        server.execute(f"CREATE DATABASE {database} CHARACTER SET latin1")
        server.execute(f"USE {database}")
        for name in batches[0]:
            rows = [row for batch in batches for row in batch[name]]
            table = catalog.tables[name].table
            server.execute(create_table(table, name, keys=False))
            count = len(table_of(name, COLUMNS[database][name]).columns)
            if len(table.columns) > count:
                places = _places(testbed, database, name, table.columns[0].name)
                rows = [(*row, *places[row[0]]) for row in rows]
            for row in rows:  # a few
                server.execute(f"INSERT INTO `{name}` VALUES ({', '.join(map(_spelt, row))})", list(map(_given, row)))


def _spelt(value: Any) -> str:
    """A place for a value; texts name every letter, whatever the session's character set."""
    return f"_utf8mb4 X'{value.encode().hex()}' /*%s*/" if isinstance(value, str) else "%s"


def _given(value: Any) -> Any:
    return 0 if isinstance(value, str) else value


def _places(testbed: Testbed, database: str, name: str, key: str) -> dict[int, tuple[int, int]]:
    """Chunk and sub-chunk of each row by its first column, as the cluster says: other tests hold these numbers."""
    found = testbed.query(f"SELECT {key}, chunkId, subChunkId FROM {name}", database=database).table
    return {row[key]: (row["chunkId"], row["subChunkId"]) for row in found.to_pylist()}
