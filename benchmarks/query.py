"""How fast the czar answers, as ratios in one run on one machine.

    python benchmarks/query.py [--rows 1000000] [--quick] [--json FILE] [--only NAME,NAME]

All on a private cluster of two nodes; every ratio has its target beside it (`<=` or `>=`):

object_by_id_vs_direct     median of `WHERE objectId = n` through the czar, in medians of that SELECT sent to the node
new_shape_ms, cone_ms      medians of statements never seen before: by id, and a circle of 60 arcseconds
scan_vs_merge              a filtered scan of one node's chunks by one thread, in speeds of a MERGE table over them
per_chunk_ms               a filtered sum over 10,000 chunks of 100 rows, by one thread on each of two nodes
two_threads_vs_one         the scan by two threads of one node; `two_nodes_vs_one` by one thread on each of two nodes
arrow_vs_pymysql           rows x 8 columns to Arrow, in speeds of a PyMySQL fetch of them from one server
near_neighbour_vs_plain    pairs within 60 arcseconds, in speeds of the self-join of whole chunk tables on the sub-chunk
cone_plan_ms, sky_plan_ms  plans over the 146,332 chunks of 340 stripes: chunks chosen by a cone of a shape seen before,
                           and none left out; `cone_first_plan_ms` is the plan of a shape never seen
lv_under_scans             p99 of object by id while ten scans run, in p99s of an idle czar
shared_scans_time          ten scans at once with a cold page cache, in times of ten one after another, each cold
shared_scans_bytes         what the servers read from disk meanwhile, in what one cold scan reads
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
from query_catalog import (
    COLUMNS,
    DATABASE,
    SCAN,
    SMALL_CHUNKS,
    SMALL_ROWS,
    Bench,
    best_s,
    make_catalog,
    median_ms,
)

from skyshard.catalog.layout import Layout, Striping
from skyshard.chunking import Chunker
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.bound_statement import Bound
from skyshard.czar.bind.rewrite import rewrite
from skyshard.czar.cache.plan_reuse import StatementPlanner
from skyshard.czar.plan.gather_plan import GATHER_LIMIT_BYTES
from skyshard.czar.plan.planner import plan_statement
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import SelectStatement, parse_statement
from skyshard.db.connection import Account, connect
from skyshard.host.process_tuning import allow_tuning
from skyshard.registry.catalog.chunk_entries import ChunkEntries, ChunkEntry
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource, CatalogTable
from skyshard.testbed import Testbed


def lookups(bench: Bench) -> dict[str, float]:
    """Object by id: a shape seen before, new shapes, and cones."""
    ids = bench.ids(700)
    places = bench.testbed.registry.published.locate_keys(DATABASE, "Object", ids)
    entries = bench.catalog.tables["Object"].chunks
    with bench.node("node1") as one, bench.node("node2") as two:
        nodes = {"node1": one, "node2": two}

        def direct(number: int) -> object:
            (chunk,) = places[number]
            return nodes[entries[chunk].nodes[0]].rows(f"SELECT {COLUMNS} FROM Object_{chunk} WHERE objectId={number}")

        turns = {"direct": direct, "czar": bench.by_id}
        times: dict[str, list[float]] = {name: [] for name in turns}
        for number in ids:
            for name, work in turns.items():
                begun = time.perf_counter()
                work(number)
                times[name].append((time.perf_counter() - begun) * 1e3)
    new = iter(range(10_000))
    place = random.Random(3)

    def new_shape() -> None:
        alias = f"SELECT {COLUMNS}, ra AS x{next(new)} FROM Object WHERE objectId = {place.choice(ids)}"
        bench.testbed.query(alias, database=DATABASE)

    def cone() -> None:
        where = f"qserv_areaspec_circle({place.uniform(11, 33)}, {place.uniform(-11, 11)}, 0.0166667)"
        bench.testbed.query(f"SELECT {COLUMNS} FROM Object WHERE {where}", database=DATABASE)

    shapes, cones = median_ms(new_shape, 150), median_ms(cone, 150)
    direct_ms, czar_ms = (statistics.median(times[name][100:]) for name in turns)
    return {
        "object_by_id_vs_direct": czar_ms / direct_ms, "direct_ms": direct_ms, "object_by_id_ms": czar_ms,
        "object_by_id_p99_ms": sorted(times["czar"][100:])[-6], "new_shape_ms": statistics.median(shapes),
        "cone_ms": statistics.median(cones), "cone_p99_ms": cones[-2],
    }  # fmt: skip


def scans(bench: Bench) -> dict[str, float]:
    """A filtered scan against a MERGE table, and by two threads."""
    one, both = bench.part(["node1"]), bench.part(["node1", "node2"])
    rows = one.tables["Object"].rows
    with bench.merge_table(one) as node, contextlib.ExitStack() as czars:
        works: dict[str, Callable[[], object]] = {"merge": lambda: node.rows(SCAN.replace("Object", "whole"))}
        for name, catalog, threads in (("one", one, 1), ("two", one, 2), ("nodes", both, 1)):
            czar = czars.enter_context(bench.czar(catalog, scan_threads=threads))
            works[name] = partial(czar.execute, SCAN, DATABASE)
            works[name]()
        turns = [{name: best_s(work, 5) for name, work in works.items()} for _ in range(3)]
    times = {name: min(turn[name] for turn in turns) for name in works}
    return {
        "scan_vs_merge": times["merge"] / times["one"], "merge_krow_s": rows / times["merge"] / 1e3,
        "scan_s": times["one"], "two_threads_vs_one": times["one"] / times["two"],
        "two_nodes_vs_one": both.tables["Object"].rows / times["nodes"] / (rows / times["one"]),
    }  # fmt: skip


def small_chunks(bench: Bench) -> dict[str, float]:
    """What a chunk costs when there is little in it."""
    count = SMALL_CHUNKS // (5 if bench.is_quick else 1)
    table, nodes = bench.catalog.tables["Object"], ("node1", "node2")
    holders = {number: nodes[number % 2] for number in range(1, count + 1)}
    folders = {name: bench.cluster.data_dir(name) / DATABASE for name in nodes}
    for name in nodes:
        chunk = next(iter(bench.part([name]).tables["Object"].chunks))
        with bench.node(name) as node:
            node.execute(f"CREATE TABLE Small LIKE Object_{chunk}")
            node.execute(f"INSERT INTO Small SELECT * FROM Object_{chunk} LIMIT {SMALL_ROWS}")
            node.execute("FLUSH TABLES")
    files = [(folders[name], number, kind) for number, name in holders.items() for kind in ("frm", "MYD", "MYI")]
    for folder, number, kind in files:
        shutil.copyfile(folder / f"Small.{kind}", folder / f"Small_{number}.{kind}")
    with connect(bench.cluster.endpoint("czar"), Account.ADMIN, DATABASE) as czar_server:
        czar_server.execute("CREATE TABLE Small LIKE Object")
    small = CatalogTable(
        replace(table.table, name="Small"), table.layout, SMALL_ROWS * count,
        ChunkEntries.of({number: ChunkEntry(SMALL_ROWS, 0, (name,)) for number, name in holders.items()}),
    )  # fmt: skip
    catalog = Catalog(DATABASE, bench.catalog.layout, {"Small": small}, nodes)
    with bench.czar(catalog, scan_threads=1) as czar:
        sql = SCAN.replace("Object", "Small")
        czar.execute(sql, DATABASE)
        seconds = best_s(lambda: czar.execute(sql, DATABASE))
    with connect(bench.cluster.endpoint("czar"), Account.ADMIN, DATABASE) as czar_server:
        czar_server.execute("DROP TABLE Small")
    for name in nodes:
        with bench.node(name) as node:
            node.execute("FLUSH TABLES")
    for folder, number, kind in files:
        (folder / f"Small_{number}.{kind}").unlink()
    return {"per_chunk_ms": seconds * 1e3 / count, "small_chunks": count}


def results(bench: Bench) -> dict[str, float]:
    """Rows to Arrow against rows to Python."""
    catalog = bench.part(["node1"], 40 if bench.is_quick else 1_000_000)
    rows = catalog.tables["Object"].rows
    with bench.merge_table(catalog) as node:
        fetched = best_s(lambda: node.rows(f"SELECT {COLUMNS} FROM whole"), 1)
    with bench.czar(catalog, scan_threads=2) as czar:
        arrow = best_s(lambda: czar.execute(f"SELECT {COLUMNS} FROM Object", DATABASE))
    return {"arrow_vs_pymysql": fetched / arrow, "result_rows": rows, "arrow_krow_s": rows / arrow / 1e3}


def neighbours(bench: Bench) -> dict[str, float]:
    """Pairs within 60 arcseconds on one thread, against whole chunk tables joined on the sub-chunk."""
    catalog = bench.part(["node1"], 8 if bench.is_quick else 80)
    near = "scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.016666"
    sql = f"SELECT COUNT(*) FROM Object a, Object b WHERE {near} AND a.objectId <> b.objectId"
    with bench.czar(catalog, scan_threads=1) as czar:
        ours = best_s(lambda: czar.execute(sql, DATABASE), 2)
        explained = render(_bound(sql, bench.source(catalog).now()).tree)
    rows = catalog.tables["Object"].rows
    few = list(catalog.tables["Object"].chunks)[: 4 if bench.is_quick else 10]
    few_rows = sum(catalog.tables["Object"].chunks[chunk].rows for chunk in few)
    with bench.node() as node:
        texts = [
            explained.replace("`bench`.`Object`", f"Object_{chunk}").replace(" Object ", f" Object_{chunk} ")
            .replace("`bench`.Object", f"Object_{chunk}").replace(" WHERE ", " WHERE a.subChunkId = b.subChunkId AND ")
            for chunk in few
        ]  # fmt: skip
        plain = best_s(lambda: [node.rows(text) for text in texts], 1)
    return {
        "near_neighbour_vs_plain": (plain / few_rows) / (ours / rows), "near_neighbour_us_a_row": ours / rows * 1e6,
        "near_neighbour_rows": rows,
    }  # fmt: skip


def _bound(sql: str, source: CatalogSource) -> Bound:
    statement = parse_statement(sql)
    assert isinstance(statement, SelectStatement)
    return rewrite(bind(statement, source.catalog, DATABASE))


def planning(bench: Bench) -> dict[str, float]:
    """Plans over all chunks of 340 stripes; no server is asked."""
    chunker = Chunker(340, 3, 0.01667)
    chunks = chunker.chunk_ids().tolist()
    table = bench.catalog.tables["Object"]
    entries = ChunkEntries.of({int(chunk): ChunkEntry(1000, 100, ("node1",)) for chunk in chunks})
    striping = Striping(stripes=340, substripes=3, overlap_deg=0.01667)
    layout = Layout(striping=striping, tables={})
    catalog = Catalog(DATABASE, layout, {"Object": replace(table, chunks=entries)}, ("node1",))
    place, source = random.Random(5), bench.source(catalog).now()

    def plan(where: str) -> object:
        return plan_statement(_bound(f"SELECT {COLUMNS} FROM Object WHERE {where}", source), source)

    def circle() -> str:
        return f"qserv_areaspec_circle({place.uniform(0, 360)}, {place.uniform(-80, 80)}, 0.0166667)"

    def kept_cone() -> object:
        return planner.typed_plan(f"SELECT {COLUMNS} FROM Object WHERE {circle()}", DATABASE)

    planner = StatementPlanner(bench.source(catalog), lambda *_: (), GATHER_LIMIT_BYTES)
    plan(circle())
    kept_cone(), kept_cone()
    return {
        "cone_plan_ms": statistics.median(median_ms(kept_cone, 100)), "planned_chunks": len(chunks),
        "cone_first_plan_ms": statistics.median(median_ms(lambda: plan(circle()), 30)),
        "cone_chunks_ms": statistics.median(median_ms(lambda: _cone_chunks(chunker, place), 200)),
        "sky_plan_ms": statistics.median(median_ms(lambda: plan("f0 > 1"), 5)),
    }  # fmt: skip


def _cone_chunks(chunker: Chunker, place: random.Random) -> object:
    from skyshard.chunking.sphere import Circle

    return chunker.chunks_in(Circle(place.uniform(0, 360), place.uniform(-80, 80), 0.0166667))


def under_scans(bench: Bench) -> dict[str, float]:
    """Object by id while ten scans go round and round; idle and busy in turns, medians of three turns."""
    ids = itertools.cycle(bench.ids(4000))
    repeats = 500 if bench.is_quick else 1000
    for _ in range(50):
        bench.by_id(next(ids))

    def times() -> list[float]:
        return median_ms(lambda: bench.by_id(next(ids)), repeats)

    turns = []
    for _ in range(3):
        idle = times()
        with _ten_scans(bench):
            turns.append((idle, times()))
    at = int(repeats * 0.99) - 1

    def middle(figure: Callable[[list[float], list[float]], float]) -> float:
        return statistics.median(figure(idle, busy) for idle, busy in turns)

    return {
        "lv_under_scans": middle(lambda idle, busy: busy[at] / idle[at]),
        "lv_idle_p50_ms": middle(lambda idle, _: statistics.median(idle)),
        "lv_idle_p99_ms": middle(lambda idle, _: idle[at]),
        "lv_busy_p50_ms": middle(lambda _, busy: statistics.median(busy)),
        "lv_busy_p99_ms": middle(lambda _, busy: busy[at]),
    }


@contextlib.contextmanager
def _ten_scans(bench: Bench) -> Iterator[None]:
    """Ten clients that scan, each again and again, from half a second before."""
    stop = threading.Event()

    def scan(number: int) -> None:
        while not stop.is_set():
            bench.testbed.query(f"{SCAN} AND n <> {number}", database=DATABASE)

    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(scan, number) for number in range(10)]
        time.sleep(0.5)
        try:
            yield
        finally:
            stop.set()
        for future in futures:
            future.result()


def shared(bench: Bench) -> dict[str, float]:
    """Ten scans with a cold page cache: at once, and one after another."""
    queries = [f"{SCAN} AND n <> {number}" for number in range(2000, 2010)]

    def read_bytes() -> int:
        pids = [status.pid for status in bench.cluster.status() if status.pid]
        return sum(psutil.Process(pid).io_counters().read_bytes for pid in pids)

    def run(parts: Sequence[Sequence[str]]) -> tuple[float, int]:
        seconds, size = 0.0, read_bytes()
        with ThreadPoolExecutor(10) as pool:
            for part in parts:
                _evict(bench.cluster)
                begun = time.perf_counter()
                list(pool.map(lambda sql: bench.testbed.query(sql, database=DATABASE), part))
                seconds += time.perf_counter() - begun
        return seconds, read_bytes() - size

    one, one_bytes = run([queries[:1]])
    together, together_bytes = run([queries])
    apart, _ = run([[sql] for sql in queries])
    return {
        "shared_scans_time": together / apart, "shared_scans_bytes": together_bytes / max(one_bytes, 1),
        "one_cold_scan_s": one, "one_cold_scan_bytes": one_bytes, "ten_cold_scans_s": together,
    }  # fmt: skip


def _evict(cluster: PrivateCluster) -> None:
    """Take the nodes' data files out of the page cache."""
    for node in cluster.node_names:
        for path in (cluster.data_dir(node) / DATABASE).glob("*.MYD"):
            handle = os.open(path, os.O_RDONLY)
            os.fdatasync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


