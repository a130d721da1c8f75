"""A catalog split by plain SQL over any nodes, in any order, next to the same rows unsharded: an oracle for the czar.

Nothing of ingest is used. Two directors (one with right ascensions in (-180, 180]), dependents with and without
copied position, rows without director, two ref-match tables (one with keys that nobody has) and regular tables; rows
crowd at chunk borders, poles and the wrap.
"""

# ruff: noqa: E501  (rows and statements read better whole)

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import DUMMY_CHUNK, chunk_table, create_table, overlap_prototype, stored_table
from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.schema import Column, Table
from skyshard.chunking import Chunker
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.cluster import Cluster
from skyshard.czar.czar import Czar
from skyshard.czar.mono import MonoTarget
from skyshard.db.connection import Account, Connection, connect
from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.rowimage.sqltype import parse_type

Row = tuple[Any, ...]
Place = tuple[int, int]

COLUMNS = {
    "Star": "starId bigint!, ra double, decl double, mag float, flux double, kind int, name varchar(8), price decimal(9,2)",
    "Galaxy": "galaxyId bigint!, ra double, dec_ double, z double, kind int, bits int",
    "Epoch": "epochId int!, starId bigint, raStar double, declStar double, ra double, decl double, t double, flux float, "
    "bandId int, label char(4)",
    "Spectrum": "spectrumId int!, galaxyId bigint, snr float, lines_ int",
    "Pair": "starId bigint, galaxyId bigint, sep double, weight int, flag int",
    "Loose": "galaxyId bigint, starId bigint, score double, flag tinyint",
    "Band": "bandId int!, bandName varchar(4), width double",
    "Run": "runId int!, bandId int, kind int, remark varchar(10)",
}
LAYOUTS = {
    "Star": TableLayout(role=Role.DIRECTOR, key="starId", position=("ra", "decl")),
    "Galaxy": TableLayout(role=Role.DIRECTOR, key="galaxyId", position=("ra", "dec_")),
    "Epoch": TableLayout(role=Role.DEPENDENT, key="starId", director="Star", position=("raStar", "declStar")),
    "Spectrum": TableLayout(role=Role.DEPENDENT, key="galaxyId", director="Galaxy"),
    "Pair": TableLayout(
        role=Role.REF_MATCH, key="starId", director="Star", key2="galaxyId", director2="Galaxy", flag="flag"
    ),
    "Loose": TableLayout(
        role=Role.REF_MATCH, key="galaxyId", director="Galaxy", key2="starId", director2="Star", flag="flag"
    ),
}  # fmt: skip


def table_of(name: str, columns: str) -> Table:
    """A table of ``name type, name type ...``; ``!`` after a type: never NULL. A name with spaces is in backticks."""
    parts = re.findall(r"(`[^`]+`|\w+) ([^,(]+(?:\([^)]*\)[^,]*)?)(?:, |$)", columns)
    made = [Column(word.strip("`"), parse_type(kind.rstrip("!")), not kind.endswith("!")) for word, kind in parts]
    return Table(name, tuple(made))


