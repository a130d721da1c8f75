"""Plans whose area is exchanged, and nothing else.

Rules: a statement has one ``qserv_areaspec_`` call with plain numbers, and is answered chunk by chunk. Its plan is made
once with marks in place of the area's conditions; for other numbers the region is put in and its chunks are chosen,
both by what plans a statement. Such a plan is taken only if it equals, for the statement that it was made from, the
plan that was made without it. No I/O but the look-ups of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from skyshard.chunking.sphere import Region
from skyshard.czar.bind.bound_statement import Bound
from skyshard.czar.bind.expand_functions import AREASPEC
from skyshard.czar.bind.ref_match import is_match
from skyshard.czar.cache.exchanged_plans import ExchangedPlan
from skyshard.czar.cache.statement_shapes import AreaText, StatementText
from skyshard.czar.locate.chunk_choice import choose_chunks
from skyshard.czar.plan.chunk_template import Item, Slot, Template
from skyshard.czar.plan.pair_way import PairWay
from skyshard.czar.plan.planner import Basis, anchor_chunks, lane_of, rows_of
from skyshard.czar.plan.query_plan import Pull, QueryPlan
from skyshard.czar.plan.single_chunk import direct_pull
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.sql.region_sql import OPEN, close_areas
from skyshard.registry.catalog.published_catalog import CatalogSource


@dataclass(frozen=True, slots=True)
class AreaPlan(ExchangedPlan):
    """A plan for any area; ``typed`` gives the types, ``open`` and ``direct`` have marks in place of the area."""

    typed: TypedPlan
    open: QueryPlan
    direct: Pull | None
    basis: Basis
    form: str = ""
    """See ``TypedPlan``: the statement with a mark in place of its area."""

    def exchanged(self, text: StatementText, source: CatalogSource) -> TypedPlan | None:
        return self.with_area(text.area, source) if text.area is not None else None

    def with_area(self, area: AreaText, source: CatalogSource) -> TypedPlan | None:
        """The plan for other numbers; None where they have to be looked at again."""
        region = area.region
        if region is None:
            return None
        basis, bound = self.basis, _with_region(self.basis.bound, region, area.text)
        choice = choose_chunks(bound, basis.block, basis.terms, source)
        chunks = anchor_chunks(bound, basis.proof, choice)
        rows = rows_of(bound, basis.proof, chunks, choice)
        pull = _closed(self.open.pulls[0], region, chunks, rows)
        is_direct = self.direct is not None and len(chunks) == 1
        direct = _closed(self.direct, region, chunks, rows) if self.direct is not None and is_direct else None
        plan = replace(
            self.open, pulls=(pull,), direct=direct, lane=lane_of([pull]), chunks=len(chunks), why=tuple(choice.why)
        )
        return self.typed.of_other(plan, self.form)


def learn_area(
    text: StatementText, typed: TypedPlan, found: tuple[QueryPlan, Basis] | None, source: CatalogSource
) -> AreaPlan | None:
    """The plan for any area of a statement; ``found`` is its plan with marks, and what that is made from.

    None where the plan depends on the area in another way.
    """
    if found is None or len(found[0].pulls) != 1 or any(AREASPEC in name.lower() for name in typed.plan.names):
        return None
    open_plan, basis = found
    if any(is_match(reference) for reference in basis.bound.references if reference.table is not None):
        return None
    direct = direct_pull(basis.bound, basis.block, basis.clauses, basis.proof, (), 0) if basis.is_direct else None
    made = AreaPlan(typed, open_plan, direct, basis)
    again = made.with_area(text.area, source) if text.area is not None else None
    if again is None or again.plan != typed.plan:
        return None
    return replace(made, form=text.shape) if typed.plan.is_plain else made


def _with_region(bound: Bound, region: Region, text: str) -> Bound:
    areas = [replace(area, region=region, text=text) if area.is_open else area for area in bound.areas]
    return replace(bound, areas=areas)


def _closed(pull: Pull, region: Region, chunks: tuple[int, ...], rows: int) -> Pull:
    most = len(chunks) if pull.is_single else rows
    pairs = pull.pairs
    if isinstance(pairs, PairWay):
        pairs = pairs.with_texts(lambda text: close_areas(text, region))
    template = _closed_template(pull.template, region)
    return replace(pull, template=template, chunks=chunks, rows=most, reads=rows, pairs=pairs)


def _closed_template(template: Template, region: Region) -> Template:
    return replace(
        template,
        rest=close_areas(template.rest, region),
        slots={number: _closed_slot(slot, region) for number, slot in template.slots.items()},
        items=_closed_items(template.items, region),
        groups=_closed_items(template.groups, region),
    )


def _closed_items(items: tuple[Item, ...], region: Region) -> tuple[Item, ...]:
    if not any(OPEN in item.text for item in items):
        return items
    return tuple(
        replace(item, text=close_areas(item.text, region), argument=close_areas(item.argument, region))
        for item in items
    )


def _closed_slot(slot: Slot, region: Region) -> Slot:
    return replace(slot, condition=close_areas(slot.condition, region)) if slot.condition else slot
