"""Makes and removes set-ups: a private cluster, the catalog in it, and what both take on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import skyshard.node
from skyshard.basics.progress import Watcher, announce
from skyshard.bench.experiment.trial_numbers import Build
from skyshard.catalog.layout import Layout
from skyshard.cluster.cluster import CZAR_NAME, MONO_NAME
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.server import end_orphans
from skyshard.cluster.storage_plugins import SHARED_FOLDERS
from skyshard.columns.segment_folder import columns_folder
from skyshard.host.page_cache import disk_bytes, files_below
from skyshard.runtime import open_runtime
from skyshard.scenarios.experiment.folder import COMPLETE
from skyshard.scenarios.experiment.setups import Setup, Sky
from skyshard.synth.recipe.recipe import Recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed, source_at

DATABASE = "experiment"
"""Every set-up's only database."""


def cluster_of(folder: Path) -> PrivateCluster:
    """The cluster of a set-up."""
    return PrivateCluster(folder / "cluster")


def is_complete(folder: Path) -> bool:
    return (folder / COMPLETE).exists()


def mark_complete(folder: Path) -> None:
    """Say that a set-up is made and its cost recorded: the last step."""
    (folder / COMPLETE).touch()


def write_sky(recipe: Recipe, sky: Sky, out: Path, watcher: Watcher) -> None:
    """The rows as Parquet files; what a killed run left is gone on with."""
    with open_runtime("inline") as runtime:
        write_catalog(recipe, out, fraction=sky.fraction, shrink=sky.shrink, runtime=runtime, watcher=watcher)


def build_setup(
    setup: Setup, folder: Path, sky: Path, layout: Layout | None, *, has_oracle: bool, watcher: Watcher
) -> Build:
    """Make a set-up anew, and leave its cluster stopped; an unfinished one is removed first. It is not marked yet."""
    discard(folder)
    folder.mkdir(parents=True)
    cluster = cluster_of(folder)
    try:
        cluster.start(setup.nodes, setup.settings)
        built = _ingest(setup, cluster, sky, layout, has_oracle=has_oracle, watcher=watcher)
    finally:
        if cluster.exists:
            cluster.stop()
    return built.model_copy(update={"bytes": disk_bytes(catalog_files(cluster))})


def _ingest(
    setup: Setup, cluster: PrivateCluster, sky: Path, layout: Layout | None, *, has_oracle: bool, watcher: Watcher
) -> Build:
    source = source_at(sky)
    wanted = layout or source.layout
    if setup.engine:
        wanted = wanted.model_copy(update={"engine": setup.engine})
    loader = skyshard.node.Loader(setup.loader) if setup.loader else None
    with Testbed(cluster.folder) as testbed:
        begun = time.monotonic()
        report = testbed.ingest(
            source, database=DATABASE, layout=wanted, loader=loader, replicas=setup.replicas or None,
            columns="all" if setup.has_images else None, watcher=watcher,
        )  # fmt: skip
        ingest_s = time.monotonic() - begun
        if has_oracle:
            testbed.load_mono(DATABASE, watcher=watcher)
        return Build(
            ingest_s=ingest_s, stages_s=report.stages_s, rows=report.rows, bytes=0,
            data_digest=str(testbed.registry.contributions.data_digest(DATABASE)),
            server=f"MariaDB {find_mariadbd().version_text}",
        )  # fmt: skip


def catalog_files(cluster: PrivateCluster, *, has_oracle: bool = False) -> Iterator[Path]:
    """The files of the catalog on the nodes and the czar, with its column images."""
    names = [CZAR_NAME, *cluster.node_names, *([MONO_NAME] if has_oracle else [])]
    folders = [cluster.data_dir(name) / part for name in names for part in (DATABASE, *SHARED_FOLDERS)]
    images = [columns_folder(cluster.data_dir(name)) / DATABASE for name in cluster.node_names]
    yield from files_below([*folders, *images])


def data_files(cluster: PrivateCluster) -> Iterator[Path]:
    """All files of all servers: what a cold trial must not find in memory."""
    yield from files_below([cluster.folder / "servers"])


def stop_all(folders: Iterator[Path] | list[Path]) -> int:
    """Stop whatever runs of these set-ups; returns how many clusters ran."""
    count = 0
    for folder in folders:
        cluster = cluster_of(folder)
        if cluster.exists and cluster.running_endpoints():
            cluster.stop()
            count += 1
    return count


def discard(folder: Path, watcher: Watcher | None = None) -> None:
    """Remove a set-up, whatever state a killed run left it in."""
    if not folder.exists():
        return
    if watcher is not None:
        announce(watcher, f"removing set-up {folder.name}")
    cluster = cluster_of(folder)
    if cluster.exists:
        cluster.destroy()
    shutil.rmtree(folder, ignore_errors=True)
    end_orphans(folder.resolve())
