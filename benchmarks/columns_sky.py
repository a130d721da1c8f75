"""The cluster and the catalogs that ``benchmarks/columns.py`` measures: as many rows and columns as are asked for."""

from __future__ import annotations

import json
import mmap
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.columns.node_columns import ChunkImage, NodeColumns, NodeParts
from skyshard.columns.segment_folder import SegmentFolder, columns_folder
from skyshard.host.page_cache import drop_page_cache, files_below
from skyshard.testbed import Testbed

STRIPING = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
AREA = (10.0, 34.5, -12.0, 12.0)
"""588 square degrees: a million rows make 1,700 a square degree."""
FIRST_KEY = 10**12
PART_ROWS = 1_000_000
"""Rows of one input file, and of one random seed, at most: all have about as many."""
WRITERS = 2
"""Input files that are made at a time."""
FIXED = {"objectId": "bigint(20)", "ra": "double", "decl": "double", "htmId": "bigint(20)", "n": "int(11)"}


def types_of(columns: int) -> dict[str, str]:
    """Columns of a stored table, the two chunk columns apart: DOUBLE, FLOAT and TINYINT beside the fixed ones."""
    left = columns - len(FIXED) - 2
    doubles, bytes_ = left * 12 // 34, left * 4 // 34
    kinds = [("d", "double", doubles), ("f", "float", left - doubles - bytes_), ("b", "tinyint(4)", bytes_)]
    return FIXED | {f"{letter}{i}": kind for letter, kind, count in kinds for i in range(count)}


