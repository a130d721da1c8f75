"""How columns change from weekly to weekly: renamed, retyped, new, removed ones, and whose values. No I/O.

Each weekly from the second on takes the next entry of each list whose column its table has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import xxhash

from skyshard.catalog.felis_schemas import SchemaColumn
from skyshard.synth.rows.column_meaning import Sense, meaning_of

_RENAMED = (
    ("ebv", "ebvSfd"), ("footprintArea", "footprintPixels"), ("deblend_chi2", "deblendChi2"),
    ("coord_ra_dec_Cov", "coordCovariance"), ("r_blendedness", "r_blendFraction"), ("shape_flag", "shapeFlag"),
)  # fmt: skip
_RETYPED = (
    ("shape_xx", "double"), ("i_ra", "float"), ("i_inputCount", "bigint(20)"), ("shape_yy", "double"),
    ("i_dec", "float"), ("r_inputCount", "double"),
)  # fmt: skip
_NEW = ("psfTrace", "i_modelRank", "skyLevel", "deblendDepth", "r_modelRank", "z_modelRank")
_REMOVED = (
    "r_free_psfFlux_flag", "g_ap70Flux", "i_free_psfFlux_flag", "z_ap70Flux", "refSizeExtendedness", "y_ap70Flux",
)  # fmt: skip
_FIXED = {
    Sense.ID, Sense.PARENT_ID, Sense.NO_ID, Sense.VISIT, Sense.CCD_VISIT, Sense.DETECTOR, Sense.BAND, Sense.TEXT,
    Sense.TRACT, Sense.PATCH, Sense.TIME,
}  # fmt: skip
_STILL = {old for old, _ in _RENAMED} | {"detect_isPrimary", "detect_isPatchInner", "detect_isTractInner"}
_ONE_IN = 4
_SHARES = (0.02, 0.2, 1.0)


@dataclass(frozen=True, slots=True)
class WeekColumn:
    """A column as one weekly writes it."""

    name: str
    type: str
    """MariaDB's."""
    source: SchemaColumn
    """What its values are made from: the column as the schema has it."""


@dataclass(slots=True)
class SchemaStep:
    """What changed between two weeklies."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    retyped: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, old type, new type."""


def columns_of(table: str, schema: Iterable[SchemaColumn], weekly: int) -> tuple[list[WeekColumn], SchemaStep]:
    """The columns of a table in a weekly, and how they differ from those of the weekly before; only Object's change."""
    columns = [WeekColumn(one.name, one.type, one) for one in schema]
    step = SchemaStep()
    for number in range(2, weekly + 1 if table == "Object" else 2):
        columns, step = _next(columns, number - 2)
    return columns, step


def _next(columns: list[WeekColumn], place: int) -> tuple[list[WeekColumn], SchemaStep]:
    step, names = SchemaStep(), {one.name for one in columns}
    if place >= len(_NEW):
        return columns, step
    old, new = _RENAMED[place]
    changed = {old: lambda one: replace(one, name=new)} if old in names else {}
    step.renamed = [(old, new)] if old in names else []
    name, kind = _RETYPED[place]
    if name in names:
        changed[name] = lambda one: replace(one, type=kind)
        step.retyped = [(name, next(one.type for one in columns if one.name == name), kind)]
    step.removed = [one for one in (_REMOVED[place],) if one in names]
    kept = [changed.get(one.name, lambda same: same)(one) for one in columns if one.name not in step.removed]
    step.added = [_NEW[place]]
    fresh = SchemaColumn(_NEW[place], "float", True, "", "", "made for this weekly")
    return [*kept, WeekColumn(fresh.name, fresh.type, fresh)], step


def changed_share(table: str, source: SchemaColumn, weekly: int) -> float:
    """The share of rows whose value of a column is measured anew in a weekly; 0 for most columns.

    The first weekly changes nothing; ids, places in the survey, texts and renamed columns never change.
    """
    if weekly < 2 or source.name in _STILL or meaning_of(source).sense in _FIXED:
        return 0.0
    lot = xxhash.xxh3_64_intdigest(f"{table}.{source.name}/{weekly}".encode())
    return _SHARES[lot // _ONE_IN % len(_SHARES)] if lot % _ONE_IN == 0 else 0.0


def last_change(table: str, source: SchemaColumn, weekly: int) -> int:
    """The last weekly, up to this one, in which a column's values were measured anew; 0 if there is none."""
    return next((one for one in range(weekly, 1, -1) if changed_share(table, source, one) > 0), 0)
