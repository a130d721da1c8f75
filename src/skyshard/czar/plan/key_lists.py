"""Long lists of keys in chunk statements: each chunk is asked only for the keys whose rows it can have.

``key IN (10,000 numbers)`` in each of 600 chunk statements is 100 MB of text to send and to parse; parted by the
director index it is the list once. Rules: only where the index says which chunks every row of a key is in, so not for
rows that overlap, are stored twice, or came before their director. A list that is parted is noted at its condition, and
the marks are put into copies of the tree, never into text, where a string may look like a condition. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from skyshard.catalog.layout import Role
from skyshard.czar.bind.bound_statement import COLUMN, Bound, Reference
from skyshard.czar.plan.chunk_template import KeyList, list_mark
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.tree_nodes import Formula, NumberList
from skyshard.registry.catalog.published_catalog import Chunks

LIST = "list"
"""Where a condition notes the number of its list."""


def long_lists(
    bound: Bound, terms: Iterable[exp.Expr], located: Mapping[int, Mapping[int, Chunks]], overlapping: Sequence[int]
) -> dict[int, KeyList]:
    """The long lists among AND-ed terms that can be parted, by the numbers that are noted at their conditions.

    Args:
        located: reference → key → the chunks that the director index names, none for keys that it does not know.
        overlapping: references that are read with overlap.
    """
    found: dict[int, KeyList] = {}
    for term in terms:
        condition = term.unnest()
        keys = _long_list(bound, condition, located, overlapping)
        if keys is not None:
            condition.meta[LIST] = len(found)
            found[len(found)] = keys
    return found


def mark_lists(tree: exp.Expr) -> None:
    """Put marks in place of the conditions whose lists are noted, in a copy of the statement's tree."""
    for condition in [node for node in tree.find_all(exp.In) if LIST in node.meta]:
        condition.replace(Formula(this=list_mark(condition.meta[LIST])))


def _long_list(
    bound: Bound, term: exp.Expr, located: Mapping[int, Mapping[int, Chunks]], overlapping: Sequence[int]
) -> KeyList | None:
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
    parted = {chunk: tuple(keys) for chunk, keys in by_chunk.items()}
    return KeyList(f"{render(column)} IN (", parted, tuple(anywhere))


def _is_sure(reference: Reference, column: exp.Expr) -> bool:
    """True when the director index names every chunk with rows of a key that it knows."""
    table = reference.table
    if table is None or table.layout.role is Role.REF_MATCH or reference.has_strays:
        return False
    return column.meta.get(COLUMN) == table.table.column(reference.key).name
