"""How fast rows become chunk tables, as ratios to LOAD DATA in one run.

    python benchmarks/ingest.py [--rows 1000000] [--wide-rows 100000] [--quick] [--json FILE]

Four comparisons on private nodes, each side by side:

load_vs_load_data                    partitioned Arrow batches → chunk tables by row images (packed, written, indexed,
                                     counted, digest checked) against LOAD DATA INFILE of the same rows, CSV ready
parquet_to_published_vs_csv_load_data  Parquet → published against locate + CSV + LOAD DATA of the same Parquet
two_nodes_vs_one                     the whole ingest through Ray on two nodes and two cores (Ray is there already)
                                     against one node and one core in one process
hsc_load_vs_load_data                as the first, for the 1,038 columns of HSC's Object

"One core" pins this process and the node's server to core 0.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.schema import Column, Table
from skyshard.chunking import Chunker
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect, quote_text
from skyshard.ingest.on_nodes.build_orders import BuildContext, ChunkKey, merged_segments, plan_builds
from skyshard.ingest.partition.bundle import Bundle, BundleWriter, Segment, SliceReport
from skyshard.ingest.partition.partition_task import PartitionSpec, partition_slice
from skyshard.ingest.plan.ingest_plan import PlannedTable, make_plan
from skyshard.ingest.sources.open_source import open_source
from skyshard.node.load.load_text import load_text
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.messages import Loader
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import TypeClass, parse_type
from skyshard.runtime import RuntimeKind
from skyshard.testbed import Testbed

STRIPING: dict[str, Any] = {"stripes": 85, "substripes": 12, "overlap_deg": 0.01667}
PARTS = 4
REPEATS = 3
Texts = dict[tuple[int, bool], Path]
Area = tuple[float, float, float, float]
"""Least and greatest ra, least and greatest decl."""
WIDE_AREA: Area = (10.0, 38.0, -12.0, 13.0)
SMALL_AREA: Area = (10.0, 14.0, -2.0, 2.0)
ROWS, WIDE_ROWS = 1_000_000, 100_000


def narrow_table() -> Table:
    """41 columns as stored: 4 BIGINT and INT, 14 DOUBLE, 18 FLOAT, 3 TINYINT, and the two chunk columns."""
    names = [
        ("objectId", "bigint(20)"),
        ("ra", "double"),
        ("decl", "double"),
        ("htmId", "bigint(20)"),
        ("n", "int(11)"),
    ]
    names += [(f"d{i}", "double") for i in range(12)] + [(f"f{i}", "float") for i in range(18)]
    names += [(f"b{i}", "tinyint(4)") for i in range(4)]
    columns = tuple(Column(name, parse_type(kind), name not in ("objectId", "ra", "decl")) for name, kind in names)
    return Table("Object", columns)


def wide_table() -> Table:
    """HSC's Object with the positions renamed to those of the narrow table; text columns left out."""
    (found,) = [t.table for t in read_schema("hsc") if t.table.name == "Object"]
    renamed = {"coord_ra": "ra", "coord_dec": "decl"}
    kept = [c for c in found if c.type.type_class is not TypeClass.BYTES]
    columns = tuple(Column(renamed.get(c.name, c.name), c.type, c.name not in ("objectId", *renamed)) for c in kept)
    return Table("Object", columns)


def share(area: Area, part: float) -> Area:
    """An area with this part of its square degrees, so that fewer rows are fewer chunk tables, not shorter ones."""
    return (area[0], area[0] + (area[1] - area[0]) * part**0.5, *(decl * part**0.5 for decl in area[2:]))


