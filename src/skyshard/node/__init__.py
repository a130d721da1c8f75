"""What runs beside one node: makes, checks and reads its chunk tables. Knows neither ingest nor the czar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.node.host_files import HostFiles as HostFiles
    from skyshard.node.mariadb_loader import MariaDBLoader as MariaDBLoader
    from skyshard.node.messages import Loader as Loader
    from skyshard.node.node_loader import NodeLoader as NodeLoader
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "HostFiles": "host_files",
            "Loader": "messages",
            "MariaDBLoader": "mariadb_loader",
            "NodeLoader": "node_loader",
        },
    )