def make_sky(folder: Path, rows: int, columns: int = 41) -> Path:
    """A synth folder of random rows, uniform over the area; the last two of the columns are the chunk columns."""
    (folder / "Object").mkdir(parents=True)
    types = types_of(columns)
    parts = -(-rows // PART_ROWS)
    edges = [rows * part // parts for part in range(parts + 1)]

    def write(part: int) -> dict[str, object]:
        first, count = edges[part], edges[part + 1] - edges[part]
        path = folder / "Object" / f"part{part}.parquet"
        pq.write_table(_rows(types, first, count), path, use_dictionary=_repeated(types))
        return {"path": f"Object/{path.name}", "chunk": None, "rows": count, "bytes": path.stat().st_size}

    with ThreadPoolExecutor(WRITERS) as threads:
        files = list(threads.map(write, range(parts)))
    listed = [
        {"name": name, "type": kind, "nullable": name[0] in "dfb" and name != "decl"} for name, kind in types.items()
    ]
    entry = {
        "role": "director", "key": "objectId", "director": "", "position": ["ra", "decl"], "columns": listed,
        "primary_key": ["objectId"], "indexes": [], "rows": rows, "files": files,
    }  # fmt: skip
    manifest = {"version": 1, "recipe": {"name": "columns"}, "striping": STRIPING, "tables": {"Object": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _repeated(types: dict[str, str]) -> list[str]:
    """Columns with few values: the others get no dictionary either way, which takes as long to find out as to write."""
    return [name for name, kind in types.items() if name == "n" or kind.startswith("tinyint")]


def _rows(types: dict[str, str], first: int, count: int) -> pa.Table:
    generator = np.random.default_rng(first + 1)
    data: dict[str, pa.Array] = {"objectId": pa.array(np.arange(first, first + count) + FIRST_KEY)}
    data["ra"], data["decl"] = (pa.array(generator.uniform(AREA[i], AREA[i + 1], count)) for i in (0, 2))
    data["htmId"] = pa.array(generator.integers(0, 1 << 50, count))
    data["n"] = pa.array(generator.integers(0, 1000, count).astype(np.int32))
    for name in list(types)[len(FIXED) :]:
        if types[name].startswith("tinyint"):
            values = generator.integers(0, 2, count).astype(np.int8)
        else:
            values = generator.standard_normal(count, np.float32).astype(
                np.float32 if types[name] == "float" else float
            )
        data[name] = pa.array(values, mask=generator.random(count, np.float32) < 0.05)
    return pa.table(data)


def best_s(work: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return min(times)


class Sky:
    """A running cluster; catalogs come to it when they are asked for, and stay."""

    def __init__(self, folder: Path, cluster: PrivateCluster, testbed: Testbed) -> None:
        self.folder, self.cluster, self.testbed = folder, cluster, testbed

    def source(self, rows: int, columns: int = 41) -> Path:
        """Its input, made once."""
        path = self.folder / f"sky-{rows}-{columns}"
        return path if path.exists() else make_sky(path, rows, columns)

    def database(self, rows: int, columns: int = 41, *, imaged: bool = True) -> str:
        """A published database of so many rows and columns, with images or without."""
        name = self.name(rows, columns, imaged=imaged)
        if not self.has(name):
            self.testbed.ingest(self.source(rows, columns), database=name, columns="all" if imaged else "none")
        return name

    @staticmethod
    def name(rows: int, columns: int = 41, *, imaged: bool = True) -> str:
        """What :meth:`database` calls it."""
        return f"sky_{rows}_{columns}{'' if imaged else '_rows'}"

    def has(self, database: str) -> bool:
        """Whether it is published."""
        return database in self.testbed.registry.published.names().published

    def _stored(self, database: str) -> str:
        """The name of its folders, which is another one where a database of this name was dropped before."""
        return self.testbed.registry.published.names().stored(database)

    def images(self, database: str, names: list[str]) -> list[ChunkImage]:
        """The images of its Objects, node by node."""
        table = self.testbed.registry.published.catalog(database).tables["Object"]
        replicas = self.testbed.registry.replicas.all(self._stored(database), "Object")
        found: list[ChunkImage] = []
        for node in self.testbed.nodes:
            parts = NodeParts.of(replicas, node, "Object")
            columns = NodeColumns(self.cluster.data_dir(node), self._stored(database), table.table, parts)
            mine = columns.chunks(table.chunks.columns, names)
            found += [image for chunk, image in mine.items() if table.chunks[chunk].nodes[0] == node]
        return found

    def cool(self, database: str) -> None:
        """Leave nothing of a database's images in memory; they stay open. The system drops no page that is mapped."""
        stored = self._stored(database)
        folders = [columns_folder(self.cluster.data_dir(node)) / stored for node in self.testbed.nodes]
        for folder in folders:
            for segment in SegmentFolder(folder).segments()[0]:
                segment.mapped.madvise(mmap.MADV_DONTNEED)
        drop_page_cache(files_below(folders))

    def spread(self, rows: int, stripes: int) -> Path:
        """The input of 41 columns, spread over a sky of so many stripes."""
        path = self.folder / f"sky-{rows}-stripes-{stripes}"
        if not path.exists():
            base = self.source(rows)
            path.mkdir()
            (path / "Object").symlink_to(base / "Object")
            manifest = json.loads((base / "manifest.json").read_text())
            striping = {"stripes": stripes, "substripes": 4, "overlap_deg": 0.01667}
            (path / "manifest.json").write_text(json.dumps(manifest | {"striping": striping}))
        return path

    def share(self, other: Sky) -> None:
        """Take over the inputs of another one."""
        for path in other.folder.glob("sky-*"):
            (self.folder / path.name).symlink_to(path)


@contextmanager
def open_sky(folder: Path, nodes: int = 2, scan_threads: int | None = None) -> Iterator[Sky]:
    """A cluster in a folder, which is removed at the end."""
    folder.mkdir(exist_ok=True)
    cluster = PrivateCluster(folder / "cluster")
    try:
        cluster.start(nodes)
        with Testbed(cluster.folder, scan_threads=scan_threads) as testbed:
            yield Sky(folder, cluster, testbed)
    finally:
        if cluster.exists:
            cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)
