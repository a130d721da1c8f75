"""What conditions on ``chunkId`` prove: a row with that number is in the chunk table of that number, and nowhere else.

Rules: only what is certain, as in `skyshard.czar.locate.chunk_limits`. The column of a chunk table holds the number of
that table in every row, in overlap tables too. ``subChunkId`` proves nothing: every chunk has the same sub-chunks.
No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from skyshard.catalog.schema import CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import COLUMN, Bound, Reference
from skyshard.czar.locate.comparisons import comparisons, exact_number
from skyshard.czar.sql.tree_nodes import NumberList

_MOST_DIGITS = 9
"""A text of this many digits is the number that MariaDB compares an INT column with."""


@dataclass(frozen=True, slots=True)
class ChunkLimit:
    """The chunk number of a reference is one of ``chunks``, or lies between ``low`` and ``high`` (both inclusive)."""

    reference: int
    chunks: frozenset[int] | None
    low: int | None
    high: int | None
    text: str

    def of(self, chunks: frozenset[int]) -> frozenset[int]:
        """Those of some chunks that are left."""
        if self.chunks is not None:
            return chunks & self.chunks
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        return frozenset(chunk for chunk in chunks if low <= chunk <= high)


def chunk_limit(bound: Bound, term: exp.Expr) -> ChunkLimit | None:
    """``chunkId = n`` and ``chunkId IN (...)``; compared with NULL no row is left."""
    if isinstance(term, exp.EQ):
        found = (_among(bound, column, [value]) for column, _, value in comparisons(term))
        return next((limit for limit in found if limit is not None), None)
    if isinstance(term, exp.NullSafeEQ):
        sides = [(column, value) for column, _, value in comparisons(term) if not isinstance(value, exp.Null)]
        return next((limit for column, value in sides if (limit := _among(bound, column, [value])) is not None), None)
    if isinstance(term, exp.In) and isinstance(term.this.unnest(), exp.Column) and not term.args.get("query"):
        return _among(bound, term.this.unnest(), term.expressions)
    return None


def _among(bound: Bound, column: exp.Column, values: Sequence[exp.Expr]) -> ChunkLimit | None:
    reference = _numbered(bound, column)
    given = [part for value in values for part in _parts(value)]
    numbers = [_number(value) for value in given if not isinstance(value, exp.Null)]
    if reference is None or not given or any(number is None for number in numbers):
        return None
    chunks = frozenset(int(one) for one in numbers if one is not None and one == one.to_integral_value())
    shown = ", ".join(str(chunk) for chunk in sorted(chunks)[:3]) + (", ..." if len(chunks) > 3 else "")
    return ChunkLimit(reference.number, chunks, None, None, f"{CHUNK_COLUMN} in ({shown})")


def _parts(value: exp.Expr) -> Sequence[exp.Expr]:
    """The values of a list that is one node."""
    return [exp.Literal.number(one) for one in value.numbers] if isinstance(value, NumberList) else [value.unnest()]


def _number(value: exp.Expr) -> Decimal | None:
    """A number, or a text that is one."""
    if isinstance(value, exp.Literal) and value.is_string:
        is_plain = value.name.isascii() and value.name.isdigit() and len(value.name) <= _MOST_DIGITS
        return Decimal(value.name) if is_plain else None
    return exact_number(value)


def _numbered(bound: Bound, column: exp.Column) -> Reference | None:
    """The reference whose chunk number a column is."""
    reference = bound.reference(column)
    is_number = reference is not None and reference.is_chunked and column.meta[COLUMN] == CHUNK_COLUMN
    return reference if is_number else None


def chunk_ranges(bound: Bound, terms: Sequence[exp.Expr]) -> Iterator[ChunkLimit]:
    """``chunkId < n`` and the like, one range for each reference."""
    ranges: dict[int, tuple[int | None, int | None]] = {}
    for column, word, other in (found for term in terms for found in comparisons(term)):
        reference = _numbered(bound, column)
        value = _number(other.unnest()) if reference is not None else None
        if word == "=" or value is None or reference is None:
            continue
        ranges[reference.number] = narrowed(ranges.get(reference.number, (None, None)), word, value)
    for number, (low, high) in ranges.items():
        shown = f"{CHUNK_COLUMN} in [{'' if low is None else low}, {'' if high is None else high}]"
        yield ChunkLimit(number, None, low, high, shown)


def narrowed(bounds: tuple[int | None, int | None], word: str, value: Decimal) -> tuple[int | None, int | None]:
    """The whole numbers of a range that satisfy one more comparison (``<  <=  >  >=``).

    >>> narrowed((None, 9), ">", Decimal("2.5"))
    (3, 9)
    """
    low, high = bounds
    if word in (">", ">="):
        bottom = math.floor(value) + 1 if word == ">" else math.ceil(value)
        return bottom if low is None else max(low, bottom), high
    top = math.ceil(value) - 1 if word == "<" else math.floor(value)
    return low, top if high is None else min(high, top)
