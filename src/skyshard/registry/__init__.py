"""The registry: the truth about the cluster, in the czar's MariaDB.

``catalog`` is what queries read, ``transactions`` what ingest writes, ``stored`` the SQL tables and the states of their
rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.registry.catalog_cache import CatalogCache as CatalogCache
    from skyshard.registry.registry import Registry as Registry
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "CatalogCache": "catalog_cache",
            "Registry": "registry",
        },
    )
