"""From a text to a plan with types, by way of what is kept: catalogs of a generation, plans of shapes.

Rules: every statement sees the generation that is published when it comes. A source without generations (a plain
``CatalogSource``) is asked anew each time, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable

from skyshard.czar.cache.area_plans import AreaText, area_plan, area_text
from skyshard.czar.cache.plan_cache import (
    KEPT_NUMBERS,
    LONGEST_TEXT,
    MARK,
    KeptShapes,
    KeyedPlan,
    Numbers,
    Shape,
    Spy,
    keyed_plan,
    shape_of,
)
from skyshard.czar.plan.planner import make_plan, open_plan
from skyshard.czar.plan.query_plan import Kind, PlainColumn, Plan
from skyshard.czar.result.prepared import Prepared
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.sql.deep_nesting import with_room
from skyshard.czar.sql.statement import ShowStatement, parse_statement
from skyshard.errors import SkyshardError, UserError
from skyshard.registry.catalog_cache import Ahead, Generation, KeptCatalogs
from skyshard.registry.director_index import chunks_of
from skyshard.registry.published_catalog import CatalogSource
from skyshard.rowimage.sqltype import TypeClass

Types = Callable[[Plan], tuple[TypedColumn, ...]]


class KnownTypes:
    """Types of results: asked of the server, save where all columns are plain numbers that it has told before."""

    def __init__(self, ask: Types) -> None:
        self._ask = ask
        self._known: tuple[object, dict[PlainColumn, TypedColumn]] = (None, {})

    def of(self, plan: Plan, generation: object) -> tuple[TypedColumn, ...]:
        if self._known[0] is not generation:
            self._known = (generation, {})
        known = self._known[1]
        found = [known.get(column) if column is not None else None for column in plan.plain]
        if plan.kind in (Kind.LOCAL, Kind.NEAR_NEIGHBOUR) and found and None not in found:
            return tuple(one.renamed(f"c{index}") for index, one in enumerate(found) if one is not None)
        types = self._ask(plan)
        for column, one in zip(plan.plain, types, strict=False):
            if column is not None and one.type.type_class in (TypeClass.INTEGER, TypeClass.FLOATING):
                known[column] = one
        return types


class Preparing:
    """Prepares statements over a source; ``types`` asks the czar's server for the types of a plan's result."""

    def __init__(self, source: CatalogSource | KeptCatalogs, types: Types, limit_bytes: int) -> None:
        self._source = source
        self._types = KnownTypes(types)
        self._limit_bytes = limit_bytes
        self._shapes = KeptShapes()

    def now(self) -> CatalogSource:
        """What is published at this moment."""
        return self._source.now() if isinstance(self._source, KeptCatalogs) else self._source

    def plan(self, sql: str, database: str, source: CatalogSource | None = None) -> Plan | ShowStatement:
        """The plan of a statement, made anew.

        Raises:
            UserError, Refusal: it cannot be answered.
        """
        return with_room(lambda: self._plan(sql, database, source or self.now()))

    def _plan(self, sql: str, database: str, source: CatalogSource) -> Plan | ShowStatement:
        statement = parse_statement(sql)
        if isinstance(statement, ShowStatement):
            return statement
        return make_plan(statement, source, database, limit_bytes=self._limit_bytes)

    def prepare(self, sql: str, database: str) -> Prepared | ShowStatement:
        """A plan with its types, from what is kept if possible."""
        return with_room(lambda: self._prepare(sql, database))

    def _prepare(self, sql: str, database: str) -> Prepared | ShowStatement:
        if not isinstance(self._source, KeptCatalogs) or len(sql) > LONGEST_TEXT or MARK in sql:
            return self._anew(sql, database, self.now(), object())
        area = area_text(sql)
        if area is not None:
            return self._with_area(sql, database, area, self._source.now())
        shape, numbers = shape_of(sql)
        known = self._shapes.find(database, shape)
        held = self._source.held if known is None else None
        if held is not None and (first := self._first(sql, database, shape, numbers, Ahead(self._source, held), held)):
            return first
        generation: Generation | None = None
        keyed = known.keyed.get(known.pinned(numbers)) if known is not None else None
        if known is not None and keyed is not None:
            generation, prepared = self._exchange(self._source, known, keyed, numbers)
        else:
            generation = self._source.now()
            prepared = known.plans.get(numbers) if known is not None and known.generation is generation else None
        return prepared or self._keep(sql, database, shape, numbers, generation, generation)

    def _first(
        self, sql: str, database: str, shape: str, numbers: Numbers, ahead: Ahead, held: Generation
    ) -> Prepared | ShowStatement | None:
        """The first statement of a shape, planned over the generation held, which saves asking first; None if over."""
        try:
            made = self._keep(sql, database, shape, numbers, held, ahead)
        except SkyshardError:
            if ahead.is_present():
                raise
            return None
        return made if ahead.is_present() else None

    def _with_area(self, sql: str, database: str, area: AreaText, generation: Generation) -> Prepared | ShowStatement:
        """By a plan for any area, which is made the second time that a shape comes with another area."""
        kept = self._shapes.keep(database, area.shape, generation)
        prepared = kept.plans.get(area.key)
        if prepared is None and kept.with_area is not None:
            prepared = kept.with_area(area, generation)
        if prepared is not None:
            return prepared
        made = self._anew(sql, database, generation, generation)
        if isinstance(made, ShowStatement):
            return made
        if kept.plans and not kept.is_tried:
            kept.is_tried = True
            statement = parse_statement(sql)
            assert not isinstance(statement, ShowStatement)
            opened = open_plan(statement, generation, database, self._limit_bytes)
            kept.with_area = area_plan(area, made, opened, generation)
        self._shapes.add(kept, area.key, made)
        return made

    def _exchange(
        self, source: KeptCatalogs, known: Shape, keyed: KeyedPlan, numbers: Numbers
    ) -> tuple[Generation, Prepared | None]:
        """A kept plan with other keys; None when the generation is over, or the director index does not know a key."""
        assert isinstance(known.generation, Generation)
        keys = {numbers[index] for index in known.positions}
        index_table = known.generation.index_table(*keyed.director)
        try:
            generation, rows = source.now_with_keys(index_table, sorted(keys))
        except UserError:  # a newer generation has dropped the table
            return source.now(), None
        places = chunks_of(rows)
        if generation is not known.generation or len(places) != len(keys):
            return generation, None
        return generation, keyed.with_keys(numbers, places)

    def _keep(
        self, sql: str, database: str, shape: str, numbers: Numbers, generation: Generation, source: CatalogSource
    ) -> Prepared | ShowStatement:
        spy = Spy(source)
        prepared = self._anew(sql, database, spy, generation)
        if isinstance(prepared, ShowStatement):
            return prepared
        kept = self._shapes.keep(database, shape, generation)
        if kept.plans and numbers not in kept.plans and not kept.keyed.get(kept.pinned(numbers)):
            self._learn(sql, database, numbers, prepared, spy, kept)
        self._shapes.add(kept, numbers, prepared)
        return prepared

    def _learn(self, sql: str, database: str, numbers: Numbers, prepared: Prepared, spy: Spy, kept: Shape) -> None:
        """The second time that a shape comes: see whether its numbers are keys."""
        if kept.is_tried:
            return
        found = keyed_plan(sql, numbers, prepared, spy, lambda text, source: self._planned(text, database, source))
        kept.is_tried = found is None
        if found is not None and kept.positions in ((), found[0]):
            kept.positions, keyed = found
            if len(kept.keyed) >= KEPT_NUMBERS:
                kept.keyed.clear()
            kept.keyed[kept.pinned(numbers)] = keyed

    def _planned(self, sql: str, database: str, source: CatalogSource) -> Plan:
        plan = self.plan(sql, database, source)
        assert not isinstance(plan, ShowStatement)
        return plan

    def _anew(self, sql: str, database: str, source: CatalogSource, generation: object) -> Prepared | ShowStatement:
        plan = self.plan(sql, database, source)
        return plan if isinstance(plan, ShowStatement) else Prepared(plan, self._types.of(plan, generation))
