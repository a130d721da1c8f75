"""Finds the release before: the newest database of the cluster whose name begins as a new one's, else of its family."""

from __future__ import annotations

import re

from skyshard.catalog.layout import Layout
from skyshard.registry.registry import Registry

_BEFORE_NUMBERS = re.compile(r"[^\d]*")


def release_prefix(name: str) -> str:
    """What names of releases of one catalog have in common: all before the first number, without a letter for it.

    >>> release_prefix("hsc_w24"), release_prefix("hsc_w_2026_24"), release_prefix("hsc"), release_prefix("dp1")
    ('hsc', 'hsc', 'hsc', 'dp')
    """
    found = _BEFORE_NUMBERS.match(name)
    start = found[0] if found is not None else ""
    return re.sub(r"_[A-Za-z]?_?$", "", start) if start != name else name


def previous_release(registry: Registry, database: str, layout: Layout) -> str:
    """The newest published database before a new one, by the transaction that brought its last rows; empty for none."""
    known_names = registry.published.names()
    names = [known_names.shown(stored) for stored in known_names.published_stored]
    names = [name for name in names if name != database]
    alike = [name for name in names if release_prefix(name) == release_prefix(database)]
    if not alike:
        alike = [name for name in names if _has_some_of(registry, known_names.stored(name), layout)]
    return max(alike, key=lambda name: registry.published.catalog(name).transaction, default="")


def _has_some_of(registry: Registry, stored: str, layout: Layout) -> bool:
    """Whether a database has the striping of a layout, and now a table of a name that is in it."""
    known, tables = registry.databases.layout(stored), registry.databases.table_definitions(stored)
    is_alike = known is not None and known.striping == layout.striping
    return is_alike and not {table.lower() for table in tables}.isdisjoint(table.lower() for table in layout.tables)
