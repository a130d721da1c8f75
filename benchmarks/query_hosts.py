"""How much slower queries are over hosts and TLS than on sockets, and how soon a pulled cable is noticed.

    python benchmarks/query_hosts.py [--rows 5000000] [--pulls 20] [--turns 7] [--json FILE]

Three hosts made of namespaces (so as root), a server each, and the czar's; both ways ask the same servers for the same
rows, turn by turn, one thread a node. `socket`: their sockets and files; `hosts`: TLS, and images that sessions carry.
Of times the lowest tenth counts, as other work on the machine only adds to them; `..._median_ms` are medians.

id_added_ms        `WHERE objectId = n` over hosts, less that on sockets
scan_ratio         time of a filtered scan over hosts, in times on sockets; `group_ratio` of a sum by group
arrow_ratio        rows x 8 columns to Arrow, in speeds on sockets
noticed_s          from the pull of a cable until its node is asked for nothing any more: p99 over the pulls, beside the
                   silence that is allowed; `held_s` is how long statements took then, beyond what they take else, and
                   `wrong` counts answers that are not whole
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from query_catalog import COLUMNS, DATABASE, FIRST_KEY, SCAN, make_catalog
from tests.support.hosts import Lab
from tests.support.named_lab import NamedLab, named_lab

from skyshard.basics.errors import ClusterError
from skyshard.cluster.node import Node
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.registry.catalog_cache import CatalogCache
from skyshard.testbed import Testbed

NODES = ("node1", "node2", "node3")
LOOKUPS = 400
SILENCE_S = 3.0
TARGETS = {
    "id_added_ms": ("<=", 1.0), "scan_ratio": ("<=", 1.15), "arrow_ratio": (">=", 0.6),
    "noticed_s": ("<=", SILENCE_S + 1.0), "wrong": ("<=", 0.0),
}  # fmt: skip
Figures = dict[str, float]


def loaded(folder: Path, rows: int) -> Mapping[str, Path]:
    """Data folders of stopped servers that hold the catalog."""
    cluster = PrivateCluster(folder / "cluster")
    cluster.start(len(NODES))
    with Testbed(cluster.folder) as testbed:
        testbed.ingest(make_catalog(folder / "catalog", rows), database=DATABASE, replicas=2)
    found = {name: cluster.data_dir(name) for name in ("czar", *NODES)}
    cluster.stop()
    return found


@contextlib.contextmanager
def czar_of(made: NamedLab, testbed: Testbed, nodes: Mapping[str, Node], text_rows: int = 20_000) -> Iterator[Czar]:
    cluster = made.cluster
    source = CatalogCache(testbed.registry, cluster.endpoint("czar"))
    at = (cluster.endpoint("czar"), nodes, cluster.data_dir("czar"))
    with Czar(source, *at, text_rows=text_rows, scan_threads=1, silence_s=SILENCE_S) as czar:
        yield czar


def in_turns(works: Mapping[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Milliseconds of each work, in turns, so that what else the machine does strikes all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        for name, work in works.items():
            begun = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - begun) * 1e3)
    return times


def quiet(times: list[float]) -> float:
    """The time that a tenth of the turns did not exceed."""
    return sorted(times)[len(times) // 10]


def compared(made: NamedLab, testbed: Testbed, rows: int, turns: int) -> Figures:
    """Look-ups, a scan, and rows to Arrow, both ways."""
    far = made.cluster.nodes
    near = {
        name: replace(node, sql=made.servers[name].beside, data=made.servers[name].data, is_here=True)
        for name, node in far.items()
    }
    whole = f"SELECT {COLUMNS} FROM Object"
    keys = iter(np.random.default_rng(7).integers(0, rows, 10 * LOOKUPS).tolist())
    figures: Figures = {}
    with czar_of(made, testbed, near) as socket, czar_of(made, testbed, far) as hosts:
        ways = {"socket": socket, "hosts": hosts}

        def by_id(czar: Czar) -> object:
            return czar.execute(f"SELECT {COLUMNS} FROM Object WHERE objectId = {FIRST_KEY + next(keys)}", DATABASE)

        def to_arrow(czar: Czar) -> None:
            with czar.open(whole, DATABASE) as answer:
                assert sum(batch.num_rows for batch in answer.batches) == rows

        in_turns({name: lambda czar=czar: by_id(czar) for name, czar in ways.items()}, 50)  # type: ignore[misc]
        ids = in_turns({name: lambda czar=czar: by_id(czar) for name, czar in ways.items()}, LOOKUPS)  # type: ignore[misc]
        for what, sql in (("scan", SCAN), ("group", "SELECT n, COUNT(*), AVG(d0) FROM Object GROUP BY n")):
            works = {name: lambda czar=czar, sql=sql: czar.execute(sql, DATABASE) for name, czar in ways.items()}
            in_turns(works, 2)
            found = in_turns(works, 3 * turns)
            figures |= {f"{what}_{name}_ms": quiet(times) for name, times in found.items()}
            figures |= {f"{what}_{name}_median_ms": statistics.median(times) for name, times in found.items()}
            figures[f"{what}_ratio"] = figures[f"{what}_hosts_ms"] / figures[f"{what}_socket_ms"]
        works = {name: lambda czar=czar: to_arrow(czar) for name, czar in ways.items()}  # type: ignore[misc]
        in_turns(works, 1)
        arrow = in_turns(works, turns)
    speeds = {name: rows / min(times) / 1e3 for name, times in arrow.items()}
    low = {name: quiet(times) for name, times in ids.items()}
    figures |= {f"id_{name}_median_ms": statistics.median(times) for name, times in ids.items()}
    return figures | {
        "id_socket_ms": low["socket"], "id_hosts_ms": low["hosts"], "id_added_ms": low["hosts"] - low["socket"],
        "id_hosts_p99_ms": sorted(ids["hosts"])[-LOOKUPS // 100], "arrow_ratio": speeds["hosts"] / speeds["socket"],
        "arrow_socket_mrow_s": speeds["socket"], "arrow_hosts_mrow_s": speeds["hosts"],
    }  # fmt: skip


def pulled(made: NamedLab, testbed: Testbed, rows: int, pulls: int) -> Figures:
    """What pulled cables do to statements; every chunk has another replica."""
    noticed, held, outcomes = [], [], {"right": 0, "error": 0, "wrong": 0}
    with czar_of(made, testbed, made.cluster.nodes) as czar:
        for number in range(pulls):
            node = NODES[number % len(NODES)]
            whole = czar.execute("SELECT COUNT(*) FROM Object WHERE ra > 0", DATABASE).table.column(0)[0].as_py()
            assert whole == rows
            found = _pull(made, czar, node, rows, outcomes)
            noticed.append(found[0])
            held.append(found[1])
            _wait_all(czar)
    return {
        "noticed_s": _p99(noticed), "noticed_median_s": statistics.median(noticed), "held_s": _p99(held),
        "held_median_s": statistics.median(held), "pulls": pulls, "wrong": outcomes["wrong"],
        "right": outcomes["right"], "errors": outcomes["error"],
    }  # fmt: skip


def _p99(values: list[float]) -> float:
    """The largest where there are fewer than a hundred."""
    return sorted(values)[max(0, -(-99 * len(values) // 100) - 1)]


def _pull(made: NamedLab, czar: Czar, node: str, rows: int, outcomes: dict[str, int]) -> tuple[float, float]:
    """Statements of four threads over a pull: when it was noticed, and the longest time of one, less what one takes
    undisturbed."""
    ended, longest = threading.Event(), [0.0]
    begun = time.monotonic()
    czar.execute("SELECT COUNT(*) FROM Object WHERE ra > 0", DATABASE)
    usual_s = time.monotonic() - begun

    def ask(number: int) -> None:
        keys = iter(np.random.default_rng(number).integers(0, rows, 1_000_000).tolist())
        while not ended.is_set():
            is_scan = number == 0
            where = "ra > 0" if is_scan else f"objectId = {FIRST_KEY + next(keys)}"
            begun = time.monotonic()
            try:
                found = czar.execute(f"SELECT COUNT(*) FROM Object WHERE {where}", DATABASE).table.column(0)[0].as_py()
                outcomes["right" if found == (rows if is_scan else 1) else "wrong"] += 1
            except ClusterError:
                outcomes["error"] += 1
            longest[0] = max(longest[0], time.monotonic() - begun - (usual_s if is_scan else 0.0))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    made.lab[node].pull_cable()
    begun = time.monotonic()
    while not _is_silent(czar, node):
        time.sleep(0.005)
    noticed_s = time.monotonic() - begun
    time.sleep(1.0)
    ended.set()
    for thread in threads:
        thread.join()
    made.lab[node].plug()
    return noticed_s, longest[0]


def _is_silent(czar: Czar, node: str) -> bool:
    return czar._workers[node].sessions._silence.is_silent


def _wait_all(czar: Czar) -> None:
    """Until every node is asked again."""
    while True:
        czar.execute("SELECT COUNT(*) FROM Object WHERE ra > 0", DATABASE)
        if not any(_is_silent(czar, node) for node in NODES):
            return
        time.sleep(0.2)


def run(rows: int, turns: int, pulls: int) -> Figures:
    """All figures; everything made is removed."""
    with tempfile.TemporaryDirectory(prefix="skyshard-bench-", dir="/tmp") as name:
        data = loaded(Path(name), rows)
        with (
            contextlib.closing(Lab()) as lab,
            named_lab(lab, len(NODES), silence_s=SILENCE_S, data=data) as made,
            Testbed(made.cluster.folder) as testbed,
        ):
            return compared(made, testbed, rows, turns) | (pulled(made, testbed, rows, pulls) if pulls else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--pulls", type=int, default=20)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    figures = run(options.rows, options.turns, options.pulls)
    if options.json:
        options.json.write_text(json.dumps({"targets": TARGETS, "figures": figures}, indent=1))
    for name, value in figures.items():
        sign, target = TARGETS.get(name, ("", 0.0))
        print(f"{name:<24} {value:12.4g}   {f'{sign} {target:g}' if sign else ''}")


if __name__ == "__main__":
    main()
