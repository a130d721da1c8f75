"""A small sky made for trouble, on a running cluster and its oracle, made by plain SQL.

Objects are at both poles, at the wrap of right ascension and in tight groups across borders of chunks and sub-chunks.
Sources and notes follow them, some without director; NULLs are everywhere; keys go beyond 2^53.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import DUMMY_CHUNK, chunk_table, create_table, overlap_prototype, stored_table
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.chunking import Chunker
from skyshard.cluster.cluster import Cluster
from skyshard.czar.czar import Czar
from skyshard.czar.mono import MonoTarget
from skyshard.db.connection import Account, Connection, connect
from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.rowimage.sqltype import parse_type

DATABASE = "trouble"

STRIPING = Striping(stripes=18, substripes=6, overlap_deg=0.4)

KEY = 4_611_686_018_427_387_904

COLUMNS = {
    "Object": "objectId bigint!, ra double!, decl double!, mag float, flux double, kind smallint, name varchar(12), "
    "code char(3), price decimal(10,3), seen datetime, flag bit(1), raw varbinary(6), big bigint unsigned, day date, "
    "clock time, season year(4), sort enum('one','two','é'), marks set('x','y','z'), fine datetime(6), wide mediumint, "
    "tiny tinyint unsigned, bin binary(4), bits bit(12)",
    "Source": "sourceId bigint!, objectId bigint, raObject double, declObject double, filterId tinyint!, flux float, "
    "t double, n int, label varchar(8)",
    "Note": "noteId int!, objectId bigint, body text, stamp timestamp",
    "Filter": "filterId tinyint!, filterName char(3)!, width float!",
    "Visit": "visitId int!, filterId tinyint, t double, remark text",
    "Nothing": "x int, y double",
}

LAYOUTS = {
    "Object": TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl")),
    "Source": TableLayout(role=Role.DEPENDENT, key="objectId", director="Object", position=("raObject", "declObject")),
    "Note": TableLayout(role=Role.DEPENDENT, key="objectId", director="Object"),
}

Row = tuple[Any, ...]


def _table(name: str) -> Table:
    columns = []
    for part in re.split(r", (?=\w+ \w)", COLUMNS[name]):
        column, kind = part.split(" ", 1)
        columns.append(Column(column, parse_type(kind.rstrip("!")), not kind.endswith("!")))
    return Table(name, tuple(columns))


def _positions() -> list[tuple[float, float]]:
    random = np.random.default_rng(11)
    points = list(zip(random.uniform(0, 360, 90), np.degrees(np.arcsin(random.uniform(-1, 1, 90))), strict=True))
    for ra, dec in (
        (0.0, 0.0),
        (359.95, 5.0),
        (20.0, 10.0),
        (30.0, -80.0),
        (100.0, 89.5),
        (200.0, -89.7),
        (45.0, 45.0),
    ):
        step = 0.25 / max(math.cos(math.radians(dec)), 0.02)
        for east, north in itertools.product((-1, 0, 1), (-0.2, 0.0, 0.2)):
            points.append(((ra + east * step) % 360.0, max(-90.0, min(90.0, dec + north))))
    return [*((float(ra), float(dec)) for ra, dec in points), (12.0, 90.0), (300.0, -90.0)]


def _objects() -> list[Row]:
    rows = []
    for index, (ra, dec) in enumerate(_positions()):
        hole = index % 7 == 3
        flux = 10.0 ** -(index % 9) * (1 if index % 11 else -1)
        name = f"n{index % 23}" if index % 4 else f"É{index % 5}"
        numbers = (
            KEY + index * 3, ra, dec, None if hole else float(np.float32(14 + index % 13 * 0.37)),
            None if index % 5 == 4 else flux, index % 4,
        )  # fmt: skip
        texts = (None if index % 10 == 9 else name, f"c{index % 3}", Decimal(index * 17 % 1000) / 8)
        seen = None if hole else f"2020-01-{index % 28 + 1:02d} 01:02:03"
        small = (seen, index % 2, bytes([index % 256, 9, 92]), 2**63 + index if index % 3 else None)
        day = f"{1990 + index % 40}-02-{index % 27 + 1:02d}" if index % 8 else None
        times = (day, f"{'-' if index % 2 else ''}{index % 700}:0{index % 6}:59", 1970 + index % 100)
        members = (("one", "two", "é")[index % 3], ("", "x", "x,z", "y,z")[index % 4] if index % 5 else None)
        rest = (f"2001-02-03 04:05:06.{index:06d}", -8388608 + index, index % 256, bytes([0, index % 256, 32]), index)
        rows.append((*numbers, *texts, *small, *times, *members, *rest))
    return rows


def _sources(objects: Sequence[Row]) -> list[Row]:
    rows: list[Row] = []
    for index, row in enumerate(objects):
        for epoch in range(index % 4):
            number = len(rows)
            flux = None if number % 6 == 5 else float(np.float32(number * 0.731))
            rows.append((
                9_007_199_254_740_993 + number, row[0], row[1], row[2], epoch + 1, flux, epoch + number / 7,
                None if number % 9 == 0 else number % 31, f"s{number % 5}",
            ))  # fmt: skip
    orphan = 9_107_199_254_740_993
    rows += [(orphan + n, None if n % 2 else 77 + n, None, None, 2, 1.5 * n, 0.5, n, "orphan") for n in range(6)]
    return rows


def _notes(objects: Sequence[Row]) -> list[Row]:
    rows = [(n, row[0], f"note\t{n}\\ \n'x'", "2021-05-06 07:08:09") for n, row in enumerate(objects[::3])]
    return [*rows, (9999, 5, None, "2021-05-06 07:08:09"), (10000, None, "lost", "2021-05-06 07:08:10")]


ROWS: dict[str, list[Row]] = {}

ROWS["Object"] = _objects()

ROWS["Source"] = _sources(ROWS["Object"])

ROWS["Note"] = _notes(ROWS["Object"])

ROWS["Filter"] = [(1, "u", 0.1), (2, "g", 0.7), (3, "r", 1e-7), (4, "z", 12.5)]

ROWS["Visit"] = [(n, n % 5 or None, n / 3, f"visit {n}" if n % 3 else None) for n in range(40)]

ROWS["Nothing"] = []


@dataclass
class Sky:
    """The catalog as a ``CatalogSource``, and the servers that hold it."""

    catalog_: Catalog
    keys: dict[int, tuple[int, int]]
    czars: dict[str, Czar] = field(default_factory=dict)
    mono: MonoTarget = field(init=False)

    @property
    def czar(self) -> Czar:
        return self.czars["text"]

    def close(self) -> None:
        for czar in self.czars.values():
            czar.close()
        self.mono.close()

    def databases(self) -> list[str]:
        return [DATABASE]

    def catalog(self, database: str) -> Catalog:
        if database != DATABASE:
            raise UserError(f"no database '{database}'")
        return self.catalog_

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, frozenset[int]]:
        return {key: frozenset({self.keys[key][0]}) for key in keys if key in self.keys}

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return {
            place[0] for key, place in self.keys.items()
            if (low is None or key >= low) and (high is None or key <= high)
        }  # fmt: skip


class _Builder:
    """Makes the tables on all servers by plain SQL; nothing of ingest is used."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._chunker = Chunker(STRIPING.stripes, STRIPING.substripes, STRIPING.overlap_deg)
        objects = ROWS["Object"]
        chunks, subs = self._chunker.locate([row[1] for row in objects], [row[2] for row in objects])
        self.keys = {row[0]: (int(c), int(s)) for row, c, s in zip(objects, chunks, subs, strict=True)}
        self._orphans = itertools.cycle(sorted(set(chunks.tolist())))
        self._servers = {name: connect(cluster.endpoint(name), Account.ADMIN) for name in self._names()}

    def _names(self) -> list[str]:
        return ["czar", "mono", *self._cluster.node_names]

    def build(self) -> Sky:
        for connection in self._servers.values():
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            connection.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET latin1")
            connection.execute(f"USE {DATABASE}")
        tables = {name: self._chunked(name) if name in LAYOUTS else self._regular(name) for name in COLUMNS}
        for connection in self._servers.values():
            connection.close()
        return Sky(
            Catalog(DATABASE, Layout(striping=STRIPING, tables=LAYOUTS), tables, self._cluster.node_names), self.keys
        )

    def _regular(self, name: str) -> CatalogTable:
        layout = TableLayout(role=Role.REGULAR)
        stored = stored_table(_table(name), layout)
        for server, connection in self._servers.items():
            connection.execute(create_table(stored, name))
            if server != "czar":
                _insert(connection, name, ROWS[name])
        return CatalogTable(stored, layout, len(ROWS[name]), NO_CHUNKS)

    def _chunked(self, name: str) -> CatalogTable:
        layout = LAYOUTS[name]
        stored, orphans = stored_table(_table(name), layout), set()
        rows: dict[int, list[Row]] = {}
        for row in ROWS[name]:
            key = row[0] if layout.role is Role.DIRECTOR else row[1]
            place = self.keys.get(key)
            if place is None:
                place = (next(self._orphans), 0)
                orphans.add(place[0])
            rows.setdefault(place[0], []).append((*row, *place))
        overlaps = self._overlaps() if layout.role is Role.DIRECTOR else {}
        everything = [row for part in rows.values() for row in part]
        for server in ("czar", "mono"):
            self._servers[server].execute(create_table(stored, name))
        _insert(self._servers["mono"], name, everything)
        if layout.role is Role.DIRECTOR:
            self._servers["czar"].execute(create_table(self._overlap(name), overlap_prototype(name)))
        for node in self._cluster.node_names:
            self._servers[node].execute(create_table(stored, chunk_table(name, DUMMY_CHUNK)))
        chunks = {
            chunk: self._chunk(name, chunk, rows.get(chunk, []), overlaps.get(chunk, []))
            for chunk in {*rows, *overlaps}
        }
        return CatalogTable(stored, layout, len(everything), ChunkEntries.of(chunks), frozenset(orphans))

    def _overlap(self, name: str) -> Table:
        return stored_table(_table(name), LAYOUTS[name], overlap=True)

    def _overlaps(self) -> dict[int, list[Row]]:
        objects = ROWS["Object"]
        copies = self._chunker.overlap_copies([row[1] for row in objects], [row[2] for row in objects])
        rows: dict[int, list[Row]] = {}
        for index, chunk, sub in zip(copies.row, copies.chunk_ids, copies.sub_chunk_ids, strict=True):
            rows.setdefault(int(chunk), []).append((*objects[int(index)], int(chunk), int(sub)))
        return rows

    def _chunk(self, name: str, chunk: int, rows: list[Row], overlap: list[Row]) -> ChunkEntry:
        nodes = self._cluster.node_names
        node = nodes[chunk % len(nodes)]
        connection = self._servers[node]
        connection.execute(create_table(stored_table(_table(name), LAYOUTS[name]), chunk_table(name, chunk)))
        _insert(connection, chunk_table(name, chunk), rows)
        if LAYOUTS[name].role is Role.DIRECTOR:
            connection.execute(create_table(self._overlap(name), chunk_table(name, chunk, overlap=True)))
            _insert(connection, chunk_table(name, chunk, overlap=True), overlap)
        return ChunkEntry(len(rows), len(overlap), (node,))


def _insert(connection: Connection, table: str, rows: Sequence[Row]) -> None:
    if rows:
        marks = ", ".join(f"({', '.join(['%s'] * len(row))})" for row in rows)
        connection.execute(f"INSERT INTO `{table}` VALUES {marks}", [value for row in rows for value in row])


def build_sky(cluster: Cluster) -> Sky:
    """Load the troubled sky into a running cluster and its oracle."""
    cluster.start_mono()
    sky = _Builder(cluster).build()
    at = (cluster.endpoint("czar"), cluster.nodes, cluster.data_dir("czar"))
    for way, text_rows in (("text", 10_000), ("image", -1)):
        sky.czars[way] = Czar(sky, *at, text_rows=text_rows)
    sky.mono = MonoTarget(sky, cluster.endpoint("mono"), cluster.data_dir("mono"))
    return sky
