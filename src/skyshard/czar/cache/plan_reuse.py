"""Turns SQL text into a typed plan: the one place that decides whether a plan that is kept serves.

    parse ▸ bind ▸ rewrite ▸ plan ▸ type

A statement of a source that keeps catalogs is taken apart into its shape and what the shape leaves open. Then:

==========================================  ==================================================================
the shape is new                            plan over the generation held last, then ask whether it is current
its numbers can be exchanged                exchange keys (one round trip), the area or the point
the same numbers, in the same generation    the same plan
anything else                               plan it; the second time learn whether numbers can be exchanged
==========================================  ==================================================================

Rules: every statement sees the generation that is published when it comes. A plan that is reused is the plan that would
be made. A source without generations (a plain ``CatalogSource``) is asked each time, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from skyshard.basics.errors import SkyshardError
from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.bound_statement import Bound
from skyshard.czar.bind.ref_match import single_rows
from skyshard.czar.bind.rewrite import rewrite
from skyshard.czar.cache.area_plans import learn_area
from skyshard.czar.cache.keyed_plans import RecordingSource, learn_keys
from skyshard.czar.cache.plan_cache import LearnedPlan, PlanCache
from skyshard.czar.cache.region_plans import learn_region
from skyshard.czar.cache.statement_shapes import StatementText, take_text_apart
from skyshard.czar.plan.planner import plan_statement, plan_with_basis
from skyshard.czar.plan.query_plan import Kind, PlainColumn, QueryPlan
from skyshard.czar.result.typed_plan import NO_GENERATION, TypedPlan
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.sql.deep_nesting import with_room
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import SelectStatement, ShowStatement, parse_statement
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot, UncheckedSnapshot
from skyshard.rowimage.sqltype import TypeClass

AskTypes = Callable[[QueryPlan, str], tuple[TypedColumn, ...]]
"""A plan and its statement as one server would run it → the types of the result's columns."""
CheckSyntax = Callable[[str], None]
"""Raises a UserError for the text of a SELECT that is none as MariaDB reads it."""


class KnownTypes:
    """Types of results: asked of the server, unless all columns are plain numbers whose types are known."""

    def __init__(self, ask: AskTypes) -> None:
        self._ask = ask
        self._known: tuple[object, dict[PlainColumn, TypedColumn]] = (None, {})

    def of(self, plan: QueryPlan, bound: Bound, generation: object) -> tuple[TypedColumn, ...]:
        if self._known[0] is not generation:
            self._known = (generation, {})
        known = self._known[1]
        found = [known.get(column) if column is not None else None for column in plan.plain]
        if plan.kind in (Kind.LOCAL, Kind.NEAR_NEIGHBOUR) and found and None not in found:
            return tuple(one.renamed(f"c{index}") for index, one in enumerate(found) if one is not None)
        types = self._ask(plan, render(bound.tree))
        for column, one in zip(plan.plain, types, strict=False):
            if column is not None and one.type.type_class in (TypeClass.INTEGER, TypeClass.FLOATING):
                known[column] = one
        return types


