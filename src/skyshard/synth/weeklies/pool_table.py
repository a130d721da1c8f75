"""One table over all weeklies: every row that any of them holds, and the values of a column in a weekly. No I/O.

A column is made once, for all rows; a weekly then measures some of its values anew (``column_history``), scales the
fluxes of tracts that were rewritten, and has its own idea of which bands were never observed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Integers, RowIndexes
from skyshard.basics.errors import Bug
from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.sky_tables import Masked
from skyshard.synth.rows.column_meaning import ColumnMeaning, Sense, meaning_of
from skyshard.synth.rows.felis_columns import TableRows, make_column
from skyshard.synth.weeklies.column_history import WeekColumn, changed_share, last_change

Numbers: TypeAlias = NDArray[Any]
POSITION_NOISE_DEG = 0.005 / 3600
RELATIVE_NOISE = 0.01
REWRITTEN_SCALE = 1.001
REDONE_SCALE = 1.002
OLDER_RUN_SCALE = 0.5
_NAN_SHARE, _INF_SHARE, _FLIP_SHARE = 0.004, 0.0005, 0.01
_WHOLE = {Sense.RA, Sense.DEC, Sense.ID, Sense.TIME}
"""Never without a value."""


@dataclass(frozen=True, slots=True)
class WeekValues:
    """A column of all rows in a weekly: numbers (NaN among them) with NULLs, or text."""

    numbers: Numbers | None
    is_null: Flags | None
    text: Any = None
    """An Arrow array, where there are no numbers."""

    def is_missing(self) -> Flags:
        """NULL or NaN: what is stored as NULL."""
        if self.numbers is None:
            return np.asarray(self.text.is_null())
        missing = np.isnan(self.numbers) if self.numbers.dtype.kind == "f" else np.zeros(len(self.numbers), np.bool_)
        return missing if self.is_null is None else missing | self.is_null


@dataclass(frozen=True)
class PoolTable:
    """A table of every weekly. Arrays are by row of the pool."""

    name: str
    schema: tuple[SchemaColumn, ...]
    rows: TableRows
    present: Callable[[int], Flags]
    """Rows that a weekly has; none in weekly 0."""
    keys: tuple[str, ...]
    """The key, and other columns that always have a value."""
    tract: Integers | None = None
    patch: Integers | None = None
    visit: Integers | None = None
    detector: Integers | None = None
    missing: Mapping[str, Callable[[int], Flags]] | None = None
    """By band, the rows that were never observed in it, as a weekly sees it."""
    fixed: Mapping[str, Callable[[int], Numbers]] | None = None
    """Columns that a weekly gives itself, such as ids that are counted anew."""

    @property
    def count(self) -> int:
        return self.rows.count

    def key_values(self, weekly: int) -> Integers:
        """The key of every row in a weekly."""
        name = self.keys[0]
        made = (self.fixed or {}).get(name)
        return np.asarray(self.rows.ids[name] if made is None else made(weekly), np.int64)

    def base(self, source: SchemaColumn) -> Numbers | pa.Array:
        """A column's values before any weekly measured anything anew."""
        made = make_column(self.rows, source, None)
        return made.values if isinstance(made, Masked) else made

    def values(self, column: WeekColumn, base: Numbers | pa.Array, weekly: int, state: ReleaseState) -> WeekValues:
        """A column as a weekly has it."""
        source, meaning = column.source, meaning_of(column.source)
        if self.fixed is not None and source.name in self.fixed:
            return WeekValues(self.fixed[source.name](weekly), None)
        if isinstance(base, pa.Array):
            text = base.cast(pa.string())
            return WeekValues(None, None, text.cast(pa.timestamp("us")) if source.type.startswith("datetime") else text)
        kind = numpy_type(source.type)
        values = base.astype(kind)
        change = last_change(self.name, source, weekly)
        if change:
            self._measure_anew(values, source, meaning, change)
        if meaning.sense is Sense.FLUX and self.tract is not None:
            state.scale(values, self.tract, weekly)
        return self._with_gaps(values.astype(numpy_type(column.type)), source, meaning, weekly)

    def _random(self, name: str, column: str) -> np.random.Generator:
        return stream(self.rows.patch.seed, f"{self.name}/{name}", WHOLE_SKY, column)

    def _measure_anew(self, values: Numbers, source: SchemaColumn, meaning: ColumnMeaning, change: int) -> None:
        random = self._random(f"change {change}", source.name)
        chosen = random.random(len(values), np.float32) < changed_share(self.name, source, change)
        count = int(np.count_nonzero(chosen))
        if values.dtype.kind == "b":
            values[chosen] ^= random.random(count) < _FLIP_SHARE
        elif values.dtype.kind != "f":
            values[chosen] += 1
        elif meaning.sense in (Sense.RA, Sense.DEC):
            moved = values[chosen] + random.normal(0, POSITION_NOISE_DEG, count)
            values[chosen] = moved % 360.0 if meaning.sense is Sense.RA else moved
        else:
            values[chosen] *= (1 + random.normal(0, RELATIVE_NOISE, count)).astype(values.dtype)

    def _with_gaps(self, values: Numbers, source: SchemaColumn, meaning: ColumnMeaning, weekly: int) -> WeekValues:
        """With NaN, infinities and NULL as pipelines leave them."""
        if source.name in self.keys or not source.is_nullable or meaning.sense in _WHOLE:
            return WeekValues(values, None)
        band = (self.missing or {}).get(meaning.band or "")
        gaps = band(weekly) if band is not None else np.zeros(len(values), np.bool_)
        if values.dtype.kind != "f":
            return WeekValues(values, gaps if band is not None else None)
        luck = self._random("gaps", source.name).random(len(values), np.float32)
        if meaning.sense in (Sense.SIZE, Sense.GENERIC):
            values[luck > 1 - _INF_SHARE] = np.inf
            values[luck > 1 - _INF_SHARE / 2] = -np.inf
        gaps = gaps | (luck < _NAN_SHARE)
        if xxhash.xxh3_64_intdigest(source.name.encode()) % 16 == 0:
            return WeekValues(values, gaps)
        values[gaps] = np.nan
        return WeekValues(values, None)


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """What befell whole tracts."""

    tracts: tuple[int, ...]
    """All of the sky, ascending."""
    redone: int | None = None
    """The tract that is done once more."""
    older_run: int | None = None
    """The tract as an older run of the chain left it: every other one is the same."""

    def rewritten(self, weekly: int) -> int | None:
        """The tract whose fluxes a weekly scales; None in the first."""
        return self.tracts[weekly % len(self.tracts)] if weekly > 1 else None

    def scale(self, values: Numbers, tract: Integers, weekly: int) -> None:
        """Scale fluxes tract by tract, in place."""
        steps: list[tuple[int | None, float]] = [
            (self.rewritten(number), REWRITTEN_SCALE) for number in range(2, weekly + 1)
        ]
        steps += [(self.redone, REDONE_SCALE), (self.older_run, OLDER_RUN_SCALE)]
        for number, factor in steps:
            if number is not None:
                values[tract == number] *= values.dtype.type(factor)


_NUMPY_TYPES = {
    "tinyint(1)": np.bool_, "tinyint(4)": np.int8, "smallint(6)": np.int16, "int(11)": np.int32,
    "bigint(20)": np.int64, "float": np.float32, "double": np.float64,
}  # fmt: skip


def numpy_type(kind: str) -> type[Any]:
    """The type of a number column as pipelines write it.

    >>> numpy_type("tinyint(1)").__name__
    'bool'
    """
    if kind not in _NUMPY_TYPES:
        raise Bug(f"{kind} is no type of numbers")
    return _NUMPY_TYPES[kind]


def to_arrow(values: WeekValues, rows: RowIndexes) -> pa.Array:
    """Some rows of a column, in their order."""
    if values.numbers is None:
        return values.text.take(pa.array(rows))
    mask = None if values.is_null is None else values.is_null[rows]
    return pa.array(values.numbers[rows], mask=mask)
