"""What backups work with: the czar's server and folder, the nodes' servers, the folders of a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skyshard.db.connection import Endpoint
from skyshard.db.lock_names import key_of
from skyshard.ingest.on_nodes.ingest_site import Site, SiteFolders
from skyshard.node.record_keeper import ask_nodes
from skyshard.node.server.server_files import ServerFiles
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.registry import Registry
from skyshard.registry.stored.database_names import INDEX_DATABASE

INDEX_ENDINGS = (".MYD", ".MYI", ".frm")
"""The files of a part of a director index; it is there when the last one is."""


@dataclass(frozen=True, slots=True)
class BackupPlace:
    """One cluster."""

    folder: Path
    registry: Registry
    czar: Endpoint
    czar_data: Path
    nodes: Mapping[str, Endpoint]
    folders: SiteFolders
    site: Callable[[], Site]
    """Made only where something has to be done beside the nodes."""

    @property
    def kept_folders(self) -> dict[str, Path]:
        """What ingest keeps in files, by the name that they have in a dump."""
        folders = self.folders
        return {one.name: one for one in (folders.truth, folders.quality, folders.quarantine, folders.keys)}

    def index_files(self, database: str, director: str, suffix: str) -> list[Path]:
        """The files of one part of a director index."""
        data = ServerFiles(self.czar_data).data_file(INDEX_DATABASE, index_table_name(database, director) + suffix)
        return [data.with_suffix(ending) for ending in INDEX_ENDINGS]

    def node_keys(self) -> dict[str, str]:
        """Node → digest of its server's key, of those that answer: they tell one cluster from another."""
        keys, _ = ask_nodes(self.nodes, key_of)
        return {name: hashlib.sha256(f"cluster {key}".encode()).hexdigest()[:32] for name, key in keys.items()}