def make_catalog(
    folder: Path, table: Table, rows: int, box: Area, striping: Mapping[str, float] = STRIPING, parts: int = PARTS
) -> Path:
    """A synth folder of random rows, uniform over a box."""
    random = np.random.default_rng(1)
    (folder / "Object").mkdir(parents=True)
    files = []
    for part in range(parts):
        count = rows // parts
        data = {column.name: _values(column, part * count, count, random, box) for column in table}
        path = folder / "Object" / f"part{part}.parquet"
        pq.write_table(pa.table(data), path, compression="zstd")
        files.append({"path": f"Object/{path.name}", "chunk": None, "rows": count, "bytes": path.stat().st_size})
    columns = [{"name": c.name, "type": c.type.text, "nullable": c.is_nullable} for c in table]
    entry = {
        "role": "director", "key": "objectId", "director": "", "position": ["ra", "decl"], "columns": columns,
        "primary_key": ["objectId"], "indexes": [], "rows": count * parts, "files": files,
    }  # fmt: skip
    manifest = {"version": 1, "recipe": {"name": "bench"}, "striping": dict(striping), "tables": {"Object": entry}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _values(column: Column, first: int, count: int, random: np.random.Generator, box: Area) -> pa.Array:
    if column.name == "objectId":
        return pa.array(np.arange(first, first + count) + 10**12)
    if column.name in ("ra", "decl"):
        return pa.array(random.uniform(*(box[:2] if column.name == "ra" else box[2:]), count))
    if column.type.type_class is TypeClass.FLOATING:
        values = random.normal(size=count).astype(np.float32 if column.type.base == "float" else np.float64)
        return pa.array(values, mask=random.random(count) < 0.05)
    _, high = column.type.integer_range()
    return pa.array(random.integers(0, min(high, 2**40), count), column.type.arrow)


@dataclass
class Bench:
    """A private cluster of two nodes, a folder for files, and the bytes of memory that a comparison needs."""

    cluster: PrivateCluster
    folder: Path
    memory: int

    @functools.cached_property
    def small(self) -> Path:
        """A catalog of few rows."""
        return make_catalog(self.folder / "small", narrow_table(), 10_000, share(WIDE_AREA, 10_000 / ROWS))

    @contextlib.contextmanager
    def one_core(self) -> Iterator[None]:
        """Pin this process and the first node's and the czar's server to core 0."""
        pids = [s.pid for s in self.cluster.status() if s.name in ("node1", "czar") and s.pid]
        processes = [psutil.Process(), *(psutil.Process(pid) for pid in pids)]
        before = [process.cpu_affinity() for process in processes]
        for process in processes:
            process.cpu_affinity([0])
        try:
            yield
        finally:
            for process, cores in zip(processes, before, strict=True):
                process.cpu_affinity(cores)

    def timed(self, work: Callable[[], object]) -> float:
        """Seconds of one call, on memory that the machine has, with nothing left to write from before."""
        os.sync()
        warm_memory(self.memory)
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def loader(self) -> MariaDBLoader:
        return MariaDBLoader("node1", self.cluster.endpoint("node1"), str(self.cluster.data_dir("node1")))


def warm_memory(size: int) -> None:
    """Touch memory and give it back: a virtual machine gets it from its host at the first touch, 20 times as slow."""
    np.ones(size, np.uint8)


def load_ratio(bench: Bench, catalog: Path) -> dict[str, float]:
    """Row images against LOAD DATA of the same chunk tables, from rows that are partitioned and sorted already.

    LOAD DATA is measured once, for it takes long; row images ``REPEATS`` times, of which the median counts.
    """
    source = open_source(catalog)
    plan = make_plan(source)
    (table,) = plan.tables
    staging = bench.folder / "staging"
    staging.mkdir(exist_ok=True)
    layout = table.source.layout
    spec = PartitionSpec(
        table.source.table, layout, plan.layout.striping, table.source.reader, Loader.LOAD_DATA, str(staging)
    )
    reports = [partition_slice(spec, part) for part in table.source.slices]
    texts = _write_csv(bench, table, reports, staging)
    report, batch = _partitioned(staging, reports)
    chunks = {segment.chunk for report in reports for segment in report.segments}
    placed = dict.fromkeys(chunks, ("node1",))
    names = [f"images{number}" for number in range(REPEATS)]
    contexts = []
    for name in names:  # a folder each, as each ingest has its own
        (staging / name).mkdir()
        place = functools.partial(Path, staging / name)
        contexts.append(BuildContext(make_plan(source, database=name), 1, placed, frozenset(), place))
    with bench.one_core():
        base = bench.timed(lambda: _load_csv(bench, table, texts))
        images = [bench.timed(functools.partial(_pack_and_build, bench, table, c, report, batch)) for c in contexts]
    for database in (*names, "texts"):
        bench.loader().drop_database(database)
    for folder in (staging, bench.folder / "csv"):
        shutil.rmtree(folder)
    rows = sum(report.rows for report in reports)
    stored = sum(segment.rows for report in reports for segment in report.segments)
    return {
        "rows": rows, "stored_rows": stored, "tables": len(texts), "load_data_s": base, "image_s": median(images),
        "ratio": base / median(images),
    }  # fmt: skip


def _partitioned(staging: Path, reports: list[SliceReport]) -> tuple[SliceReport, pa.RecordBatch]:
    """All rows sorted by chunk table, in memory, and what each table gets of them."""
    pieces: dict[ChunkKey, list[pa.RecordBatch]] = {}
    for report in reports:
        with pa.memory_map(str(Bundle(staging, "Object", report.digest).path)) as source:
            file = pa.ipc.open_file(source)
            for segment in report.segments:
                pieces.setdefault((segment.chunk, segment.is_overlap), []).append(file.get_batch(segment.offset))
    sums = merged_segments(reports)
    segments = [Segment(*target, 0, *sums[target]) for target in pieces]
    rows = pa.Table.from_batches(list(itertools.chain(*pieces.values()))).combine_chunks()
    return SliceReport("memory", "memory", segments=segments), rows.to_batches()[0]


def _pack_and_build(
    bench: Bench, table: PlannedTable, context: BuildContext, report: SliceReport, batch: pa.RecordBatch
) -> None:
    """Arrow batch → packed records → bundle → tables, indexed, counted and digest-checked."""
    edges = [0, *itertools.accumulate(segment.rows for segment in report.segments)]
    with BundleWriter(Bundle(context.staging_on(""), "Object", report.digest), Loader.IMAGE, None) as writer:
        places = writer.add_records(pack(batch, RecordLayout.of(table.stored)), edges)
    segments = [
        replace(segment, file=file, offset=offset)
        for segment, (file, offset) in zip(report.segments, places, strict=True)
    ]
    loader = bench.loader()
    loader.make_database(context.plan.database)
    for order in plan_builds(context, table, [replace(report, segments=segments)], ["node1"])["node1"]:
        loader.build(order)


def _write_csv(
    bench: Bench, table: PlannedTable, reports: list[SliceReport], staging: Path
) -> dict[tuple[int, bool], Path]:
    """One text file a chunk table."""
    folder = bench.folder / "csv"
    folder.mkdir(exist_ok=True)
    texts: Texts = {}
    for report in reports:
        with pa.memory_map(str(staging / f"Object-{report.digest}.bundle")) as source:
            file = pa.ipc.open_file(source)
            for segment in report.segments:
                key = (segment.chunk, segment.is_overlap)
                path = texts.setdefault(key, folder / f"{segment.chunk}-{segment.is_overlap}.tsv")
                with path.open("ab") as out:
                    out.write(load_text(file.get_batch(segment.offset), table.stored))
    return texts


def _load_csv(bench: Bench, table: PlannedTable, texts: Texts) -> None:
    with connect(bench.cluster.endpoint("node1"), Account.LOADER) as connection:
        connection.execute("CREATE DATABASE IF NOT EXISTS texts")
        connection.execute("USE texts")
        for (chunk, is_overlap), path in texts.items():
            name = f"Object{'FullOverlap' if is_overlap else ''}_{chunk}"
            stored = stored_table(table.source.table, table.source.layout, overlap=is_overlap)
            connection.execute(f"DROP TABLE IF EXISTS {name}")
            connection.execute(create_table(stored, name))
            connection.execute(f"LOAD DATA INFILE {quote_text(str(path))} INTO TABLE {name} CHARACTER SET binary")


def published_ratio(bench: Bench, catalog: Path) -> dict[str, float]:
    """The product's whole ingest on one core against partition to CSV and LOAD DATA, with no index and no check."""
    (table,) = make_plan(open_source(catalog)).tables
    with bench.one_core():
        base = bench.timed(lambda: _partition_and_load(bench, table))
        ours = _ingest(bench, _single(bench), catalog, "one", "inline")
    bench.loader().drop_database("texts")
    return {"csv_load_data_s": base, "published_s": ours, "ratio": base / ours}


def _partition_and_load(bench: Bench, table: PlannedTable) -> None:
    """Locate, sort by chunk, write CSV, LOAD DATA: what a careful script would do."""
    chunker = Chunker(*STRIPING.values())
    folder = bench.folder / "plain"
    folder.mkdir()
    texts: Texts = {}
    for part in table.source.slices:
        rows = pq.read_table(part.path).combine_chunks()
        ra, dec = rows["ra"].to_numpy(), rows["decl"].to_numpy()
        own = (np.arange(len(ra)), *chunker.locate(ra, dec))
        for is_overlap, (at, chunks, sub_chunks) in ((False, own), (True, chunker.overlap_copies(ra, dec))):
            order = np.argsort(chunks, kind="stable")
            batch = rows.take(pa.array(at[order])).combine_chunks().to_batches()[0]
            batch = batch.append_column("chunkId", pa.array(chunks[order]))
            batch = batch.append_column("subChunkId", pa.array(sub_chunks[order]))
            numbers, first = np.unique(chunks[order], return_index=True)
            for number, start, stop in zip(numbers, first, [*first[1:], len(order)], strict=True):
                path = texts.setdefault((int(number), is_overlap), folder / f"{number}-{is_overlap}.tsv")
                with path.open("ab") as out:
                    out.write(load_text(batch.slice(start, stop - start), table.stored))
    _load_csv(bench, table, texts)


def _ingest(
    bench: Bench, cluster: PrivateCluster, catalog: Path, database: str, runtime: RuntimeKind, repeats: int = 1
) -> float:
    """Seconds of an ingest, the shortest; a small one comes before, so that what the runtime starts is there."""
    with Testbed(cluster.folder, runtime=runtime) as testbed:
        testbed.ingest(bench.small, database=f"{database}_before")
        return min(
            bench.timed(functools.partial(testbed.ingest, catalog, database=f"{database}{number}"))
            for number in range(repeats)
        )


def _single(bench: Bench) -> PrivateCluster:
    """A cluster of one node beside the one of two, pinned like this process."""
    cluster = PrivateCluster(bench.folder / "single")
    cluster.start(1)
    for status in cluster.status():
        psutil.Process(status.pid).cpu_affinity(psutil.Process().cpu_affinity())
    return cluster


def scaling_ratio(bench: Bench, catalog: Path) -> dict[str, float]:
    """Two nodes, two cores, through Ray, against one node and one core in one process."""
    with bench.one_core():
        one = _ingest(bench, _single(bench), catalog, "alone", "inline", REPEATS)
    two = _ingest(bench, bench.cluster, catalog, "both", "ray", REPEATS)
    return {"one_s": one, "two_s": two, "ratio": one / two}


def run(rows: int, wide_rows: int) -> dict[str, dict[str, float]]:
    """All comparisons; everything made is removed."""
    with tempfile.TemporaryDirectory(prefix="skyshard-bench-", dir="/tmp") as name:
        folder = Path(name)
        bench = Bench(PrivateCluster(folder / "cluster"), folder, (256 << 20) + 1_500 * rows + 6_000 * wide_rows)
        bench.cluster.start(2)
        try:
            catalog = make_catalog(folder / "catalog", narrow_table(), rows, share(WIDE_AREA, rows / ROWS))
            results = {"load_vs_load_data": load_ratio(bench, catalog)}
            results["parquet_to_published_vs_csv_load_data"] = published_ratio(bench, catalog)
            if rows < ROWS:  # else what an ingest takes besides its rows would be compared
                catalog = make_catalog(folder / "more", narrow_table(), 2 * rows, share(WIDE_AREA, 2 * rows / ROWS))
            results["two_nodes_vs_one"] = scaling_ratio(bench, catalog)
            wide = make_catalog(folder / "wide", wide_table(), wide_rows, share(SMALL_AREA, wide_rows / WIDE_ROWS))
            results["hsc_load_vs_load_data"] = load_ratio(bench, wide)
        finally:
            for cluster in (bench.cluster, PrivateCluster(folder / "single")):
                if cluster.exists:
                    cluster.destroy()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--wide-rows", type=int, default=WIDE_ROWS)
    parser.add_argument("--quick", action="store_true", help="170,000 rows and 12,000 wide ones")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="write JSON to a file, or print it")
    options = parser.parse_args()
    rows, wide = (170_000, 12_000) if options.quick or options.json == "-" else (options.rows, options.wide_rows)
    results = run(rows, wide)
    content = json.dumps({"ratios": {name: r["ratio"] for name, r in results.items()}, "details": results}, indent=1)
    if options.json == "-":
        print(content)
        return
    if options.json:
        Path(options.json).write_text(content)
    for name, result in results.items():
        figures = ", ".join(f"{key} {value:.4g}" for key, value in result.items() if key != "ratio")
        print(f"{name:<40} {result['ratio']:6.2f} x   ({figures})")


if __name__ == "__main__":
    main()
