"""Plans that are kept: by the shape of their statement, which is its text without its whole numbers.

Rules: a kept plan serves only the generation that it was made in, and the same database. The same numbers get the same
plan. Other numbers get it only where they are director keys and nothing else: this is tried out, by planning the
statement once more with keys that stand nowhere in it, and comparing the two plans word by word. Everything else is
planned anew.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from skyshard.czar.plan.query_plan import INTERACTIVE_CHUNKS, Casts, Kind, Lane, Plan, Pull, Template
from skyshard.czar.result.prepared import Prepared
from skyshard.errors import SkyshardError
from skyshard.registry.published_catalog import Catalog, CatalogSource, Chunks

MARK = "\x02"
KEPT_SHAPES = 512
KEPT_NUMBERS = 64
"""Plans kept for one shape with different numbers."""
KEPT_CHUNKS = 4_000_000
"""Chunk numbers that all kept plans together hold at most, at 8 bytes each."""
PLAN_CHUNKS = 100
"""What a plan takes besides its chunk numbers, in these."""
LONGEST_TEXT = 20_000
_DIGITS = 18
_PARTS = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`[^`]*`|/\*.*?\*/|--[^\n]*|#[^\n]*"
    r"|[A-Za-z_$\x80-\uffff][\w$]*|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\w*",
    re.DOTALL,
)
Numbers = tuple[int, ...]


def shape_of(text: str) -> tuple[str, Numbers]:
    """A text with a mark in place of each whole number, and the numbers; what is quoted or a comment stays.

    >>> shape_of("SELECT a1, 'x 5' FROM t WHERE k = 17 AND r < 1.5")
    ("SELECT a1, 'x 5' FROM t WHERE k = \\x02 AND r < 1.5", (17,))
    """
    numbers: list[int] = []

    def take(match: re.Match[str]) -> str:
        part = match.group()
        if not part.isascii() or not part.isdigit() or len(part) > _DIGITS or (part[0] == "0" and part != "0"):
            return part
        numbers.append(int(part))
        return MARK

    return _PARTS.sub(take, text), tuple(numbers)


def filled(shape: str, numbers: Sequence[int]) -> str:
    """The text of a shape with these numbers.

    >>> filled("k = \\x02 OR k = \\x02", (1, 2))
    'k = 1 OR k = 2'
    """
    parts = shape.split(MARK)
    return "".join(part for pair in zip(parts, [*map(str, numbers), ""], strict=True) for part in pair)


class Spy:
    """A ``CatalogSource`` that notes which keys are looked up; ``planted`` keys are known to it, too."""

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


@dataclass(slots=True, eq=False)
class KeyedPlan:
    """A plan whose keys may be exchanged: the same statement planned with two sets of keys."""

    prepared: Prepared
    other: Plan
    numbers: Numbers
    others: Numbers
    director: tuple[str, str]
    _texts: dict[tuple[bool, tuple[tuple[str, str], ...]], list[str | int]] = field(default_factory=dict)

    def with_keys(self, numbers: Numbers, places: dict[int, Chunks]) -> Prepared | None:
        """The plan for other keys; ``places`` says which chunks each is in. None if it cannot serve them."""
        plan = self.prepared.plan
        chunks = tuple(sorted(frozenset().union(*places.values())))
        tables = [slot.table for slot in plan.pulls[0].template.slots.values() if slot.table.layout.role.is_chunked]
        if any(chunk not in table.chunks for table in tables for chunk in chunks):
            return None
        direct = self._pull(True, plan.direct, self.other.direct, numbers, chunks) if plan.direct is not None else None
        pull = self._pull(False, plan.pulls[0], self.other.pulls[0], numbers, chunks)
        lane = Lane.INTERACTIVE if len(chunks) <= INTERACTIVE_CHUNKS else Lane.SCAN
        made = replace(plan, pulls=(pull,), direct=direct, chunks=len(chunks), lane=lane)
        return Prepared(made, self.prepared.types, self.prepared.pulled)

    def _pull(self, is_direct: bool, pull: Pull, other: Pull | None, numbers: Numbers, chunks: tuple[int, ...]) -> Pull:
        assert other is not None

        def cast(casts: Casts) -> Template:
            key = (is_direct, tuple(sorted(casts.items())))
            if key not in self._texts:
                assert pull.cast is not None
                assert other.cast is not None
                made = _marked(pull.cast(casts).text, other.cast(casts).text, self.numbers, self.others)
                if made is None:
                    raise AssertionError("two casts of one plan differ")
                self._texts[key] = made
            text = "".join(str(numbers[part]) if isinstance(part, int) else part for part in self._texts[key])
            return Template(text, pull.template.slots)

        return replace(pull, template=cast({}), chunks=chunks, cast=cast)


def _marked(one: str, other: str, numbers: Numbers, others: Numbers) -> list[str | int] | None:
    """The first text in pieces, an index in place of each exchanged number; None if the texts differ elsewhere."""
    shape, first = shape_of(one)
    if MARK in one or shape_of(other)[0] != shape:
        return None
    exchanged = {
        (numbers[index], others[index]): index for index in range(len(numbers)) if numbers[index] != others[index]
    }
    parts: list[str | int] = []
    for text, number, second in zip(shape.split(MARK), [*first, 0], [*shape_of(other)[1], 0], strict=True):
        parts.append(text)
        if number == second:
            parts.append(str(number))
        elif (number, second) in exchanged:
            parts.append(exchanged[number, second])
        else:
            return None
    return parts[:-1]


def keyed_plan(
    sql: str, numbers: Numbers, prepared: Prepared, spy: Spy, plan_again: Callable[[str, CatalogSource], Plan]
) -> tuple[tuple[int, ...], KeyedPlan] | None:
    """Positions of the numbers that are keys, and the plan for any keys; None when the plan hangs on its numbers."""
    plan = prepared.plan
    positions = tuple(index for index, number in enumerate(numbers) if number in spy.asked)
    is_plain = plan.kind in (Kind.LOCAL, Kind.AGGREGATE) and len(plan.pulls) == 1 and plan.pulls[0].cast is not None
    if not positions or not is_plain or len(spy.directors) != 1 or set(spy.found) != spy.asked:
        return None
    slots = plan.pulls[0].template.slots.values()
    if any(slot.overlap_columns is not None for slot in slots):
        return None
    tables = [slot.table.chunks for slot in slots if slot.table.layout.role.is_chunked]
    places = frozenset[int]().union(*spy.found.values())
    elsewhere = next(
        (chunk for chunk in tables[0] if chunk not in places and all(chunk in one for one in tables)), None
    )
    if elsewhere is None or plan.pulls[0].chunks != tuple(sorted(places)):
        return None
    others = _other_numbers(numbers, positions)
    planted = {others[index]: frozenset({elsewhere}) for index in positions}
    second = Spy(spy, planted)
    try:
        other = plan_again(filled(shape_of(sql)[0], others), second)
    except SkyshardError:
        return None
    if second.asked != set(planted) or other.pulls[0].chunks != (elsewhere,) or not _is_same(plan, other):
        return None
    (director,) = spy.directors
    made = KeyedPlan(prepared, other, numbers, others, director)
    pulls = [(plan.pulls[0], other.pulls[0])]
    if plan.direct is not None and other.direct is not None:
        pulls.append((plan.direct, other.direct))
    if any(_marked(a.template.text, b.template.text, numbers, others) is None for a, b in pulls):
        return None
    return positions, made


def _other_numbers(numbers: Numbers, positions: Sequence[int]) -> Numbers:
    """Numbers of as many digits that stand nowhere else, in place of the keys."""
    taken, others = set(numbers), list(numbers)
    for index in positions:
        digits = len(str(numbers[index]))
        candidate = 7 * 10 ** (max(digits, 5) - 1) + 13_579 % 10 ** max(digits - 1, 4)
        while candidate in taken:
            candidate += 1
        taken.add(candidate)
        others[index] = candidate
    return tuple(others)


def _is_same(one: Plan, other: Plan) -> bool:
    if len(other.pulls) != 1 or (one.direct is None) != (other.direct is None):
        return False
    plans = [(plan.kind, plan.names, plan.merge, plan.count, plan.has_tables, plan.databases) for plan in (one, other)]
    pulls = [(pull.names, pull.columns, pull.keys, pull.limit, pull.divided) for pull in (one.pulls[0], other.pulls[0])]
    slots = [
        {
            number: (slot.database, slot.table.table.name, slot.alias)
            for number, slot in plan.pulls[0].template.slots.items()
        }
        for plan in (one, other)
    ]
    return plans[0] == plans[1] and pulls[0] == pulls[1] and slots[0] == slots[1]


@dataclass(slots=True, eq=False)
class Shape:
    """What is kept of one shape, within one generation: plans by the numbers that the shape leaves open."""

    generation: object
    plans: OrderedDict[Hashable, Prepared] = field(default_factory=OrderedDict)
    positions: tuple[int, ...] = ()
    keyed: dict[Numbers, KeyedPlan] = field(default_factory=dict)
    is_tried: bool = False
    with_area: Callable[[Any, CatalogSource], Prepared | None] | None = None
    """Gives the plan for any area."""
    is_forgotten: bool = False

    def pinned(self, numbers: Numbers) -> Numbers:
        """The numbers that are no keys."""
        return tuple(number for index, number in enumerate(numbers) if index not in self.positions)


class KeptShapes:
    """Shapes by database and text, the least used forgotten first. Serves many threads."""

    def __init__(self) -> None:
        self._shapes: OrderedDict[tuple[str, str], Shape] = OrderedDict()
        self._chunks = 0
        self._lock = threading.Lock()

    def find(self, database: str, shape: str) -> Shape | None:
        with self._lock:
            found = self._shapes.get((database, shape))
            if found is not None:
                self._shapes.move_to_end((database, shape))
            return found

    def keep(self, database: str, shape: str, generation: object) -> Shape:
        """The shape's entry of this generation, new if there is none."""
        with self._lock:
            found = self._shapes.get((database, shape))
            if found is None or found.generation is not generation:
                if found is not None:
                    self._forget(found)
                found = self._shapes[database, shape] = Shape(generation)
            self._shapes.move_to_end((database, shape))
            while len(self._shapes) > KEPT_SHAPES:
                self._forget_oldest()
            return found

    def add(self, shape: Shape, numbers: Hashable, prepared: Prepared) -> None:
        """Keep a plan of a shape, which may mean that others are forgotten."""
        with self._lock:
            if shape.is_forgotten:
                return
            self._drop(shape, numbers)
            shape.plans[numbers] = prepared
            self._chunks += _size(prepared)
            while len(shape.plans) > KEPT_NUMBERS:
                self._drop(shape, next(iter(shape.plans)))
            while self._chunks > KEPT_CHUNKS and len(self._shapes) > 1:
                self._forget_oldest()

    def _drop(self, shape: Shape, numbers: Hashable) -> None:
        dropped = shape.plans.pop(numbers, None)
        self._chunks -= _size(dropped) if dropped is not None else 0

    def _forget_oldest(self) -> None:
        self._forget(self._shapes.popitem(last=False)[1])

    def _forget(self, shape: Shape) -> None:
        shape.is_forgotten = True
        self._chunks -= sum(map(_size, shape.plans.values()))


def _size(prepared: Prepared) -> int:
    return PLAN_CHUNKS + sum(len(pull.chunks or ()) for pull in prepared.plan.pulls)
