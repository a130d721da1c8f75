"""Nodes of a private cluster whose files the ingesting process does not look at, as if their hosts were elsewhere.

Rows then go from host to host in blocks; only the network is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from skyshard.basics.errors import Bug
from skyshard.cluster.cluster import Cluster
from skyshard.ingest import Site
from skyshard.ingest.on_nodes.moved_blocks import AwayHost
from skyshard.node.host_files import HostFiles
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.messages import BuildOrder, BuiltTable, ExportOrder
from skyshard.runtime import RuntimeKind
from skyshard.testbed import Testbed

T = TypeVar("T")


class ApartLoader(MariaDBLoader):
    """A loader that takes only files of its own host: those below its staging folder."""

    def __init__(self, cluster: Cluster, node: str, staging: Path) -> None:
        super().__init__(node, cluster.endpoint(node), str(cluster.data_dir(node)), cluster.events)
        self._staging = staging

    def build(self, order: BuildOrder) -> list[BuiltTable]:
        for build in order.builds:
            for piece in build.slices:
                self._require_mine(piece.bundle)
        return super().build(order)

    def export(self, order: ExportOrder) -> list[int]:
        self._require_mine(order.path)
        return super().export(order)

    def _require_mine(self, path: str) -> None:
        if not Path(path).is_relative_to(self._staging):
            raise Bug(f"'{path}' is a file of another host")


def set_apart(testbed: Testbed, folder: Path, *nodes: str) -> dict[str, Path]:
    """Have all ingests of a testbed take some nodes, or all, for elsewhere; returns the staging folders there."""
    wiring = testbed.wiring
    site_of = wiring.site
    staging = {node: folder / node for node in nodes or wiring.nodes}
    sites: dict[RuntimeKind, Site] = {}

    def site(kind: RuntimeKind = "inline", only: Sequence[str] | None = None, *, drained: bool = False) -> Site:
        if kind not in sites:
            made = site_of(kind)
            away = {
                node: AwayHost(
                    made.runtime.actor(f"files-{node}", HostFiles, node=node), path, wiring.cluster.data_dir(node)
                )
                for node, path in staging.items()
            }
            loaders = {
                node: made.runtime.actor(f"apart-{node}", partial(ApartLoader, wiring.cluster, node, path), node=node)
                for node, path in staging.items()
            }
            sites[kind] = replace(made, away=away, nodes={**made.nodes, **loaders})
        whole = sites[kind]
        if only is None:
            return whole
        return replace(whole, nodes=_of(whole.nodes, only), away=_of(whole.away, only))

    wiring.site = site  # type: ignore[method-assign]
    return staging


def _of(by_node: Mapping[str, T], only: Sequence[str]) -> dict[str, T]:
    return {node: what for node, what in by_node.items() if node in only}
