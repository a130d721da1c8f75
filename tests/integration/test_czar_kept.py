"""Plans that are kept answer, with other numbers, as one server does.

``SKYSHARD_ROUNDS`` sets how often every shape comes, ``SKYSHARD_SEED`` where the numbers begin.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from tests.support.depth import how_many
from tests.support.same_answer import difference
from tests.support.split_sky import SplitSky, Splitter, drop, make_rows

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Striping
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.db.connection import Row
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot

pytestmark = pytest.mark.integration
CASES = Path(__file__).resolve().parents[1] / "cases" / "kept.sql"
SHAPES = [line for line in CASES.read_text().splitlines() if line and not line.startswith("--")]
ROUNDS = how_many("SKYSHARD_ROUNDS", 2)
SEED = int(os.environ.get("SKYSHARD_SEED", "0"))
STRIPING = Striping(stripes=6, substripes=5, overlap_deg=2.0)
NUMBERS = ["0", "10", "20.5", "-30", "359.9", "180", "77", "1e1", ".5", "400", "-200"]
POLYGONS = ["350, -10, 40, -10, 40, 30, 350, 30", "0,0,10,0,10,10", "0,80,120,80,240,80"]


class SkyGeneration(CatalogSnapshot):
    """The one generation of a split sky."""

    __slots__ = ()
    kept: KeptSky

    def databases(self) -> list[str]:
        return self.kept.sky.databases()

    def catalog(self, name: str) -> Catalog:
        return self.kept.sky.catalog(name)

    def stored_catalog(self, database: str) -> Catalog:
        return self.kept.sky.catalog(database)

    def index_table(self, database: str, director: str) -> str:
        return f"{database}.{director}"

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, frozenset[int]]:
        return self.kept.sky.locate_keys(database, director, keys)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return self.kept.sky.locate_key_range(database, director, low, high)


class KeptSky(CatalogCache):
    """A split sky as a source with generations, so that its plans are kept."""

    def __init__(self, sky: SplitSky) -> None:
        self.sky = sky
        self._newest = SkyGeneration(1, self)

    def close(self) -> None:
        pass

    def now(self) -> CatalogSnapshot:
        return self._newest

    def now_with_keys(self, index_table: str, keys: Sequence[int]) -> tuple[CatalogSnapshot, list[Row]]:
        database, director = index_table.split(".")
        found = self.sky.locate_keys(database, director, keys)
        return self._newest, [(key, chunk) for key, chunks in found.items() for chunk in sorted(chunks)]


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster) -> Iterator[SplitSky]:
    splitter = Splitter(private_cluster, STRIPING, len(private_cluster.node_names), 0)
    made = splitter.build("split_kept", make_rows(1, STRIPING, 120))
    yield made
    made.close()
    drop(private_cluster, made.database)


class _Draw:
    """Draws the numbers of a shape."""

    def __init__(self, chance: Random, sky: SplitSky) -> None:
        self._chance = chance
        self._stars, self._galaxies = (list(sky.keys[name]) for name in ("Star", "Galaxy"))

    def statement(self, shape: str) -> str:
        chance = self._chance
        keys = {name: self._key() for name in ("k", "k2", "k3")}
        galaxies = {name: chance.choice(self._galaxies) for name in ("g", "g2")}
        small = {"n": chance.randrange(5), "m": chance.randrange(3)}
        return shape.replace("{area}", self._area()).format(
            **keys, **galaxies, **small, r=chance.choice(NUMBERS), d=self._dec()
        )

    def _key(self) -> int:
        return self._chance.choice([*self._chance.sample(self._stars, 4), self._chance.randrange(400), 0])

    def _dec(self) -> str:
        return self._chance.choice(["0", "-89.9", "90", "45", "-30", "10.5"])

    def _area(self) -> str:
        chance, ra = self._chance, self._chance.choice(NUMBERS)
        kind = chance.choice(["box", "circle", "ellipse", "poly"])
        if kind == "box":
            low, high = sorted([self._dec(), self._dec()], key=float)
            numbers = f"{ra}, {low}, {chance.choice(NUMBERS)},{high}"
        elif kind == "circle":
            numbers = f"{ra}, {self._dec()}, {chance.choice(['0.5', '10', '60', '0', '100'])}"
        elif kind == "ellipse":
            numbers = (
                f"{ra}, {self._dec()}, 36000, {chance.choice(['9000', '36000', '1'])}, {chance.choice(['0', '400'])}"
            )
        else:
            numbers = chance.choice(POLYGONS)
        return f"{chance.choice(['qserv_areaspec_', 'QSERV_areaSpec_'])}{kind}({numbers})"


@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("text_rows", [20_000, -1], ids=["text", "image"])
def test_kept_plans_answer_with_other_numbers(sky: SplitSky, private_cluster: PrivateCluster, text_rows: int) -> None:
    """Every shape, several times with other keys, areas and numbers: names, types and rows of one server."""
    nodes = {name: private_cluster.node(name) for name in sky.nodes}
    at = (private_cluster.endpoint("czar"), nodes, private_cluster.data_dir("czar"))
    draw = _Draw(Random(f"{SEED} {text_rows}"), sky)
    wrong: list[str] = []
    with Czar(KeptSky(sky), *at, text_rows=text_rows) as czar:
        for shape in SHAPES if ROUNDS > 3 else SHAPES[text_rows == -1 :: 3]:
            for sql in (draw.statement(shape) for _ in range(ROUNDS)):
                try:
                    want = sky.mono.execute(sql, sky.database)
                except UserError:
                    with pytest.raises(UserError):
                        czar.execute(sql, sky.database)
                    continue
                is_ordered = "ORDER BY" in sql and "CONCAT" not in sql
                found = difference(czar.execute(sql, sky.database), want, is_ordered=is_ordered)
                wrong += [f"{found}: {sql}"] if found else []
    assert wrong == []
