"""The one place that decides whether a kept plan serves: without any server, over catalogs that count what is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.basics.errors import UserError
from skyshard.czar.cache.plan_reuse import StatementPlanner
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.db.connection import Row
from skyshard.registry.catalog.published_catalog import Catalog, Chunks
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot
from skyshard.rowimage.sqltype import parse_type

BY_KEY = "SELECT objectId, mag FROM Object WHERE objectId = {key}"
IN_AREA = "SELECT objectId FROM Object WHERE qserv_areaspec_circle({ra}, 2, 30)"


class FourChunks(CatalogSnapshot):
    """The catalog of four chunks under a number of the generation."""

    def __init__(self, number: int, kept: CountingCatalogs) -> None:
        super().__init__(number, kept)
        self.source = Source()

    def catalog(self, name: str) -> Catalog:
        return self.source.catalog(name)

    def stored_catalog(self, database: str) -> Catalog:
        return self.source.catalog(database)

    def index_table(self, database: str, director: str) -> str:
        return f"index of {director}"

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        return self.source.locate_keys(database, director, keys)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return self.source.locate_key_range(database, director, low, high)


class CountingCatalogs(CatalogCache):
    """Catalogs whose generation a test raises; counts round trips."""

    def __init__(self) -> None:
        self.trips: Counter[str] = Counter()
        self.present: CatalogSnapshot = FourChunks(1, self)
        self.newest: CatalogSnapshot | None = None

    def now(self) -> CatalogSnapshot:
        self.trips["now"] += 1
        self.newest = self.present
        return self.present

    @property
    def held(self) -> CatalogSnapshot | None:
        return self.newest

    def now_with_keys(self, index_table: str, keys: Sequence[int]) -> tuple[CatalogSnapshot, list[Row]]:
        self.trips["keys"] += 1
        self.newest = self.present
        found = self.present.locate_keys("sky", "Object", keys)
        return self.present, [(key, chunk) for key, chunks in found.items() for chunk in chunks]

    def publish(self) -> None:
        """Another generation from now on."""
        self.present = FourChunks(self.present.number + 1, self)


class Planner:
    """A planner over such catalogs; ``typed`` counts how often types were asked, which is once for each plan made."""

    def __init__(self) -> None:
        self.catalogs = CountingCatalogs()
        self.typed: list[str] = []
        self._planner = StatementPlanner(self.catalogs, self._types, 1 << 40)

    def _types(self, plan: QueryPlan, whole: str) -> tuple[TypedColumn, ...]:
        self.typed.append(whole)
        return tuple(TypedColumn(f"c{index}", parse_type("varchar(3)")) for index in range(len(plan.names)))

    def plan(self, sql: str) -> TypedPlan:
        found = self._planner.typed_plan(sql, "sky")
        assert isinstance(found, TypedPlan)
        return found

    def made(self, sql: str) -> int:
        """How many plans were made for a statement."""
        before = len(self.typed)
        self.plan(sql)
        return len(self.typed) - before


def test_same_numbers_get_the_same_plan() -> None:
    """A statement that comes again in one generation is not planned again."""
    planner = Planner()
    first = planner.plan(BY_KEY.format(key=5))
    assert planner.plan(BY_KEY.format(key=5)) is first


def test_other_keys_are_exchanged_from_the_third_statement_on() -> None:
    """The second key is planned and learnt from; then one round trip gives generation, chunk and plan."""
    planner = Planner()
    assert [planner.made(BY_KEY.format(key=key)) for key in (5, 15, 5, 15)] == [1, 1, 0, 0]
    planner.catalogs.trips.clear()
    plan = planner.plan(BY_KEY.format(key=5)).plan
    assert planner.catalogs.trips == {"keys": 1}
    assert plan.pulls[0].chunks == (325,)
    assert plan.pulls[0].template == plan_of(BY_KEY.format(key=5), planner.catalogs.present).pulls[0].template


def test_numbers_that_are_no_keys_are_planned_each_time() -> None:
    """Where a number decides something else, every other number is planned."""
    planner = Planner()
    limit = "SELECT mag FROM Object LIMIT {n}"
    assert [planner.made(limit.format(n=n)) for n in (1, 2, 3, 4, 3)] == [1, 1, 1, 1, 0]


def test_unknown_key_is_planned() -> None:
    """A key that the director index does not know may belong to rows without director."""
    planner = Planner()
    assert [planner.made(BY_KEY.format(key=key)) for key in (5, 15, 7)] == [1, 1, 1]


def test_other_areas_are_exchanged_from_the_third_statement_on() -> None:
    """The second area is planned and learnt from; the next ones choose their chunks only."""
    planner = Planner()
    assert [planner.made(IN_AREA.format(ra=ra)) for ra in (1, 2, 3, 4.5, 1)] == [1, 1, 0, 0, 0]
    sql = IN_AREA.format(ra=77)
    assert planner.plan(sql).plan == plan_of(sql, planner.catalogs.present)


@pytest.mark.parametrize("statement", [BY_KEY, IN_AREA.replace("ra", "key")])
def test_nothing_serves_another_generation(statement: str) -> None:
    """Whatever is published makes every statement planned again, and learnt again from the second on."""
    planner = Planner()
    for key in (5, 15, 5):
        planner.plan(statement.format(key=key))
    planner.catalogs.publish()
    assert [planner.made(statement.format(key=key)) for key in (5, 15, 5)] == [1, 1, 0]


def test_new_shape_is_planned_over_the_generation_held() -> None:
    """The first statement of a shape asks for the generation with its keys, in one round trip."""
    planner = Planner()
    planner.plan("SELECT COUNT(*) FROM Object")
    planner.catalogs.trips.clear()
    planner.plan(BY_KEY.format(key=5))
    assert planner.catalogs.trips == {"keys": 1}


def test_new_shape_over_a_generation_that_is_over_is_planned_again() -> None:
    """A plan over what is no longer published is thrown away."""
    planner = Planner()
    planner.plan("SELECT COUNT(*) FROM Object")
    planner.catalogs.publish()
    assert planner.made(BY_KEY.format(key=5)) == 2
    assert planner.made(BY_KEY.format(key=5)) == 0


def test_mistakes_are_told_by_what_is_published() -> None:
    """An error over the generation held counts only if that is the present one."""
    planner = Planner()
    planner.plan("SELECT COUNT(*) FROM Object")
    planner.catalogs.publish()
    planner.catalogs.trips.clear()
    with pytest.raises(UserError, match="unknown table"):
        planner.plan("SELECT x FROM Nothing")
    assert planner.catalogs.trips["now"] == 2


def test_plain_sources_are_asked_each_time() -> None:
    """A source without generations keeps nothing."""
    asked: list[str] = []

    def types(plan: QueryPlan, whole: str) -> tuple[TypedColumn, ...]:
        asked.append(whole)
        return ()

    planner = StatementPlanner(Source(), types, 1 << 40)
    for _ in range(3):
        planner.typed_plan("SELECT mag FROM Object", "sky")
    assert len(asked) == 3
