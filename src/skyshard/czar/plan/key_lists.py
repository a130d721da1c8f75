"""Long lists of keys in chunk statements: each chunk is asked only for the keys whose rows it can have.

``key IN (10,000 numbers)`` in each of 600 chunk statements is 100 MB of text to send and to parse; parted by the
director index it is the list once. Rules: only where the index says which chunks every row of a key is in, so not for
rows that overlap, are stored twice, or came before their director. No I/O.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from skyshard.catalog.layout import Role
from skyshard.czar.bind.bound_statement import COLUMN, Bound, Reference
from skyshard.czar.plan.chunk_template import KeyList, Template, list_mark
from skyshard.czar.sql.dialect import NumberList, render
from skyshard.registry.catalog.published_catalog import Chunks

_BEGINNING = r"(?<![\w$.@])"
"""Where a name begins: ``o.id IN (...)`` is not the end of ``foo.id IN (...)``, which is another table's."""


@dataclass(frozen=True, slots=True)
class LongList:
    """The text of a condition as chunk statements hold it, and what stands in its place."""

    text: str
    keys: KeyList


def long_lists(
    bound: Bound, terms: Iterable[exp.Expr], located: Mapping[int, Mapping[int, Chunks]], overlapping: Sequence[int]
) -> list[LongList]:
    """The long lists among AND-ed terms that can be parted.

    Args:
        located: reference → key → the chunks that the director index names, none for keys that it does not know.
        overlapping: references that are read with overlap.
    """
    found = (_long_list(bound, term.unnest(), located, overlapping) for term in terms)
    return [one for one in found if one is not None]


def _long_list(
    bound: Bound, term: exp.Expr, located: Mapping[int, Mapping[int, Chunks]], overlapping: Sequence[int]
) -> LongList | None:
    if not isinstance(term, exp.In) or not isinstance(listed := next(iter(term.expressions), None), NumberList):
        return None
    column = term.this
    reference = bound.reference(column) if isinstance(column, exp.Column) else None
    if reference is None or reference.number not in located or reference.number in overlapping:
        return None
    numbers, known = listed.numbers, located[reference.number]
    if not all(int(number) in known for number in numbers) or not _is_sure(reference, column):
        return None
    by_chunk: dict[int, list[str]] = defaultdict(list)
    anywhere = []
    for number in numbers:
        for chunk in known[int(number)]:
            by_chunk[chunk].append(number)
        if not known[int(number)] and reference.has_orphans:
            anywhere.append(number)
    before = f"{render(column)} IN ("
    parted = {chunk: tuple(keys) for chunk, keys in by_chunk.items()}
    return LongList(f"{before}{', '.join(numbers)})", KeyList(before, parted, tuple(anywhere)))


def _is_sure(reference: Reference, column: exp.Expr) -> bool:
    """True when the director index names every chunk with rows of a key that it knows."""
    table = reference.table
    if table is None or table.layout.role is Role.REF_MATCH or reference.has_strays:
        return False
    return column.meta.get(COLUMN) == table.table.column(reference.key).name


def parted(template: Template, lists: Sequence[LongList]) -> Template:
    """A template with marks in place of lists."""
    rest, made = template.rest, {}
    for number, one in enumerate(lists):
        rest, count = re.subn(_BEGINNING + re.escape(one.text), list_mark(number), rest)
        if count:
            made[number] = one.keys
    return replace(template, rest=rest, lists=made) if made else template
