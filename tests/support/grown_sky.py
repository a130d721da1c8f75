"""A sky that grows: the rows of a split sky ingested in several transactions, in any order, beside plain tables.

Rows of every role come in every transaction, dependents and pairs also before their directors; whoever likes compacts
in between. The plain tables are loaded by hand from the rows as they were drawn, so they know nothing of parts, orphans
and copies; the oracle of ``mono load`` is held against them too.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from tests.support.split_sky import COLUMNS, LAYOUTS, Row, make_rows, table_of

from skyshard.catalog.ddl import create_table
from skyshard.catalog.layout import Striping
from skyshard.chunking.sphere import ang_sep
from skyshard.cluster.cluster import MONO_NAME
from skyshard.czar.mono import MonoTarget
from skyshard.db.connection import Account, connect, quote_name
from skyshard.registry.catalog.published_catalog import Catalog, Chunks
from skyshard.testbed import Testbed

Batch = dict[str, list[Row]]
"""Rows by table, as one transaction brings them."""
SIDES = {"Pair": ("Star", "Galaxy"), "Loose": ("Galaxy", "Star")}


def make_batches(seed: int, striping: Striping, stars: int, transactions: int) -> list[Batch]:
    """Every row in one of so many transactions; a pair comes when one of its sides is there, or together with it."""
    chance = random.Random(seed)
    rows = make_rows(seed, striping, stars)
    rows["Epoch"] = [_moved(chance, row) if seed % 2 and chance.random() < 0.1 else row for row in rows["Epoch"]]
    rows |= {name: _links(chance, rows, name, striping.overlap_deg) for name in SIDES}
    came = {
        name: {row[0]: chance.randrange(transactions) for row in rows[name]} for name in ("Star", "Galaxy")
    }  # fmt: skip
    came["Galaxy"][rows["Galaxy"][0][0]] = 0  # who follows it without a position needs somebody to follow
    batches: list[Batch] = [{name: [] for name in rows} for _ in range(transactions)]
    for name, some in rows.items():
        for row in some:
            first = (
                min((came[side].get(key, transactions) for side, key in zip(SIDES[name], row, strict=False)))
                if name in SIDES
                else 0
            )
            at = came[name][row[0]] if name in came else chance.randrange(first, transactions)
            batches[at][name].append(row)
    return batches


def _moved(chance: random.Random, epoch: Row) -> Row:
    """An epoch whose copied position is not its star's: where it stands depends on who came first."""
    return (*epoch[:2], chance.uniform(0, 360), chance.uniform(-90, 90), *epoch[4:])


def _links(chance: random.Random, rows: dict[str, list[Row]], name: str, reach_deg: float) -> list[Row]:
    """Pairs of stars and galaxies that may be linked; some lack a side, of some of ``Loose`` a side is nobody's."""
    near = [
        (star[0], galaxy[0])
        for galaxy in rows["Galaxy"]
        for star in rows["Star"]
        if ang_sep(star[1], star[2], galaxy[1], galaxy[2]) < 0.9 * reach_deg
    ]
    pairs: list[tuple[Any, Any]] = chance.choices(near, k=2 * len(rows["Galaxy"]))
    pairs = [(None, g) if n % 9 == 0 else (s, None) if n % 9 == 1 else (s, g) for n, (s, g) in enumerate(pairs)]
    if name == "Pair":
        return [(star, galaxy, chance.random() / 50, chance.randrange(20)) for star, galaxy in pairs]
    lost = [(-5, near[0][1]), *((star, 10**9 + n) for n, (star, _) in enumerate(near[:4]))]
    return [(galaxy, star, chance.random()) for star, galaxy in [*pairs, *lost]]


