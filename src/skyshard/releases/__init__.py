"""Releases of a catalog, one after the other: what changed, what is kept, where rows came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.releases.differences.compare_databases import DiffRequest as DiffRequest
    from skyshard.releases.differences.compare_databases import compare_databases as compare_databases
    from skyshard.releases.differences.difference import DatabaseDifference as DatabaseDifference
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "DatabaseDifference": "differences.difference",
            "DiffRequest": "differences.compare_databases",
            "compare_databases": "differences.compare_databases",
        },
    )