class StatementPlanner:
    """Plans statements over a source; ``ask_types`` asks the czar's server for the types of a plan's result."""

    def __init__(
        self,
        source: CatalogSource | CatalogCache,
        ask_types: AskTypes,
        limit_bytes: int,
        check_syntax: CheckSyntax = lambda _: None,
    ) -> None:
        self._source = source
        self._check_syntax = check_syntax
        self._types = KnownTypes(ask_types)
        self._limit_bytes = limit_bytes
        self._cache = PlanCache()

    def now(self) -> CatalogSource:
        """What is published at this moment."""
        return self._source.now() if isinstance(self._source, CatalogCache) else self._source

    def plan(self, sql: str, database: str) -> QueryPlan | ShowStatement:
        """The plan of a statement, made whatever is kept.

        Raises:
            UserError, Refusal: it cannot be answered.
        """
        return with_room(lambda: self._plan(sql, database))

    def written_out(self, sql: str, database: str) -> str:
        """The text of a SELECT that is bound and rewritten, its databases under the names of people; else as it is."""
        return with_room(lambda: self._written_out(sql, database))

    def _written_out(self, sql: str, database: str) -> str:
        statement, source = parse_statement(sql), self.now()
        if isinstance(statement, ShowStatement):
            return sql

        def called(name: str) -> Catalog:
            return replace(source.catalog(name), database=name)

        return render(single_rows(rewrite(bind(statement, called, database))).tree)

    def _plan(self, sql: str, database: str) -> QueryPlan | ShowStatement:
        statement = self._read(sql)
        if isinstance(statement, ShowStatement):
            return statement
        return self._planned(statement, database, self.now())[0]

    def typed_plan(
        self, sql: str, database: str, extend: Callable[[CatalogSource], CatalogSource] | None = None
    ) -> TypedPlan | ShowStatement:
        """A plan with its types, from what is kept if possible. Errors as of :meth:`plan`.

        ``extend`` adds to what is published what only this statement knows; nothing of its plan is kept.
        """
        if extend is not None:
            return with_room(lambda: self._made(sql, database, extend(self.now()), object()))
        return with_room(lambda: self._typed_plan(sql, database))

    def _typed_plan(self, sql: str, database: str) -> TypedPlan | ShowStatement:
        source, text = self._source, take_text_apart(sql)
        if not isinstance(source, CatalogCache):
            return self._made(sql, database, source, object())
        if text is None:
            return self._made(sql, database, now := source.now(), now)
        entry = self._cache.find(database, text.shape)
        if entry is None:
            first = self._made_ahead(sql, database, text, source)
            return first or self._made_and_kept(sql, database, text, source.now())
        learned = entry.learned_for(text)
        if learned is not None:
            generation, found = learned.reuse(text, source, entry)
        else:
            generation = source.now()
            found = entry.plans.get(text.key) if entry.generation is generation else None
        return found or self._made_and_kept(sql, database, text, generation)

    def _made_ahead(
        self, sql: str, database: str, text: StatementText, source: CatalogCache
    ) -> TypedPlan | ShowStatement | None:
        """The plan over the generation held, which saves asking first; None if there is none, or it is over."""
        held = source.held
        if held is None:
            return None
        ahead = UncheckedSnapshot(source, held)
        try:
            made = self._made_and_kept(sql, database, text, held, ahead)
        except SkyshardError:
            if ahead.is_present():
                raise
            return None
        return made if ahead.is_present() else None

    def _made_and_kept(
        self,
        sql: str,
        database: str,
        text: StatementText,
        generation: CatalogSnapshot,
        source: CatalogSource | None = None,
    ) -> TypedPlan | ShowStatement:
        """The plan as it is made and typed; ``source``: the generation, if it is read in another way."""
        asked = RecordingSource(source or generation)
        made = self._made(sql, database, asked, generation)
        if isinstance(made, ShowStatement):
            return made
        entry = self._cache.entry(database, text.shape, generation)
        is_second = bool(entry.plans) and text.key not in entry.plans
        if is_second and not entry.is_tried and entry.learned_for(text) is None:
            self._cache.learn(entry, text, self._learned(sql, database, text, made, asked))
        self._cache.add(entry, text.key, made)
        return made

    def _learned(
        self, sql: str, database: str, text: StatementText, made: TypedPlan, asked: RecordingSource
    ) -> LearnedPlan | None:
        """What gives the plans of other numbers, learnt from the second statement of a shape."""
        if text.region is not None:
            bound = rewrite(bind(_select(sql), asked.catalog, database, has_open_areas=True))
            return learn_region(text, made, plan_statement(bound, asked, self._limit_bytes))
        if text.area is None:
            return learn_keys(
                text, made, asked, lambda other, source: self._planned(_select(other), database, source)[0]
            )
        bound = rewrite(bind(_select(sql), asked.catalog, database, has_open_areas=True))
        return learn_area(text, made, plan_with_basis(bound, asked, self._limit_bytes), asked)

    def _read(self, sql: str) -> SelectStatement | ShowStatement:
        statement = parse_statement(sql)
        if isinstance(statement, SelectStatement):
            self._check_syntax(sql)
        return statement

    def _made(self, sql: str, database: str, source: CatalogSource, generation: object) -> TypedPlan | ShowStatement:
        statement = self._read(sql)
        if isinstance(statement, ShowStatement):
            return statement
        plan, bound = self._planned(statement, database, source)
        number = generation.number if isinstance(generation, CatalogSnapshot) else NO_GENERATION
        return TypedPlan(plan, self._types.of(plan, bound, generation), generation=number)

    def _planned(self, statement: SelectStatement, database: str, source: CatalogSource) -> tuple[QueryPlan, Bound]:
        bound = rewrite(bind(statement, source.catalog, database))
        return plan_statement(bound, source, self._limit_bytes), bound


def _select(sql: str) -> SelectStatement:
    statement = parse_statement(sql)
    assert isinstance(statement, SelectStatement)
    return statement
