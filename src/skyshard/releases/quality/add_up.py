"""Adds up what the ingests of a database counted, without the files that were replaced since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.ingest.quality.kept_quality import SliceQuality, TableQuality, TransactionQuality, read_quality
from skyshard.ingest.quality.slice_counts import PRIMARY
from skyshard.ingest.sources.butler_paths import read_butler_path
from skyshard.registry.registry import Registry
from skyshard.releases.quality.database_quality import (
    ColumnQuality,
    DatabaseQuality,
    DatasetQuality,
    PrimaryQuality,
    TableQualityReport,
)

_NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "float", "double")
StandingPart = tuple[int, str, str]
"""Transaction, table and path of input whose rows are there."""


def quality_of(registry: Registry, folder: Path, database: str) -> DatabaseQuality:
    """What the rows of a database hold; ``folder`` is where its counts are kept.

    Raises:
        UserError: nothing of the database was counted, or a file of counts is torn.
    """
    parts = registry.contributions.standing_parts(database)
    counted = {number: read_quality(folder, number) for number in sorted({number for number, _, _ in parts})}
    kept = {number: one for number, one in counted.items() if one is not None}
    kept = without_dropped(kept, registry.transactions.dropped_tables(database))
    if not kept:
        raise UserError(
            f"nothing of database '{database}' was counted", remedy="ingests of a mapping count; ingest it again"
        )
    return added_up(database, kept, parts)


def without_dropped(
    kept: Mapping[int, TransactionQuality], dropped: Mapping[str, int]
) -> dict[int, TransactionQuality]:
    """The counts without those of tables that were dropped later; ``dropped``: table → by which transaction."""
    return {
        number: one.model_copy(
            update={"tables": {name: table for name, table in one.tables.items() if dropped.get(name, 0) < number}}
        )
        for number, one in kept.items()
    }


def added_up(database: str, kept: Mapping[int, TransactionQuality], parts: Collection[StandingPart]) -> DatabaseQuality:
    """The counts of all transactions, by number, without files that do not stand."""
    found: dict[str, list[tuple[int, TableQuality]]] = {}
    for number, one in kept.items():
        for name, table in one.tables.items():
            found.setdefault(name, []).append((number, table))
    tables = [_table(name, kept, parts) for name, kept in sorted(found.items())]
    uncounted = sorted({name for _, name, _ in parts} - set(found))
    return DatabaseQuality(database=database, tables=tables, uncounted=uncounted)


def _table(name: str, kept: Sequence[tuple[int, TableQuality]], parts: Collection[StandingPart]) -> TableQualityReport:
    """One table over its transactions."""
    slices = [(number, one) for number, table in kept for one in table.slices]
    standing = [one for number, one in slices if (number, name, one.path) in parts]
    types: dict[str, str] = {}
    for _, table in kept:
        types |= table.columns
    rows = sum(one.rows for one in standing)
    columns = _columns(types, standing, rows)
    near = [table.near_primary for _, table in kept if table.near_primary is not None]
    return TableQualityReport(
        table=name, rows=rows, transactions=[number for number, _ in kept], columns=columns,
        primary=_primary(columns, rows, sum(near) if near else None), places=_places(standing),
        datasets=_datasets(standing), replaced=len(slices) - len(standing),
    )  # fmt: skip


def _columns(types: Mapping[str, str], slices: Sequence[SliceQuality], rows: int) -> list[ColumnQuality]:
    sums = {word: Counter[str]() for word in ("nulls", "nans", "infinities", "trues")}
    lows: dict[str, int | float] = {}
    highs: dict[str, int | float] = {}
    for one in slices:
        for word, counter in sums.items():
            counter.update(getattr(one, word))
        for name, (low, high) in one.ranges.items():
            lows[name], highs[name] = min(low, lows.get(name, low)), max(high, highs.get(name, high))
    made = []
    for name, kind in types.items():
        nulls, nans, infinities = (sums[word][name] for word in ("nulls", "nans", "infinities"))
        is_flag = kind.startswith("tinyint(1)")
        is_number = not is_flag and kind.partition("(")[0].partition(" ")[0] in _NUMBERS
        made.append(ColumnQuality(
            name=name, type=kind, nulls=nulls, nans=nans, infinities=infinities,
            finite_share=(rows - nulls - nans - infinities) / rows if rows and is_number else None,
            min=lows.get(name), max=highs.get(name), trues=sums["trues"][name] if is_flag else None,
            true_share=sums["trues"][name] / rows if is_flag and rows else None,
        ))  # fmt: skip
    return made


def _primary(columns: Iterable[ColumnQuality], rows: int, near: int | None) -> PrimaryQuality | None:
    """The first of the columns that say which rows are primary."""
    flags = {one.name: one.trues for one in columns if one.name in PRIMARY and one.trues is not None}
    for name in (one for one in PRIMARY if one in flags):
        return PrimaryQuality(column=name, rows=flags[name], share=flags[name] / rows if rows else 0.0, near=near)
    return None


def _places(slices: Sequence[SliceQuality]) -> dict[str, dict[str, int]]:
    """Rows by each pair of columns, and by the first of each pair."""
    sums: dict[str, Counter[str]] = {}
    for one in slices:
        for names, counts in one.places.items():
            first, _, second = names.partition("/")
            for key, rows in counts.items():
                sums.setdefault(first, Counter())[key.partition("/")[0]] += rows
                if second:
                    sums.setdefault(names, Counter())[key] += rows
    return {names: dict(sorted(counts.items(), key=lambda item: _order(item[0]))) for names, counts in sums.items()}


def _order(key: str) -> tuple[tuple[int, str], ...]:
    """Numbers by their value, NULL last."""
    return tuple((int(part), "") if part.lstrip("-").isdigit() else (1 << 62, part) for part in key.split("/"))


def _datasets(slices: Sequence[SliceQuality]) -> list[DatasetQuality]:
    """Rows by input file; parts of one file are added up."""
    rows: Counter[str] = Counter()
    for one in slices:
        rows[one.path] += one.rows
    made = []
    for path, count in sorted(rows.items()):
        found = read_butler_path(path)
        made.append(DatasetQuality(path=path, dataset=str(found.dataset) if found else "", rows=count))
    return made
