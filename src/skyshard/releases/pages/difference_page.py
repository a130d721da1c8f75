"""The page of a difference of two databases: ``diff.html``, beside ``diff.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skyshard.basics.array_types import Floats
from skyshard.basics.lazy import lazy_module
from skyshard.host.atomic_files import write_atomically
from skyshard.host.output_folder import writing_to
from skyshard.pages.page_template import render
from skyshard.releases.differences.difference import (
    ChunkChange,
    ColumnDifference,
    DatabaseDifference,
    TableDifference,
    is_table_equal,
)

if TYPE_CHECKING:
    from skyshard.pages.picture import Picture
    from skyshard.releases.pages import share_maps
else:
    share_maps = lazy_module("skyshard.releases.pages.share_maps")  # draws, and only a page asks for that

SHOWN_COLUMNS = 40
"""Columns that are shown at once, those that changed most; the others are folded."""
SHOWN_GROUPS = 20
SHOWN_OUTLIERS = 30


@dataclass(frozen=True, slots=True)
class _Boxes:
    """Cells of the sky, as arrays."""

    ra_min: Floats
    ra_max: Floats
    dec_min: Floats
    dec_max: Floats


def write_difference(folder: Path, difference: DatabaseDifference) -> Path:
    """Write ``diff.json`` and ``diff.html``; returns the path of the page.

    Raises:
        UserError: the folder cannot be written.
    """
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "diff.json", difference.model_dump_json(indent=1) + "\n")
        write_atomically(folder / "diff.html", html(difference))
    return folder / "diff.html"


def html(difference: DatabaseDifference) -> str:
    """The page as text."""
    sections = [_section(number, table) for number, table in enumerate(difference.tables)]
    content = {"d": difference, "status": status(difference), "verdict": verdict(difference), "sections": sections}
    return render("skyshard.releases", "difference.html.j2", content)


def status(difference: DatabaseDifference) -> str:
    if difference.violations:
        return "failed"
    return "passed" if difference.is_equal else "partial"


def verdict(difference: DatabaseDifference) -> str:
    """What is to be said first."""
    if count := len(difference.violations):
        return f"{count} {'threshold is' if count == 1 else 'thresholds are'} not kept."
    if difference.is_equal:
        return "All rows and columns are equal."
    differing = sum(not is_table_equal(table) for table in difference.tables)
    more = [f"{len(names)} {what}" for names, what in (
        (difference.tables_added, "added"), (difference.tables_removed, "removed")) if names]  # fmt: skip
    return f"{differing} of {len(difference.tables)} tables differ{', ' if more else ''}{', '.join(more)}."


def most_changed(columns: Sequence[ColumnDifference]) -> list[ColumnDifference]:
    """Columns whose values changed, the one with the fewest equal rows first."""
    changed = [one for one in columns if one.equal < one.rows]
    return sorted(changed, key=lambda one: (one.equal / one.rows, one.name))


def _section(number: int, table: TableDifference) -> dict[str, object]:
    changed = most_changed(table.columns)
    outliers = [(one.name, outlier) for one in changed if one.largest for outlier in one.largest[:1]]
    return {
        "t": table,
        "id": f"t{number}",
        "pictures": _pictures(f"map{number}", table.chunks),
        "shown": changed[:SHOWN_COLUMNS],
        "folded": changed[SHOWN_COLUMNS:],
        "equal": [one for one in table.columns if one.equal == one.rows],
        "renamed": [one for one in table.columns if one.name.lower() != one.old_name.lower()],
        "retyped": [one for one in table.columns if one.type_new != one.type_old],
        "outliers": outliers[:SHOWN_OUTLIERS],
        "groupings": [(one, one.most_changed[:SHOWN_GROUPS]) for one in table.groupings if one.differing],
    }


def _pictures(name: str, chunks: Sequence[ChunkChange]) -> list[Picture]:
    if not chunks:
        return []
    edges = ("ra_min", "ra_max", "dec_min", "dec_max")
    boxes = _Boxes(*(np.array([getattr(chunk, edge) for chunk in chunks]) for edge in edges))
    maps = [
        share_maps.ShareMap("matched rows that changed", _shares(chunks, "changed", "matched")),
        share_maps.ShareMap("old rows lost", _shares(chunks, "lost", "old")),
        share_maps.ShareMap("new rows", _shares(chunks, "appeared", "new")),
    ]
    shown = [one for one in maps if (one.shares > 0).any()]
    return share_maps.share_maps(name, boxes, shown) if shown else []


def _shares(chunks: Sequence[ChunkChange], part: str, whole: str) -> Floats:
    parts, wholes = (np.array([getattr(chunk, name) for chunk in chunks], np.float64) for name in (part, whole))
    return np.asarray(np.divide(parts, wholes, out=np.full(len(parts), np.nan), where=wholes > 0))
