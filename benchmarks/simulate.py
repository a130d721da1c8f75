"""What the whole sky on many nodes costs whoever plans, without its rows: seconds and memory by chunks and nodes.

    python benchmarks/simulate.py [--quick] [--json FILE] [--only plans,registry,lanes]

plans      pure: placement, build targets, entries of chunks made, written, read; plan of a full scan, its chunks
           assigned, put in units, written as statements; moves of a drain, a rebalance, a fill
registry   the same chunks in a registry on a private server: recorded, published, the catalog in a fresh process; the
           registry dumped, restored, rebuilt
lanes      a czar with as many nodes as the sky has, all of them one private server: a scan of 4,849 chunks

DR1's striping (146,332 chunks), four tables, chunks of log-normal sizes. "cpu s" is processor time of this process,
which a busy machine disturbs less than the clock; memory is what the step adds at its peak.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from query_catalog import Source
from simulated_sky import DATABASE, ROW_BYTES, STRIPING, SimulatedSky, catalog_of, layout_of, table_of

from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.layout import Layout
from skyshard.catalog.placement import place
from skyshard.catalog.schema import Table
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.rewrite import rewrite
from skyshard.czar.czar import Czar
from skyshard.czar.plan.planner import plan_statement
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.run.pull_units import units_of
from skyshard.czar.run.replica_choice import ReplicaChoice
from skyshard.czar.sql.statement import parse_statement
from skyshard.db.connection import Account, connect
from skyshard.ingest.on_nodes.build_orders import chunk_targets
from skyshard.registry.registry import Registry
from skyshard.registry.stored.entry_columns import read_entries, written
from skyshard.registry.stored.lifecycle import Event
from skyshard.registry.transactions.transaction_report import TransactionReport
from skyshard.replicate.move_plan import MovePlan, PlacedChunk, plan_drain, plan_even, plan_fill
from skyshard.testbed import Testbed

T = TypeVar("T")
Row = dict[str, Any]
SCAN = "SELECT COUNT(*), SUM(mag) FROM Source WHERE mag < 20"
LANE_CHUNKS, QUICK_LANE_CHUNKS = 4849, 300
SKIES = ((15_000, 150, 1), (146_332, 150, 1), (146_332, 150, 3), (146_332, 1000, 1), (146_332, 1000, 3))
QUICK_SKIES = ((1_500, 15, 1), (15_000, 150, 1), (15_000, 150, 3))


class Steps:
    """Seconds and peak memory of each step of one sky."""

    def __init__(self, part: str, sky: SimulatedSky) -> None:
        self.rows: list[Row] = []
        self._about = {"part": part, "chunks": sky.chunks, "nodes": sky.nodes, "level": sky.level}

    def take(self, what: str, work: Callable[[], T], size: Callable[[T], str] = lambda _: "") -> T:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start, begun = _memory_mb("VmRSS:"), time.perf_counter(), time.process_time()
        made = work()
        worked_s, elapsed_s = time.process_time() - begun, time.perf_counter() - start
        peak_mb = max(0.0, _memory_mb("VmHWM:") - before)
        found = {"step": what, "cpu_s": round(worked_s, 4), "s": round(elapsed_s, 4), "MB": round(peak_mb, 1)}
        found["size"] = size(made)
        self.rows.append(self._about | found)
        print(
            "{chunks:>8,} {nodes:>6,} {level:>2}  {step:<40} {cpu_s:>8.3f} {s:>8.3f} {MB:>7.1f}  {size}".format(
                **self.rows[-1]
            )
        )
        return made


def _memory_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


def plans(sky: SimulatedSky) -> list[Row]:
    steps = Steps("plans", sky)
    sizes, names = sky.sizes, sky.names
    placed = steps.take("chunks placed", lambda: place(sizes, names, sky.level), lambda made: _skew(sky, made))
    steps.take("chunks placed again", lambda: place(sizes, names, sky.level, placed))
    steps.take(
        "targets of four tables",
        lambda: [chunk_targets(placed, layout_of(name).role, names) for name in ROW_BYTES],
        lambda found: f"{sum(len(mine) for one in found for mine in one.values()):,} tables",
    )
    replicas = {name: sky.replicas(name) for name in ROW_BYTES}
    count = sum(len(one.chunk) for one in replicas.values())
    entries = steps.take("entries of chunks made", sky.entries, lambda _: f"of {count:,} replicas")
    values = steps.take(
        "entries written", lambda: [written(one) for one in entries.values()],
        lambda found: f"{sum(map(len, found)) / 1e6:.1f} MB",
    )  # fmt: skip
    catalog = steps.take(
        "entries read, catalog",
        lambda: catalog_of(
            {name: one for name, v in zip(ROW_BYTES, values, strict=True) if (one := read_entries(v))}, names
        ),
    )
    scan(steps, catalog, names)
    moves(steps, sky, placed)
    return steps.rows


def scan(steps: Steps, catalog: Any, names: Sequence[str]) -> None:
    source: Any = SimpleNamespace(catalog=lambda _: catalog)
    bound = rewrite(bind(parse_statement(SCAN), source.catalog, DATABASE))  # type: ignore[arg-type]
    plan = steps.take(
        "plan of a full scan", lambda: plan_statement(bound, source), lambda made: f"{made.chunks:,} chunks"
    )
    pull = plan.pulls[0]
    steps.take("the same planned again", lambda: plan_statement(bound, source))
    assigned, _ = steps.take("chunks assigned", lambda: ReplicaChoice(pull, names).assign(pull.chunks or ()))
    units = steps.take(
        "put in units", lambda: {node: units_of(pull, mine, 16) for node, mine in assigned.items()},
        lambda found: f"{sum(map(len, found.values())):,} units",
    )  # fmt: skip
    order = PullOrder.of("q", "p0", pull, (), is_text=True, is_scan=True)
    steps.take(
        "written as statements", lambda: [order.statement(unit) for mine in units.values() for unit in mine],
        lambda found: f"{sum(map(len, found)) / 1e6:.0f} MB",
    )  # fmt: skip


def moves(steps: Steps, sky: SimulatedSky, placed: dict[int, tuple[str, ...]]) -> None:
    names = sky.names
    more = [*names, *(f"new{number}" for number in range(10))]
    chunks = [
        PlacedChunk("sky", chunk, nodes, sky.level, dict.fromkeys(nodes, sky.sizes[chunk]), len(ROW_BYTES))
        for chunk, nodes in placed.items()
    ]
    steps.take("plan to drain a node", lambda: plan_drain(chunks, names[1:], names[0]), _moved)
    steps.take("plan to even out ten nodes more", lambda: plan_even(chunks, more), _moved)
    steps.take("plan to replace a dead node", lambda: plan_fill(chunks, names[1:], {names[0]}), _moved)


def _moved(plan: MovePlan) -> str:
    ratio = plan.bytes / plan.minimum_bytes if plan.minimum_bytes else 1.0
    return f"{len(plan.moves):,} moves, {plan.bytes / 1e12:.1f} TB, {ratio:.3f} of the least"


def _skew(sky: SimulatedSky, made: dict[int, tuple[str, ...]]) -> str:
    load = dict.fromkeys(sky.names, 0)
    for chunk, nodes in made.items():
        for node in nodes:
            load[node] += sky.sizes[chunk]
    return f"fullest node {max(load.values()) * sky.nodes / sum(load.values()):.4f} of the mean"


@contextmanager
def _cluster() -> Iterator[PrivateCluster]:
    folder = Path(tempfile.mkdtemp(prefix="skyshard-bench-", dir="/tmp"))
    cluster = PrivateCluster.at(folder / "cluster")
    assert isinstance(cluster, PrivateCluster)
    cluster.start(1)
    try:
        yield cluster
    finally:
        cluster.destroy()
        shutil.rmtree(folder, ignore_errors=True)


def registry(sky: SimulatedSky) -> list[Row]:
    steps = Steps("registry", sky)
    with _cluster() as cluster:
        held = Registry(cluster.endpoint("czar"), cluster.folder)
        held.prepare()
        mine = held.transactions.begin(DATABASE, Layout(striping=STRIPING, tables={}), "", "", {})
        for name in ROW_BYTES:
            held.databases.add_table(DATABASE, table_of(name), layout_of(name), "image", mine.id)
        records = [record for name in ROW_BYTES for record in sky.records(name)]
        parts = [records[start : start + 5000] for start in range(0, len(records), 5000)]
        steps.take(
            "replicas recorded", lambda: list(map(partial(held.replicas.add, DATABASE, mine.id), parts)),
            lambda _: f"{len(records):,} replicas",
        )  # fmt: skip
        held.transactions.move(mine, Event.COMMIT)
        steps.take("published", lambda: held.transactions.publish(DATABASE, mine, TransactionReport()))
        steps.take("placements kept", lambda: held.placements.add("sky", sky.placed))
        steps.take("placements read", lambda: held.placements.of_family("sky"))
        steps.take("all replicas read, as ingest and verify do", lambda: held.replicas.all(DATABASE))
        held.close()
        steps.rows += in_fresh_process(_catalog_read, sky, cluster.folder)
        steps.rows += in_fresh_process(_backups, sky, cluster.folder)
    return steps.rows


def _backups(sky: SimulatedSky, folder: Path, out: Any) -> None:
    """The czar's registry is dumped, restored, kept by a node, rebuilt; of the node's tables none is there."""
    steps = Steps("registry", sky)
    with Testbed(folder) as testbed:
        dump = folder.parent / "registry.dump"
        steps.take("dumped", lambda: testbed.backup.dump(dump), lambda done: f"{done.bytes / 1e6:.1f} MB")
        steps.take("records kept by a node", lambda: testbed.wiring.keep_records(DATABASE))
        restored = steps.take("restored", lambda: testbed.backup.restore(dump, force=True))
        rebuilt = steps.take("rebuilt", lambda: testbed.backup.rebuild(force=True))
        assert restored.rows["replicas"] == rebuilt.rows["replicas"]
    out.put(steps.rows)


def _catalog_read(sky: SimulatedSky, folder: Path, out: Any) -> None:
    steps, cluster = Steps("registry", sky), PrivateCluster.at(folder)
    held = Registry(cluster.endpoint("czar"), cluster.folder)
    held.published.names()
    steps.take("catalog read, in a fresh process", lambda: held.published.catalog(DATABASE))
    steps.take("catalog read again", lambda: held.published.catalog(DATABASE))
    with connect(cluster.endpoint("czar"), Account.ADMIN) as admin:
        admin.execute("DELETE FROM skyshard_registry.chunk_entries")
    steps.take("catalog read where no entries are kept", lambda: held.published.catalog(DATABASE))
    held.close()
    out.put(steps.rows)


def in_fresh_process(work: Callable[..., None], *arguments: object) -> list[Row]:
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    process = context.Process(target=work, args=(*arguments, out))
    process.start()
    rows: list[Row] = out.get()
    process.join()
    return rows


def lanes(sky: SimulatedSky) -> list[Row]:
    """All nodes are one server, so that what the czar does for each of them shows, and not what nodes do."""
    steps = Steps("lanes", sky)
    with _cluster() as cluster:
        name = "Source"
        stored = stored_table(table_of(name), layout_of(name))
        _make_chunks(cluster, stored, sky.numbers)
        catalog = catalog_of(sky.entries(), sky.names)
        one = cluster.node("node1")
        nodes = {node: one for node in sky.names}  # noqa: C420  (all are the same server)
        held = Registry(cluster.endpoint("czar"), cluster.folder)
        held.prepare()
        source = Source(catalog, held, cluster.endpoint("czar"))
        with Czar(source, cluster.endpoint("czar"), nodes, cluster.data_dir("czar"), scan_threads=1) as czar:
            for what in ("scan, sessions opened", "scan", "scan again"):
                steps.take(what, lambda: czar.execute(SCAN, DATABASE), lambda _: f"{len(sky.numbers):,} chunks")
        held.close()
    return steps.rows


def _make_chunks(cluster: PrivateCluster, stored: Table, numbers: Sequence[int]) -> None:
    """Empty chunk tables, as copies of one table's files; and the prototype on the czar's server."""
    for server in ("czar", "node1"):
        with connect(cluster.endpoint(server), Account.ADMIN) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
            connection.execute(f"USE {DATABASE}")
            connection.execute(create_table(stored, stored.name))
            connection.execute("FLUSH TABLES")
    folder = cluster.data_dir("node1") / DATABASE
    for number in numbers:
        for kind in ("frm", "MYD", "MYI"):
            shutil.copyfile(folder / f"{stored.name}.{kind}", folder / f"{stored.name}_{number}.{kind}")


PARTS: dict[str, Callable[[SimulatedSky], list[Row]]] = {"plans": plans, "registry": registry, "lanes": lanes}


def run(only: Sequence[str], *, is_quick: bool) -> list[Row]:
    skies = [SimulatedSky(*one) for one in (QUICK_SKIES if is_quick else SKIES)]
    found: list[Row] = []
    print(f"{'chunks':>8} {'nodes':>6} {'R':>2}  {'step':<40} {'cpu s':>8} {'s':>8} {'MB':>7}")
    for sky in skies if "plans" in only else ():
        found += plans(sky)
    for sky in (one for one in skies if one.level == 1 and one.nodes <= 150) if "registry" in only else ():
        found += registry(sky)
    lane_chunks = QUICK_LANE_CHUNKS if is_quick else LANE_CHUNKS
    for nodes in (15, 150) if "lanes" in only else ():
        found += lanes(SimulatedSky(lane_chunks, nodes, 1))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 15,000 chunks, 300 chunks for lanes")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    options = parser.parse_args()
    rows = run(options.only.split(","), is_quick=options.quick)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
