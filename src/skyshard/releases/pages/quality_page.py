"""The page of a database's quality: one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skyshard.host.atomic_files import write_atomically
from skyshard.host.output_folder import writing_to
from skyshard.pages.page_template import render
from skyshard.releases.quality.database_quality import ColumnQuality, DatabaseQuality, TableQualityReport

SHOWN_COLUMNS = 30
"""Columns that are shown at once, those with most missing values; the others are folded."""
SHOWN_PLACES = 300


@dataclass(frozen=True, slots=True)
class PlaceTable:
    """Rows by place, the first of them by number."""

    columns: str
    shown: list[tuple[str, int]]
    count: int
    fewest: int
    most: int


def write_quality(path: Path, quality: DatabaseQuality) -> None:
    """Write the page.

    Raises:
        UserError: the file cannot be written.
    """
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, html(quality))


def html(quality: DatabaseQuality) -> str:
    """The page as text."""
    content = {
        "q": quality, "status": status(quality), "verdict": verdict(quality),
        "sections": [_section(number, table) for number, table in enumerate(quality.tables)],
    }  # fmt: skip
    return render("skyshard.releases", "quality.html.j2", content)


def status(quality: DatabaseQuality) -> str:
    """passed or failed by what was expected; partial where nothing was."""
    if quality.differences is None:
        return "partial"
    return "failed" if quality.differences else "passed"


def verdict(quality: DatabaseQuality) -> str:
    """What is to be said first."""
    rows = f"{sum(table.rows for table in quality.tables):,} rows of {len(quality.tables)} tables were counted"
    if quality.differences is None:
        return f"{rows}; nothing was said of how many were expected."
    if count := len(quality.differences):
        return f"{count} {'count is' if count == 1 else 'counts are'} not as expected."
    return f"{rows}, as many as expected."


def missing(column: ColumnQuality) -> int:
    """Values that are stored as NULL."""
    return column.nulls + column.nans + column.infinities


def least_complete(columns: Sequence[ColumnQuality]) -> list[ColumnQuality]:
    """Columns that are no flags, those with most missing values first."""
    return sorted((one for one in columns if one.trues is None), key=lambda one: (-missing(one), one.name))


def _section(number: int, table: TableQualityReport) -> dict[str, object]:
    columns = least_complete(table.columns)
    lacking = [one for one in columns if missing(one)]
    flags = [one for one in table.columns if one.trues is not None]
    return {
        "t": table,
        "id": f"t{number}",
        "shown": lacking[:SHOWN_COLUMNS],
        "folded": lacking[SHOWN_COLUMNS:],
        "whole": [one for one in columns if not missing(one)],
        "flags": sorted(flags, key=lambda one: (-(one.trues or 0), one.name)),
        "lacking": len(lacking),
        "places": [_places(names, counts) for names, counts in table.places.items() if counts],
    }


def _places(names: str, counts: dict[str, int]) -> PlaceTable:
    shown = list(counts.items())[:SHOWN_PLACES]
    return PlaceTable(names, shown, len(counts), min(counts.values()), max(counts.values()))