class GrownSky:
    """The catalog and the plain tables; ``add`` brings one batch to both."""

    def __init__(self, testbed: Testbed, folder: Path, database: str, striping: Striping, replicas: int = 1) -> None:
        self.testbed = testbed
        self.database = database
        self._folder = folder
        self._striping = striping
        self._replicas = replicas
        self._batches: list[Batch] = []

    def add(self, batch: Batch) -> None:
        """One transaction."""
        folder = self._folder / f"t{len(self._batches)}"
        folder.mkdir(parents=True)
        self._batches.append(batch)
        filled = {name: rows for name, rows in batch.items() if rows}
        for name, rows in filled.items():
            with (folder / f"{name}.csv").open("w", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(_given(name))
                out.writerows([r"\N" if value is None else value for value in row] for row in rows)
        self.testbed.ingest(self._mapping(folder, filled), replicas=self._replicas)

    def _mapping(self, folder: Path, names: Sequence[str] | dict[str, Any]) -> Path:
        tables: dict[str, Any] = {}
        for name in names:
            layout = LAYOUTS.get(name)
            values = layout.model_dump(mode="json", exclude_defaults=True) if layout is not None else {}
            columns = [column for column in table_of(name, COLUMNS[name]) if column.name in _given(name)]
            declared = [
                {"name": column.name, "type": column.type.text, "nullable": column.is_nullable} for column in columns
            ]
            tables[name] = {"role": "regular", **values, "files": [f"{name}.csv"], "declare": declared}
        path = folder / "mapping.yaml"
        striping = self._striping.model_dump(exclude={"family"})
        content = {"version": 1, "database": self.database, "striping": striping, "tables": tables}
        path.write_text(yaml.safe_dump(content))
        return path

    def load_oracles(self) -> None:
        """The oracle from the catalog, and the plain tables from the rows as they were drawn."""
        self.testbed.load_mono(self.database)
        catalog = self.testbed.registry.published.catalog(self.database)
        with connect(self.testbed.cluster.endpoint(MONO_NAME), Account.ADMIN) as mono:
            mono.execute(f"DROP DATABASE IF EXISTS {self.plain_name}")
            mono.execute(f"CREATE DATABASE {self.plain_name} CHARACTER SET latin1")
            for name, entry in catalog.tables.items():
                table = f"{self.plain_name}.{quote_name(name)}"
                mono.execute(create_table(entry.table, name, keys=False).replace(quote_name(name), table, 1))
                names, rows = _given(name), [row for batch in self._batches for row in batch[name]]
                extra = [entry.layout.flag] if entry.layout.flag else []
                listed = ", ".join(map(quote_name, [*names, *extra, *_chunk_columns(entry.table.column_names)]))
                values = [
                    [*row[: len(names)], *([3] if extra else []), *([0, 0] if entry.chunks else [])] for row in rows
                ]
                for row in values:
                    mono.execute(f"INSERT INTO {table} ({listed}) VALUES ({', '.join(['%s'] * len(row))})", row)

    @property
    def plain_name(self) -> str:
        return f"plain_{self.database}"

    @cached_property
    def plain(self) -> MonoTarget:
        """Answers from the plain tables."""
        cluster = self.testbed.cluster
        return MonoTarget(_Renamed(self), cluster.endpoint(MONO_NAME), cluster.data_dir(MONO_NAME))


class _Renamed:
    """The catalog of a grown sky as that of its plain tables."""

    def __init__(self, sky: GrownSky) -> None:
        self._sky = sky

    def databases(self) -> list[str]:
        return [self._sky.plain_name]

    def catalog(self, database: str) -> Catalog:
        found = self._sky.testbed.registry.published.catalog(self._sky.database)
        return replace(found, database=database, transaction=0)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        raise NotImplementedError

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        raise NotImplementedError


def _given(name: str) -> list[str]:
    """The columns that the input has: all but a flag."""
    flag = LAYOUTS[name].flag if name in LAYOUTS else ""
    return [column.name for column in table_of(name, COLUMNS[name]) if column.name != flag]


def _chunk_columns(names: Sequence[str]) -> list[str]:
    return [name for name in names if name in ("chunkId", "subChunkId")]
