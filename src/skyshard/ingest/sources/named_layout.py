"""The layout file that a mapping names: it is held against the mapping, so that nothing of either is passed over.

Rules: what the file says of a table takes the place of what the mapping says of it. The only I/O is reading the file.
"""

from __future__ import annotations

from pathlib import Path

from skyshard.basics.errors import UserError
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.catalog.layout import Layout, read_layout
from skyshard.catalog.strict_files import ReadFile, read_text
from skyshard.ingest.sources.mapping import MappedTable, Mapping, shipped_or_file

_POLICIES = ("duplicates", "bad_positions", "orphans")
"""Keys that decide which rows are taken: a mapping that says one does not lose it to a file that says nothing of it."""


def layout_of(mapping: Mapping, path: Path) -> Layout:
    """The mapping's layout, without tables unless its layout file has some; ``path`` is the mapping's.

    Raises:
        UserError: the file has a table that the mapping has not, or leaves out what the mapping says of its rows.
    """
    if mapping.striping is not None:
        return Layout(striping=mapping.striping)
    file = shipped_or_file("layouts", mapping.layout, path.parent)
    layout = read_layout(file)
    for name in layout.tables:
        if name not in mapping.tables:
            remedy = did_you_mean(near_names(name, mapping.tables), f"it has {', '.join(sorted(mapping.tables))}")
            raise _fault(file, name, f"mapping '{path}' has no such table", remedy)
        if lost := _lost_policy(layout, name, mapping.tables[name]):
            what = f"it leaves out '{lost}', which mapping '{path}' says of this table"
            raise _fault(file, name, what, f"say '{lost}' in the layout file, which takes the mapping's place")
    return layout


def _lost_policy(layout: Layout, name: str, mapped: MappedTable) -> str:
    """A key that only the mapping says, and otherwise than the layout file means by saying nothing; empty if none."""
    made = layout.tables[name]
    for key in _POLICIES:
        is_lost = key in mapped.model_fields_set and key not in made.model_fields_set
        if is_lost and getattr(mapped, key) != getattr(made, key):
            return key
    return ""


def _fault(file: Path, table: str, what: str, remedy: str) -> UserError:
    return ReadFile(file, read_text(file, "YAML")).fault(("tables", table), what, remedy)