def make_rows(seed: int, striping: Striping, count: int, *, is_spread: bool = False) -> dict[str, list[Row]]:
    """The rows of all tables, without chunk numbers; a match row's flag is that of its first side's copy.

    ``is_spread``: most stars have a chunk of their own.
    """
    chance = random.Random(seed)
    places = _spread(chance, striping, count) if is_spread else _places(chance, striping, count)
    stars = [_star(chance, n, *place) for n, place in enumerate(places)]
    galaxies = [
        _galaxy(chance, n, *_near(chance, star, striping)) for n, star in enumerate(chance.sample(stars, count // 2))
    ]
    rows = {"Star": stars, "Galaxy": galaxies}
    rows["Epoch"] = [_epoch(chance, n, star) for n, star in enumerate(chance.choices(stars, k=2 * count))]
    rows["Epoch"] += [
        (10**6 + n, None if n % 3 else -n, *_anywhere(chance), 1.0, 2.0, n / 3, 1.5, 2, "lost") for n in range(9)
    ]
    rows["Spectrum"] = [
        (n, one[0], chance.choice([None, 1.5, n / 8]), chance.randrange(9))
        for n, one in enumerate(chance.choices(galaxies, k=count))
    ]
    rows["Pair"] = [(a, b, chance.random() / 50, chance.randrange(20), 0) for a, b in _links(chance, stars, galaxies)]
    loose = [(b, a, chance.random(), 0) for a, b in _links(chance, stars, galaxies)]
    rows["Loose"] = [
        *loose,
        *((10**9 + n, chance.choice(stars)[0], 0.5, 0) for n in range(4)),
        (galaxies[0][0], -5, 0.25, 0),
    ]
    rows["Band"] = [(n, name, n / 3) for n, name in enumerate(("u", "g", "r", "i", None))]
    rows["Run"] = [(n, n % 7 or None, n % 4, f"run {n % 3}" if n % 5 else None) for n in range(30)]
    return rows


def _places(chance: random.Random, striping: Striping, count: int) -> list[tuple[float, float]]:
    """Half in groups around corners of chunks, some at poles and wrap, the rest anywhere."""
    height, reach = 180 / striping.stripes, striping.overlap_deg
    corners = [(0.0, 0.0), (180.0, 90.0), (77.0, -90.0), (359.999, 45.0)]
    chunker = Chunker(striping.stripes, striping.substripes, reach)
    for _ in range(count // 16):
        box = chunker.chunk_box(int(chance.choice(chunker.chunk_ids())))
        corners.append((box.ra_min, box.dec_min))
    places = [(chance.uniform(0, 360), math.degrees(math.asin(chance.uniform(-1, 1)))) for _ in range(count // 2)]
    while len(places) < count:
        ra, dec = chance.choice(corners)
        dec = max(-90.0, min(90.0, dec + chance.uniform(-1, 1) * reach))
        places.append(((ra + chance.uniform(-1, 1) * reach / max(math.cos(math.radians(dec)), 0.01)) % 360.0, dec))
    assert height > reach
    return places


def _spread(chance: random.Random, striping: Striping, count: int) -> list[tuple[float, float]]:
    """Nine of ten in chunks of their own, some of these on the chunk's border; the others as in ``_places``."""
    chunker = Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
    places = _places(chance, striping, count // 10)
    for chunk in chance.sample([int(chunk) for chunk in chunker.chunk_ids()], count - len(places)):
        box = chunker.chunk_box(chunk)
        share = chance.choice([0.0, chance.random(), chance.random()])
        width = (box.ra_max - box.ra_min) % 360.0 or 360.0
        ra, dec = (
            box.ra_min + share * width,
            box.dec_min + chance.choice([0.0, 0.5, share]) * (box.dec_max - box.dec_min),
        )
        places.append((ra % 360.0, dec))
    return places


def _anywhere(chance: random.Random) -> tuple[float, float]:
    return chance.uniform(0, 360), chance.uniform(-90, 90)


def _star(chance: random.Random, n: int, ra: float, dec: float) -> Row:
    mag = None if n % 9 == 4 else float(round(chance.uniform(10, 25) * 8) / 8)
    name = None if n % 11 == 3 else f"s{n % 17}"
    flux = None if n % 7 == 6 else chance.choice([1, 1, 1, -1]) * 10 ** -chance.uniform(0, 5)
    return (
        n * 3 + 7,
        ra - 360.0 if ra > 180.0 else ra,
        dec,
        mag,
        flux,
        n % 5,
        name,
        f"{chance.randrange(10**6) / 100:.2f}",
    )


def _near(chance: random.Random, star: Row, striping: Striping) -> tuple[float, float]:
    reach = striping.overlap_deg * 0.45
    dec = max(-90.0, min(90.0, star[2] + chance.uniform(-1, 1) * reach))
    return (star[1] + chance.uniform(-1, 1) * reach / max(math.cos(math.radians(dec)), 0.01)) % 360.0, dec


def _galaxy(chance: random.Random, n: int, ra: float, dec: float) -> Row:
    return n * 2 + 10**5, ra, dec, chance.choice([None, chance.uniform(0, 3)]), n % 4, chance.randrange(65536)


def _epoch(chance: random.Random, n: int, star: Row) -> Row:
    own = star[1] + chance.uniform(-1e-3, 1e-3), max(-90.0, min(90.0, star[2] + chance.uniform(-1e-3, 1e-3)))
    flux = None if n % 13 == 5 else float(round(chance.uniform(0, 100) * 4) / 4)
    return (
        n,
        star[0],
        star[1],
        star[2],
        *own,
        chance.uniform(0, 10),
        flux,
        chance.choice([0, 1, 2, 3, None]),
        f"e{n % 6}",
    )


def _links(chance: random.Random, stars: Sequence[Row], galaxies: Sequence[Row]) -> list[tuple[Any, Any]]:
    """Pairs of keys: most of both sides, some of one only."""
    links: list[tuple[Any, Any]] = []
    for n in range(len(galaxies)):
        star, galaxy = chance.choice(stars)[0], chance.choice(galaxies)[0]
        links.append((None, galaxy) if n % 9 == 0 else (star, None) if n % 9 == 1 else (star, galaxy))
    return links


@dataclass
class SplitSky:
    """The catalog as a ``CatalogSource``, the czar over it and the oracle."""

    database: str
    layout: Layout
    nodes: tuple[str, ...]
    tables: dict[str, CatalogTable] = field(default_factory=dict)
    keys: dict[str, dict[int, Place]] = field(default_factory=dict)
    czar: Czar = field(init=False)
    mono: MonoTarget = field(init=False)

    def databases(self) -> list[str]:
        return [self.database]

    def catalog(self, database: str) -> Catalog:
        if database != self.database:
            raise UserError(f"no database '{database}'")
        return Catalog(database, self.layout, self.tables, self.nodes)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, frozenset[int]]:
        return {key: frozenset({self.keys[director][key][0]}) for key in keys if key in self.keys[director]}

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        known = self.keys[director].items()
        return {at[0] for key, at in known if (low is None or key >= low) and (high is None or key <= high)}

    def close(self) -> None:
        self.czar.close()
        self.mono.close()


class Splitter:
    """Builds one split sky; ``columns`` and ``layouts`` of its tables are those of this module unless others are given."""

    def __init__(
        self,
        cluster: Cluster,
        striping: Striping,
        nodes: int,
        seed: int,
        columns: dict[str, str] = COLUMNS,
        layouts: dict[str, TableLayout] = LAYOUTS,
    ) -> None:
        self._columns = columns
        self._layouts = layouts
        self._cluster = cluster
        self._striping = striping
        self._chance = random.Random(seed)
        self._chunker = Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
        self._nodes = cluster.node_names[:nodes]

    def build(
        self, database: str, rows: dict[str, list[Row]], *, has_oracle: bool = True, text_rows: int = 20_000
    ) -> SplitSky:
        """Create all tables and load them; ``has_oracle``: the whole tables too."""
        cluster = self._cluster
        cluster.start_mono()
        self._servers = {
            name: connect(cluster.endpoint(name), Account.ADMIN) for name in ("czar", "mono", *self._nodes)
        }
        sky = SplitSky(database, Layout(striping=self._striping, tables=self._layouts), self._nodes)
        for server, connection in self._servers.items():
            if server != "mono" or has_oracle:
                connection.execute(f"DROP DATABASE IF EXISTS {database}")
                connection.execute(f"CREATE DATABASE {database} CHARACTER SET latin1")
            connection.execute(f"USE {database}")
        for name in [name for name, layout in self._layouts.items() if layout.role is Role.DIRECTOR]:
            sky.keys[name] = self._directors(name, rows[name])
        for name in self._columns:
            sky.tables[name] = self._table(sky, name, rows[name], has_oracle=has_oracle)
        for connection in self._servers.values():
            connection.close()
        nodes = {name: cluster.node(name) for name in self._nodes}
        sky.czar = Czar(sky, cluster.endpoint("czar"), nodes, cluster.data_dir("czar"), text_rows=text_rows)
        sky.mono = MonoTarget(sky, cluster.endpoint("mono"), cluster.data_dir("mono"))
        return sky

    def _table_of(self, name: str) -> Table:
        return table_of(name, self._columns[name])

    def _directors(self, name: str, rows: Sequence[Row]) -> dict[int, Place]:
        chunks, subs = self._chunker.locate([row[1] % 360.0 for row in rows], [row[2] for row in rows])
        return {row[0]: (int(chunk), int(sub)) for row, chunk, sub in zip(rows, chunks, subs, strict=True)}

    def _table(self, sky: SplitSky, name: str, rows: Sequence[Row], *, has_oracle: bool) -> CatalogTable:
        layout = self._layouts.get(name, TableLayout(role=Role.REGULAR))
        stored = stored_table(self._table_of(name), layout)
        orphans: set[int] = set()
        if not layout.role.is_chunked:
            for server, connection in self._servers.items():
                if server != "mono" or has_oracle:
                    _fill(connection, create_table(stored, name), name, rows if server != "czar" else [])
            return CatalogTable(stored, layout, len(rows), NO_CHUNKS)
        placed, whole = self._placed(sky, name, rows, orphans)
        self._servers["czar"].execute(create_table(stored, name))
        if has_oracle:
            _fill(self._servers["mono"], create_table(stored, name), name, whole)
        for node in self._nodes:
            self._servers[node].execute(create_table(stored, chunk_table(name, DUMMY_CHUNK)))
        copies = self._overlaps(name, layout, rows)
        chunks = list({*placed, *copies})
        self._chance.shuffle(chunks)
        entries = {chunk: self._chunk(name, chunk, placed.get(chunk, []), copies.get(chunk, [])) for chunk in chunks}
        total = sum(map(len, placed.values()))
        return CatalogTable(stored, layout, total, ChunkEntries.of(entries), frozenset(orphans))

    def _placed(
        self, sky: SplitSky, name: str, rows: Sequence[Row], orphans: set[int]
    ) -> tuple[dict[int, list[Row]], list[Row]]:
        """Rows by chunk, and the rows as the whole table has them: each once."""
        layout = self._layouts[name]
        placed: dict[int, list[Row]] = {}
        whole = []
        for row in rows:
            stored = (
                self._match(sky, layout, row, orphans)
                if layout.role is Role.REF_MATCH
                else [self._single(sky, name, layout, row, orphans)]
            )
            whole.append(stored[0])
            for one in stored:
                placed.setdefault(one[-2], []).append(one)
        return placed, whole

    def _single(self, sky: SplitSky, name: str, layout: TableLayout, row: Row, orphans: set[int]) -> Row:
        known = sky.keys[layout.director or name]
        place = known.get(row[0] if layout.role is Role.DIRECTOR else row[1])
        if place is None:
            ra, dec = row[2:4] if layout.position is not None and row[2] is not None else (0.0, 0.0)
            chunks, subs = self._chunker.locate([ra % 360.0], [dec])
            place = int(chunks[0]), int(subs[0])
            orphans.add(place[0])
        return (*row, *place)

    def _match(self, sky: SplitSky, layout: TableLayout, row: Row, orphans: set[int]) -> list[Row]:
        first, second = sky.keys[layout.director].get(row[0]), sky.keys[layout.director2].get(row[1])
        content = row[:-1]
        is_orphan = (first is None and row[0] is not None) or (second is None and row[1] is not None)
        stored: list[Row] = []
        if first is not None:
            stored.append((*content, 3 if second is not None and second[0] == first[0] else 1, *first))
        if second is not None and (first is None or second[0] != first[0]):
            stored.append((*content, 2 if first is not None or row[0] is None else 1, *second))
        if is_orphan:
            orphans.update(one[-2] for one in stored)
        return stored

    def _overlaps(self, name: str, layout: TableLayout, rows: Sequence[Row]) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        if layout.role is Role.DIRECTOR:
            copies = self._chunker.overlap_copies([row[1] % 360.0 for row in rows], [row[2] for row in rows])
            for row, chunk, sub in zip(*(part.tolist() for part in copies), strict=True):
                found.setdefault(chunk, []).append((*rows[row], chunk, sub))
            overlap = stored_table(self._table_of(name), layout, overlap=True)
            self._servers["czar"].execute(create_table(overlap, overlap_prototype(name)))
        return found

    def _chunk(self, name: str, chunk: int, rows: list[Row], overlap: list[Row]) -> ChunkEntry:
        layout = self._layouts[name]
        holders = {self._nodes[chunk % len(self._nodes)], *self._chance.choices(self._nodes, k=int(chunk % 3 == 0))}
        for node in holders:
            connection = self._servers[node]
            _fill(
                connection,
                create_table(stored_table(self._table_of(name), layout), chunk_table(name, chunk)),
                chunk_table(name, chunk),
                rows,
            )
            if layout.role is Role.DIRECTOR:
                text = create_table(
                    stored_table(self._table_of(name), layout, overlap=True), chunk_table(name, chunk, overlap=True)
                )
                _fill(connection, text, chunk_table(name, chunk, overlap=True), overlap)
        return ChunkEntry(len(rows), len(overlap), tuple(sorted(holders)))


def _fill(connection: Connection, create: str, table: str, rows: Sequence[Row]) -> None:
    connection.execute(create)
    for start in range(0, len(rows), 300):
        part = rows[start : start + 300]
        line = f"({', '.join(['%s'] * len(part[0]))})"
        connection.execute(
            f"INSERT INTO `{table}` VALUES {', '.join([line] * len(part))}", [value for row in part for value in row]
        )


def drop(cluster: Cluster, database: str) -> None:
    """Drop a split sky from all servers."""
    for name in ("czar", "mono", *cluster.node_names):
        with connect(cluster.endpoint(name), Account.ADMIN) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {database}")


__all__ = ["SCRATCH_DATABASE", "SplitSky", "Splitter", "drop", "make_rows"]
