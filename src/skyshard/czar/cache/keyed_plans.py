"""Plans whose director keys are exchanged, and nothing else.

Rules: whether numbers of a statement are keys and nothing else is tried out: the statement is planned once more with
keys that do not occur in it and are in one other chunk. The two plans must be equal but for what keys decide, and
their texts must differ in the keys only. No I/O but the look-ups of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.czar.cache.plan_cache import ShapeEntry
from skyshard.czar.cache.statement_shapes import NUMBER_MARK, ShapeNumbers, StatementText, filled, opened, shape_of
from skyshard.czar.plan.chunk_template import Item, Template
from skyshard.czar.plan.query_plan import INTERACTIVE_CHUNKS, Kind, Lane, Pull, QueryPlan
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.registry.catalog.director_index import chunks_of
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource, Chunks
from skyshard.registry.catalog_cache import CatalogCache, CatalogSnapshot

Pieces = tuple[str | int, ...]
"""A text in pieces: the index of a number where a key is exchanged."""


class RecordingSource:
    """A ``CatalogSource`` that notes which keys are looked up; it knows ``planted`` keys, too."""

    def __init__(self, source: CatalogSource, planted: dict[int, Chunks] | None = None) -> None:
        self._source = source
        self._planted = planted or {}
        self.asked: set[int] = set()
        self.directors: set[tuple[str, str]] = set()
        self.found: dict[int, Chunks] = {}

    def databases(self) -> list[str]:
        return self._source.databases()

    def catalog(self, database: str) -> Catalog:
        return self._source.catalog(database)

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        self.asked |= set(keys)
        self.directors.add((database, director))
        planted = {key: self._planted[key] for key in keys if key in self._planted}
        rest = [key for key in keys if key not in planted]
        found = planted | (self._source.locate_keys(database, director, rest) if rest else {})
        self.found |= found
        return found

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        self.directors.add(("", ""))
        return self._source.locate_key_range(database, director, low, high)


@dataclass(frozen=True, slots=True)
class KeyedTemplate:
    """A template with its texts in pieces; ``items`` is None where no key is in them."""

    template: Template
    rest: Pieces
    items: tuple[tuple[Pieces, Pieces], ...] | None

    def with_keys(self, numbers: ShapeNumbers) -> Template:
        rest = _joined(self.rest, numbers)
        if self.items is None:
            return replace(self.template, rest=rest)
        columns = (*self.template.items, *self.template.groups)
        made = tuple(
            replace(column, text=_joined(text, numbers), argument=_joined(argument, numbers))
            for column, (text, argument) in zip(columns, self.items, strict=True)
        )
        count = len(self.template.items)
        return replace(self.template, rest=rest, items=made[:count], groups=made[count:])


@dataclass(frozen=True, slots=True)
class KeyedPlan:
    """A plan whose keys may be exchanged; ``director`` is the table whose keys they are, with its database."""

    typed: TypedPlan
    positions: tuple[int, ...]
    director: tuple[str, str]
    pull: KeyedTemplate
    direct: KeyedTemplate | None
    form: str
    """See ``TypedPlan``: the statement with marks in place of its keys."""

    def reuse(
        self, text: StatementText, source: CatalogCache, entry: ShapeEntry
    ) -> tuple[CatalogSnapshot, TypedPlan | None]:
        """See ``LearnedPlan``; generation and places of the keys are asked in one round trip."""
        keys = {text.numbers[index] for index in self.positions}
        index_table = entry.generation.index_table(*self.director)
        try:
            generation, rows = source.now_with_keys(index_table, sorted(keys))
        except UserError:  # a newer generation has dropped the table
            return source.now(), None
        places = chunks_of(rows)
        if generation is not entry.generation or len(places) != len(keys):
            return generation, None
        return generation, self.with_keys(text.numbers, places)

    def with_keys(self, numbers: ShapeNumbers, places: dict[int, Chunks]) -> TypedPlan | None:
        """The plan for other keys; ``places`` says which chunks each is in. None if it cannot serve them.

        It was made for a single chunk, which may have had the whole answer: several have to be merged.
        """
        plan = self.typed.plan
        chunks = tuple(sorted(frozenset().union(*places.values())))
        if len(chunks) > 1 and plan.kind is Kind.AGGREGATE and not plan.merge:
            return None
        slots = plan.pulls[0].template.slots.values()
        tables = [slot.table for slot in slots if slot.table.layout.role.is_chunked]
        if any(chunk not in table.chunks for table in tables for chunk in chunks):
            return None
        pull = replace(plan.pulls[0], template=self.pull.with_keys(numbers), chunks=chunks)
        direct = plan.direct if len(chunks) == 1 else None
        if direct is not None and self.direct is not None:
            direct = replace(direct, template=self.direct.with_keys(numbers), chunks=chunks)
        lane = Lane.INTERACTIVE if len(chunks) <= INTERACTIVE_CHUNKS else Lane.SCAN
        made = replace(plan, pulls=(pull,), direct=direct, chunks=len(chunks), lane=lane)
        return self.typed.of_other(made, self.form)


def learn_keys(
    text: StatementText,
    typed: TypedPlan,
    asked: RecordingSource,
    plan_again: Callable[[str, CatalogSource], QueryPlan],
) -> KeyedPlan | None:
    """The plan for any keys in place of a statement's; None where the plan depends on its numbers in another way.

    ``asked`` has noted the keys that were looked up for the plan.
    """
    plan, numbers = typed.plan, text.numbers
    positions = tuple(index for index, number in enumerate(numbers) if number in asked.asked)
    elsewhere = _other_chunk(plan, asked) if positions else None
    if elsewhere is None:
        return None
    others = _other_numbers(numbers, positions)
    planted = RecordingSource(asked, {others[index]: frozenset({elsewhere}) for index in positions})
    try:
        other = plan_again(filled(text.shape, others), planted)
    except SkyshardError:
        return None
    is_alike = without_keys(plan) == without_keys(other) and other.pulls[0].chunks == (elsewhere,)
    if not is_alike or planted.asked != {others[index] for index in positions}:
        return None
    pull = _keyed_template(plan.pulls[0], other.pulls[0], numbers, others)
    direct = _keyed_template(plan.direct, other.direct, numbers, others) if plan.direct and other.direct else None
    if pull is None or (plan.direct is not None and direct is None):
        return None
    (director,) = asked.directors
    form = opened(text, positions) if plan.is_plain else ""
    return KeyedPlan(typed, positions, director, pull, direct, form)


def _other_chunk(plan: QueryPlan, asked: RecordingSource) -> int | None:
    """A chunk that all tables have and no key of the plan is in; None where keys are not all that chose its chunks."""
    is_plain = plan.kind in (Kind.LOCAL, Kind.AGGREGATE) and len(plan.pulls) == 1 and not plan.pulls[0].template.lists
    if not is_plain or len(asked.directors) != 1 or set(asked.found) != asked.asked:
        return None
    slots = plan.pulls[0].template.slots.values()
    places = frozenset[int]().union(*asked.found.values())
    if any(slot.overlap_columns is not None for slot in slots) or plan.pulls[0].chunks != tuple(sorted(places)):
        return None
    first, *others = [slot.table.chunks for slot in slots if slot.table.layout.role.is_chunked]
    return next((chunk for chunk in first if chunk not in places and all(chunk in one for one in others)), None)


def _other_numbers(numbers: ShapeNumbers, positions: Sequence[int]) -> ShapeNumbers:
    """Numbers of as many digits that do not occur in the statement, in place of its keys."""
    taken, others = set(numbers), list(numbers)
    for index in positions:
        digits = len(str(numbers[index]))
        candidate = 7 * 10 ** (max(digits, 5) - 1) + 13_579 % 10 ** max(digits - 1, 4)
        while candidate in taken:
            candidate += 1
        taken.add(candidate)
        others[index] = candidate
    return tuple(others)


def without_keys(plan: QueryPlan) -> QueryPlan:
    """The plan but for what its keys decide: chunks and what follows from their number, and texts."""
    pulls = tuple(_without_keys(pull) for pull in plan.pulls)
    direct = _without_keys(plan.direct) if plan.direct is not None else None
    return replace(plan, pulls=pulls, direct=direct, chunks=0, lane=Lane.NONE, why=())


def _without_keys(pull: Pull) -> Pull:
    template = pull.template
    items, groups = ([replace(one, text="", argument="") for one in part] for part in (template.items, template.groups))
    blank = replace(template, rest="", items=tuple(items), groups=tuple(groups))
    return replace(pull, template=blank, chunks=(), rows=0, reads=0)


def _keyed_template(one: Pull, other: Pull, numbers: ShapeNumbers, others: ShapeNumbers) -> KeyedTemplate | None:
    """The first template with its texts in pieces; None if the texts differ in more than the keys."""

    def pieces(text: str, second: str) -> Pieces | None:
        return marked(text, second, numbers, others)

    rest = pieces(one.template.rest, other.template.rest)
    items: list[tuple[Pieces, Pieces]] = []
    for first, second in zip(_columns(one.template), _columns(other.template), strict=True):
        text, argument = pieces(first.text, second.text), pieces(first.argument, second.argument)
        if text is None or argument is None:
            return None
        items.append((text, argument))
    if rest is None:
        return None
    has_keys = any(isinstance(piece, int) for pair in items for part in pair for piece in part)
    return KeyedTemplate(one.template, rest, tuple(items) if has_keys else None)


def _columns(template: Template) -> Iterator[Item]:
    yield from template.items
    yield from template.groups


def _joined(pieces: Pieces, numbers: ShapeNumbers) -> str:
    return "".join([str(numbers[piece]) if isinstance(piece, int) else piece for piece in pieces])


def marked(one: str, other: str, numbers: ShapeNumbers, others: ShapeNumbers) -> Pieces | None:
    """The first text in pieces, an index in place of each exchanged number; None if the texts differ elsewhere.

    >>> marked("k = 7 AND n < 3", "k = 9 AND n < 3", (7, 3), (9, 3))
    ('k = ', 0, ' AND n < ', '3', '')
    >>> marked("k = 7 AND n < 3", "k = 9 AND n < 4", (7, 3), (9, 3)) is None
    True
    """
    shape, first = shape_of(one)
    other_shape, second = shape_of(other)
    if NUMBER_MARK in one or other_shape != shape:
        return None
    exchanged = {
        (numbers[index], others[index]): index for index in range(len(numbers)) if numbers[index] != others[index]
    }
    texts = shape.split(NUMBER_MARK)
    pieces: list[str | int] = [texts[0]]
    for text, pair in zip(texts[1:], zip(first, second, strict=True), strict=True):
        if pair[0] != pair[1] and pair not in exchanged:
            return None
        pieces += [str(pair[0]) if pair[0] == pair[1] else exchanged[pair], text]
    return tuple(pieces)
