"""Plans that are kept for statements that differ in their area: the area's numbers are exchanged, nothing else.

Rules: a statement has one ``qserv_areaspec_`` call with plain numbers, and is answered chunk by chunk. Its plan is made
once with marks in place of the area's conditions; for other numbers the region is put in and its chunks are chosen,
both by what plans a statement anew. Such a plan is taken only if it gives, for the statement that it was made from,
what planning anew gave. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from skyshard.chunking.sphere import Region
from skyshard.czar.bind.bound_statement import Bound
from skyshard.czar.bind.expand_functions import AREASPEC, AREASPEC_NUMBERS, REGIONS, make_region
from skyshard.czar.bind.ref_match import is_match
from skyshard.czar.locate.chunk_choice import choose_chunks
from skyshard.czar.plan.aggregate import NotMergeable
from skyshard.czar.plan.planner import Basis, anchor_chunks, lane_of, rows_of
from skyshard.czar.plan.query_plan import Casts, Plan, Pull, Slot, Template
from skyshard.czar.plan.single_chunk import direct_pull
from skyshard.czar.result.prepared import Prepared
from skyshard.czar.sql.region_sql import OPEN, close_areas
from skyshard.errors import UserError
from skyshard.registry.published_catalog import CatalogSource

AREA_MARK = "\x04"
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SKIPPED = r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`|/\*.*?\*/|--[^\n]*|#[^\n]*"
_CALL = re.compile(
    rf"(?:{_SKIPPED})|(?<![\w$])(?P<name>{AREASPEC}[a-z]+)\s*"
    rf"\(\s*(?P<numbers>{_NUMBER}(?:\s*,\s*{_NUMBER})*)\s*\)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AreaText:
    """A statement's text taken apart: ``shape`` has a mark where ``numbers`` were, ``name`` is the function's."""

    shape: str
    name: str
    numbers: tuple[str, ...]

    @property
    def region(self) -> Region | None:
        """The region; None where planning anew has to say what is wrong."""
        kind = self.name.lower().removeprefix(AREASPEC)
        values = [float(number) + 0.0 for number in self.numbers]  # no -0.0
        if kind not in REGIONS or AREASPEC_NUMBERS.get(kind, len(values)) != len(values):
            return None
        try:
            return make_region(kind, values)
        except UserError:
            return None

    @property
    def key(self) -> tuple[str, ...]:
        return self.name, *self.numbers

    @property
    def text(self) -> str:
        return f"{self.name}({', '.join(self.numbers)})"


def area_text(sql: str) -> AreaText | None:
    r"""The one area of a statement, if it has one with plain numbers.

    >>> area_text("SELECT ra FROM t WHERE qserv_areaspec_circle(1, -2.5, .1) LIMIT 3")
    AreaText(shape='SELECT ra FROM t WHERE \x04 LIMIT 3', name='qserv_areaspec_circle', numbers=('1', '-2.5', '.1'))
    """
    if sql.lower().count(AREASPEC) != 1 or AREA_MARK in sql or OPEN in sql:
        return None
    match = next((found for found in _CALL.finditer(sql) if found["name"]), None)
    if match is None:
        return None
    numbers = tuple(number.strip() for number in match["numbers"].split(","))
    return AreaText(sql[: match.start()] + AREA_MARK + sql[match.end() :], match["name"], numbers)


@dataclass(slots=True, eq=False)
class AreaPlan:
    """A plan for any area; ``prepared`` gives the types, ``open`` has marks in place of the area."""

    prepared: Prepared
    open: Plan
    basis: Basis
    _direct: list[Pull] = field(default_factory=list)

    def with_area(self, area: AreaText, source: CatalogSource) -> Prepared | None:
        """The plan for other numbers; None where they have to be looked at anew."""
        region = area.region
        if region is None:
            return None
        basis, bound = self.basis, _with_region(self.basis.bound, region, area.text)
        choice = choose_chunks(bound, basis.block, basis.terms, source)
        chunks = anchor_chunks(bound, basis.proof, choice)
        rows = rows_of(bound, basis.proof, chunks, choice)
        pull = _closed(self.open.pulls[0], region, chunks, rows)
        direct = None
        if basis.is_merged and len(chunks) == 1:
            direct = _closed(self._direct_pull(), region, chunks, rows)
        whole = self.open.write_whole
        plan = replace(
            self.open, write_whole=lambda: close_areas(whole(), region), pulls=(pull,), direct=direct,
            lane=lane_of([pull]), chunks=len(chunks), why=tuple(choice.why),
        )  # fmt: skip
        return Prepared(plan, self.prepared.types, self.prepared.pulled)

    def _direct_pull(self) -> Pull:
        if not self._direct:
            one = self.basis
            self._direct.append(direct_pull(one.bound, one.block, one.clauses, one.proof, (), 0))
        return self._direct[0]


def area_plan(
    area: AreaText, prepared: Prepared, found: tuple[Plan, Basis] | None, source: CatalogSource
) -> Callable[[AreaText, CatalogSource], Prepared | None] | None:
    """The plan for any area of a statement that was ``prepared``; None when it hangs on the area in another way."""
    if found is None or len(found[0].pulls) != 1 or any(AREASPEC in name.lower() for name in prepared.plan.names):
        return None
    open_plan, basis = found
    if any(is_match(reference) for reference in basis.bound.references if reference.table is not None):
        return None
    made = AreaPlan(prepared, open_plan, basis)
    try:
        again = made.with_area(area, source)
    except NotMergeable:
        return None
    return made.with_area if again is not None and deciding(again.plan) == deciding(prepared.plan) else None


def deciding(plan: Plan) -> list[object]:
    """All that decides what a plan does: two plans that agree in it are the same."""
    pulls = [pull for pull in (*plan.pulls, plan.direct) if pull is not None]
    casts = {"c0": "DOUBLE"}
    return [
        plan.kind, plan.names, plan.whole, plan.merge, plan.lane, plan.chunks, plan.total_chunks, plan.why, plan.plain,
        plan.databases, plan.direct is None,
        *(
            (pull.template.text, pull.cast(casts).text if pull.cast else "", pull.template.slots, pull.chunks,
             pull.rows, pull.names, pull.columns, pull.keys, pull.limit, pull.divided, pull.is_single)
            for pull in pulls
        ),
    ]  # fmt: skip


def _with_region(bound: Bound, region: Region, text: str) -> Bound:
    areas = [replace(area, region=region, text=text) if area.is_open else area for area in bound.areas]
    return replace(bound, areas=areas)


def _closed(pull: Pull, region: Region, chunks: tuple[int, ...], rows: int) -> Pull:
    slots = {number: _closed_slot(slot, region) for number, slot in pull.template.slots.items()}

    def closed(template: Template) -> Template:
        return Template(lambda: close_areas(template.text, region), slots)

    def cast(casts: Casts) -> Template:
        assert pull.cast is not None
        return closed(pull.cast(casts))

    most = len(chunks) if pull.is_single else rows
    return replace(pull, template=closed(pull.template), chunks=chunks, rows=most, cast=cast)


def _closed_slot(slot: Slot, region: Region) -> Slot:
    return replace(slot, condition=close_areas(slot.condition, region)) if slot.condition else slot