PARTS = {
    "lookups": lookups, "scans": scans, "small": small_chunks, "results": results, "neighbours": neighbours,
    "planning": planning, "lanes": under_scans, "shared": shared,
}  # fmt: skip
TARGETS = {
    "object_by_id_vs_direct": ("<=", 5.0), "new_shape_ms": ("<=", 3.0), "cone_ms": ("<=", 10.0),
    "object_by_id_p99_ms": ("<=", 10.0), "scan_vs_merge": (">=", 0.8), "per_chunk_ms": ("<=", 0.05),
    "two_threads_vs_one": (">=", 1.7), "two_nodes_vs_one": (">=", 1.7), "arrow_vs_pymysql": (">=", 8.0),
    "near_neighbour_vs_plain": (">=", 5.0), "cone_plan_ms": ("<=", 1.0), "sky_plan_ms": ("<=", 100.0),
    "lv_under_scans": ("<=", 3.0), "shared_scans_time": ("<=", 0.7), "shared_scans_bytes": ("<=", 1.3),
}  # fmt: skip


def run(rows: int, names: Sequence[str], *, is_quick: bool) -> dict[str, float]:
    """All figures; everything made is removed."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="skyshard-bench-", dir="/tmp") as name:
        folder = Path(name)
        cluster = PrivateCluster(folder / "cluster")
        try:
            cluster.start(2)
            with Testbed(cluster.folder) as testbed:
                testbed.ingest(make_catalog(folder / "catalog", rows), database=DATABASE)
                bench = Bench(cluster, testbed, rows, is_quick)
                for part in names:
                    figures |= PARTS[part](bench)
        finally:
            if cluster.exists:
                cluster.destroy()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and small chunks")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="write JSON to a file, or print it")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    options = parser.parse_args()
    is_quick = options.quick or options.json == "-"
    allow_tuning()
    figures = run(options.rows, options.only.split(","), is_quick=is_quick)
    ratios = {name: round(figures[name], 4) for name in TARGETS if name in figures}
    content = json.dumps({"ratios": ratios, "targets": TARGETS, "details": figures}, indent=1)
    if options.json == "-":
        print(content)
        return
    if options.json:
        Path(options.json).write_text(content)
    for name, value in figures.items():
        sign, target = TARGETS.get(name, ("", 0.0))
        print(f"{name:<28} {value:12.4g}   {f'{sign} {target:g}' if sign else ''}")


if __name__ == "__main__":
    main()
